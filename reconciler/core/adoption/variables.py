"""Tells the variables of live objects apart: references to the stack's own objects, secrets, and plain text; pure.

A secret never leaves here as text: the proposal only says that there is one, and the vault is filled elsewhere.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.adoption.words import TYPES, escaped
from reconciler.core.kinds import DATASTORES, Kind
from reconciler.core.observed import Detail, Observed
from reconciler.core.values import Json, Sensitive

SECRET_WORDS = frozenset(
    (
        *("secret", "secrets", "token", "password", "passwd", "passphrase", "pwd", "pass", "key", "keys", "apikey"),
        *("credential", "credentials", "private", "dsn", "salt", "cert", "certificate", "webhook", "signing"),
        *("encryption", "auth", "license", "licence", "jwt", "cookie", "hmac", "pepper", "seed"),
    )
)
"""Words in a variable's name that make its value a secret."""
_PLAIN = re.compile(r"(true|false|on|off|yes|no|none|null)?", re.IGNORECASE)
_WITH_LOGIN = re.compile(r"://[^/\s@]+@")
_KNOWN = re.compile(
    r"-----BEGIN |\b(sk|pk|rk)_(live|test)_|\bgh[opsu]_|\bxox[abpr]-|\bAKIA[0-9A-Z]{12}|\beyJ[A-Za-z0-9_-]{10,}\."
    r"|\bSG\.[A-Za-z0-9_-]{10,}|\bwhsec_|\brnd_|\bAIza[0-9A-Za-z_-]{20,}"
)
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
OPAQUE_BITS = 3.5
"""Bits of information a character from which a text without blanks counts as made by chance."""


def is_secret(key: str, text: str) -> bool:
    """Say whether a variable looks like a secret; in doubt it is one: a secret too many costs nothing."""
    if _PLAIN.fullmatch(text):
        return False
    if _WITH_LOGIN.search(text) or _KNOWN.search(text):
        return True
    words = {word.lower() for word in re.split(r"[_.-]|(?<=[a-z])(?=[A-Z])", key)}
    return bool(words & SECRET_WORDS) or _by_chance(text)


def _by_chance(text: str) -> bool:
    if not _OPAQUE.fullmatch(text) or not re.search(r"\d", text) or not re.search(r"[A-Za-z]", text):
        return False
    counts, length = Counter(text), len(text)
    return -sum(n / length * math.log2(n / length) for n in counts.values()) >= OPAQUE_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One live object that becomes a component, with what lists do not show of it."""

    key: str
    observed: Observed
    detail: Detail

    @property
    def fields(self) -> Mapping[str, Json]:
        """Its fields, those of the detail included."""
        return {**self.observed.fields, **self.detail.fields}

    @property
    def env(self) -> Mapping[str, Sensitive]:
        """Its variables."""
        return self.detail.env or {}


@dataclass(slots=True)
class Variables:
    """How the values of one stack are written; `shared` are keys with one and the same value wherever they stand."""

    parts: Sequence[Part]
    exact: dict[str, dict[str, Json]] = field(default_factory=dict)
    inside: list[tuple[re.Pattern[str], str]] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Learn the addresses of the stack's objects, and which secrets several of them share."""
        for part in self.parts:
            self._learn(part)
        self.inside.sort(key=lambda pair: -len(pair[0].pattern))
        texts: dict[str, set[str]] = {}
        for part in self.parts:
            for key, value in part.env.items():
                texts.setdefault(key, set()).add(value.reveal())
        self.shared = {key for key, found in texts.items() if len(found) == 1}

    def _learn(self, part: Part) -> None:
        one, kind = part.observed, part.observed.kind
        known = {**one.attributes, **{name: text.reveal() for name, text in part.detail.connection.items()}}
        if kind is Kind.POSTGRES:
            for name in ("connectionString", "connectionPoolString", "password", "host"):
                self._exactly(known.get(name), {"fromDatabase": {"name": part.key, "property": name}})
        elif kind in TYPES:
            about: dict[str, Json] = {"name": part.key, "type": TYPES[kind]}
            names = ("connectionString", "hostport", "host") if kind is Kind.KEY_VALUE else ("hostport", "host")
            for name in names:
                self._exactly(known.get(name), {"fromService": {**about, "property": name}})
            for name, copied in (("url", "URL"), ("externalHostname", "HOSTNAME")):
                self._exactly(known.get(name), {"fromService": {**about, "envVarKey": f"RENDER_EXTERNAL_{copied}"}})
        if kind in DATASTORES:
            self._within(known.get("host"), f"${{host.{part.key}}}")
        elif kind is Kind.PRIVATE:
            self._within(f"http://{known['hostport']}" if "hostport" in known else None, f"${{url.{part.key}}}")
        else:
            self._within(known.get("url"), f"${{url.{part.key}}}")
            self._within(known.get("externalHostname"), f"${{host.{part.key}}}")

    def _exactly(self, text: str | None, form: dict[str, Json]) -> None:
        if text:
            self.exact.setdefault(text, form)

    def _within(self, text: str | None, expression: str) -> None:
        if text:
            self.inside.append(
                (re.compile(rf"(?<![A-Za-z0-9.-]){re.escape(text)}(?![A-Za-z0-9-]|\.[A-Za-z0-9])"), expression)
            )

    def written(self, text: str) -> str:
        """Write a plain text with the addresses of the stack's own objects as expressions."""
        found = escaped(text)
        for pattern, expression in self.inside:
            found = pattern.sub(expression.replace("\\", r"\\"), found)
        return found

    def form(self, part: Part, key: str) -> dict[str, Json]:
        """Write where a variable's value comes from, as an entry of `envVars` without its key."""
        text = part.env[key].reveal()
        group = part.observed.kind is Kind.ENV_GROUP
        if not group and text in self.exact:
            return dict(self.exact[text])
        if is_secret(key, text):
            return self._secret(part, key, group=group)
        return {"value": self.written(text)}

    def _secret(self, part: Part, key: str, *, group: bool) -> dict[str, Json]:
        if key in self.shared:
            return {"value": f"${{secrets.{key}}}"} if group else {"sync": False}
        return {"value": f"${{secrets.{part.key}/{key}}}"}
