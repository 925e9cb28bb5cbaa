"""The HTTP doors: API, webhooks, health, metrics, console; no decision about a stack belongs here."""
