"""The pure decisions, from specs to plans; no I/O, clock, randomness, asyncio or third-party library belongs here."""
