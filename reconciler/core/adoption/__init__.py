"""Decides what of a live workspace a tenant's stack already is: matching, secrets to read back, proposals; pure."""
