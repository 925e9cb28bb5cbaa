"""Reads the file of made-up secrets that a local run sets for the sample tenants; it sets nothing itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.core.blueprint import env
from reconciler.core.blueprint.spots import at, described, nearest
from reconciler.core.errors import Invalid, Problem
from reconciler.core.values import Json, Sensitive
from reconciler.manifest.yaml_text import Parsed, parse_all

SCOPES = {"tenants": "tenant", "blueprints": "blueprint"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSecret:
    """One secret: `scope` is tenant or blueprint, `owner` its name, as the registry's `set_secret` takes them."""

    scope: str
    owner: str
    key: str
    value: Sensitive


def load_local_secrets(text: str, *, file: str) -> list[LocalSecret]:
    """Read `tenants: {NAME: {KEY: value}}` and `blueprints: {...}`. Raises Invalid; no message holds a value."""
    problems: list[Problem] = []
    found = [
        secret
        for parsed in parse_all(text, file=file, verbatim=lambda path: True)
        for secret in _secrets(parsed, file, problems)
    ]
    if problems:
        raise Invalid(problems)
    return found


def _secrets(parsed: Parsed, file: str, problems: list[Problem]) -> Iterator[LocalSecret]:
    def refuse(path: str, message: str, remedy: str) -> None:
        line = parsed.lines.get(path, parsed.line)
        problems.append(Problem(path=path or "document", message=message, remedy=remedy, file=file, line=line))

    def mapping(value: Json, path: str) -> dict[str, Json]:
        if not isinstance(value, dict):
            refuse(path, f"must be a mapping, not {'text' if isinstance(value, str) else described(value)}", "")
        return value if isinstance(value, dict) else {}

    for word, owners in mapping(parsed.value, "").items():
        if word not in SCOPES:
            refuse(word, "unknown field", nearest(word, SCOPES))
            continue
        for owner, keys in mapping(owners, word).items():
            for key, value in mapping(keys, at(word, owner)).items():
                path = at(at(word, owner), key)
                if not env.KEY.fullmatch(key):
                    refuse(path, "is not the name of a variable", "use letters, digits and underscores")
                elif not isinstance(value, str) or not value:
                    refuse(path, "must be text that is not empty", "write the value in quotes")
                else:
                    yield LocalSecret(scope=SCOPES[word], owner=owner, key=key, value=Sensitive(value))
