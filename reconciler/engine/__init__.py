"""The reconcile loop, written against core and ports alone; no SQL, HTTP, YAML or metrics library belongs here."""
