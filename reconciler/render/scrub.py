"""Takes secrets and control characters out of texts that others wrote; it decides nothing else."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MESSAGE_MAX = 500
RAW_MAX = 4000
"""Characters of a foreign text that are looked at; the rest is cut off unread."""
PIECE = 12
"""A run of this many characters of a secret is removed even where the rest of it is missing."""
SHORT = 4
MASK = "***"


def clean(text: str, secrets: Iterable[str]) -> str:
    """Answer a printable line of at most 500 characters without any of the secrets, whole or in pieces of 12.

    Secrets shorter than four characters (`1`, `yes`) are removed only where they stand alone.
    """
    line = text[:RAW_MAX]
    for secret in sorted(set(secrets), key=len, reverse=True):
        line = _without(line, secret)
    printable = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    return printable if len(printable) <= MESSAGE_MAX else f"{printable[: MESSAGE_MAX - 3]}..."


def _without(line: str, secret: str) -> str:
    if not secret.strip():
        return line
    if len(secret) < SHORT:
        return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, line)
    for form in (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
    ):
        line = line.replace(form, MASK)
    return _without_pieces(line, secret) if len(secret) > PIECE else line


def _without_pieces(line: str, secret: str) -> str:
    """Mask runs that the line shares with the secret: a message may quote the beginning of a value."""
    pieces = {line[at : at + PIECE] for at in range(len(line) - PIECE + 1)}
    shared = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)} & pieces
    if not shared:
        return line
    hidden = [False] * len(line)
    for at in range(len(line) - PIECE + 1):
        if line[at : at + PIECE] in shared:
            hidden[at : at + PIECE] = [True] * PIECE
    kept: list[str] = []
    for at, character in enumerate(line):
        if not hidden[at]:
            kept.append(character)
        elif at == 0 or not hidden[at - 1]:
            kept.append(MASK)
    return "".join(kept)
