"""Log set-up and the declarations of all metrics; nothing here may decide anything or know who emits them."""
