"""The console: server-rendered pages for people who look rather than read; nothing here can change a record."""
