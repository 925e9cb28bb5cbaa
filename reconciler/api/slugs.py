"""Makes a tenant's name (slug) from the name of a customer, and further ones when it is taken; pure."""

import itertools
import re
import unicodedata
from collections.abc import Iterator

LENGTH_MAX = 39
"""A slug becomes part of Render service names, which become DNS labels."""
VALID = re.compile(r"[a-z][a-z0-9-]{0,37}[a-z0-9]")
LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "ħ": "h"}
)
"""Latin letters that Unicode does not decompose."""


def base(name: str) -> str:
    """Fold a name to what a slug may hold; empty when nothing of it is left."""
    folded = unicodedata.normalize("NFKD", name.casefold().translate(LETTERS))
    latin = "".join(c for c in folded if not unicodedata.combining(c))
    words = re.sub(r"[^a-z0-9]+", "-", latin.replace("'", "").replace("\u2019", "")).strip("-")
    if not words:
        return ""
    return f"t-{words}" if words[0].isdigit() or len(words) == 1 else words


def candidates(name: str) -> Iterator[str]:
    """Yield slugs for a name, best first: `acme`, `acme-2`, `acme-3`, ...; `t-1`, `t-2` when nothing is left of it."""
    stem = base(name)
    if stem:
        yield _cut(stem, LENGTH_MAX)
    for number in itertools.count(2 if stem else 1):
        suffix = f"-{number}"
        yield _cut(stem or "t", LENGTH_MAX - len(suffix)) + suffix


def is_valid(slug: str) -> bool:
    """Say whether a slug can be a tenant's name."""
    return VALID.fullmatch(slug) is not None


def _cut(text: str, length: int) -> str:
    return text[:length].rstrip("-")
