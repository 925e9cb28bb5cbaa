"""The verbs: each module declares the commands of one group and leaves records, words and tables to its siblings."""
