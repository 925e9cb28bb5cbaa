"""The commands of `reconciler`, one module a verb group; parsing and printing only, no decision about a stack."""
