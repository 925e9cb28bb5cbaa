"""The five kinds of services: creating, changing, showing, scaling, suspending, and what hangs on them."""
