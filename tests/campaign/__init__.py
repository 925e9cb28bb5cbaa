"""The campaign: whole replicas of the operator under faults, in virtual time, from a seed (docs/promises.md)."""
