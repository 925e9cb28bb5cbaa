"""One contract over both stores: Postgres, which the operator runs on, and memory, which the campaign runs on."""
