"""Typer commands: one module for each group of verbs, and the tables, YAML and JSON they print."""


def main() -> None:
    """Run the command line; the entry point of the program `reconciler`."""
    import sys

    from reconciler.cli import app

    sys.exit(app.run(sys.argv[1:]))
