"""Holds the schema's revisions for Alembic; a revision never changes once released, and imports nothing of ours."""
