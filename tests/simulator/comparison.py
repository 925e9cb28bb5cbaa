"""Compares an answer of the simulator with the recorded one of Render, and says where the two differ.

Everything is compared by value, down to the type of a number, but for what cannot be equal: ids, times, cursors,
addresses, passwords, commits, digests, and what the recorder blotted out. Of these the form is compared, and that
the same recorded id, cursor, slug, database or generated value always meets the same live one. Keys that the
recordings of one time lack (`LATER_KEYS`) may be absent from a recording, never from a live answer.
"""

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

PREFIXES = "srv|crn|dpg|red|evg|prj|evm|dsk|dep|cdm|hdr|rdr|rgc|whk|evt|egs|mrn|job|exs|exe|tea|own|usr"
STEM = re.compile(rf"\b(?:{PREFIXES})-[0-9a-v]{{20}}\b")
ID = re.compile(rf"((?:{PREFIXES})-[0-9a-v]{{20}})(-[a-z])?")
SUFFIXED_SLUG = re.compile(r"(.+)-[a-z0-9]{4}")
SUFFIXED_DATABASE = re.compile(r"(.+)_[a-z0-9]{4}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{0,8}[1-9]))?Z")
MICROSECOND_DIGITS = 6
REDACTED = "redactedredactedredactedredacted"
RANDOM_TEXT = "[A-Za-z0-9]{16,64}"
GENERATED_BYTES = 32
CURSOR_HEAD, CURSOR_BYTES = 8, 24

# Recordings were made against several of Render's own environments (render-api 0.2). What their host names and
# ports would be in production, which is what the simulator plays:
PRODUCTION = (
    (re.compile(r"https?://dashboard\.[a-z.]*(?:render\.com|localhost:3000)"), "https://dashboard.render.com"),
    (re.compile(r"\.onrender-staging\.com\b"), ".onrender.com"),
    (re.compile(r"\.localhost\.onrender\.com:\d+"), ".onrender.com"),
    (re.compile(r"(-(?:keyvalue|postgres))(?:\.[a-z]+)?\.render\.com"), r"\1.render.com"),
    (re.compile(r"(?<=:)6377\b|(?<=-p )6377\b"), "6379"),  # TLS port of a developer's machine
)
# Keys by kind of object (its id's prefix) that came up while the recordings were made. Each is in docs/simulator.md.
LATER_KEYS = {
    "srv": {"autoDeployTrigger"},
    "crn": {"autoDeployTrigger"},
    "evm": {"ipAllowList", "networkIsolationEnabled"},
    "dpg": {"diskAutoscalingEnabled"},
    "dep": {"startedAt"},
}
# Unfinished deploys: null in 2024, absent since 2025.
NULL_OR_ABSENT = {"dep": {"finishedAt"}}


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclass(frozen=True)
class Answer:
    """What one side answered; header names in lower case, values as many as were sent."""

    status: int
    headers: dict[str, list[str]]
    body: str


@dataclass(frozen=True)
class Difference:
    """One place where the answers differ: `status`, `body`, a header's name, or a path into the JSON."""

    path: str
    recorded: object
    live: object

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.recorded)} recorded, {_short(self.live)} live"


def _short(value: object, length: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


@dataclass
class Names:
    """What the things of a scenario are called live, one to one with what they are called in the recording."""

    bound: dict[tuple[str, str], str] = field(default_factory=dict)
    taken: set[tuple[str, str]] = field(default_factory=set)
    generated: set[str] = field(default_factory=set)

    def bind(self, sort: str, recorded: str, live: str) -> None:
        """Remember a pair, unless one of the two is already somebody else's.

        Several names may stand for one workspace, since the recorder replaced its id in some places only.
        """
        if (sort, recorded) not in self.bound and (sort == "owner" or (sort, live) not in self.taken):
            self.bound[sort, recorded] = live
            self.taken.add((sort, live))

    def live(self, sort: str, recorded: str) -> str:
        """Tell the live name; the recorded one where none is known."""
        return self.bound.get((sort, recorded), recorded)

    def translate(self, text: str) -> str:
        """Put live ids where recorded ones are."""
        return STEM.sub(lambda found: self.live("id", found[0]), text)

    def request_url(self, url: str) -> str:
        """Write the path and query of a recorded request with live ids and cursors."""
        parts = urlsplit(self.translate(url))
        query = re.sub(
            r"(?<=cursor=)[^&]+", lambda found: quote(self.live("cursor", unquote(found[0])), safe=""), parts.query
        )
        return f"{parts.path}?{query}" if query else parts.path

    def request_body(self, path: str, text: str) -> str:
        """Write the body of a recorded request with live ids and generated values, and note which are generated."""
        try:
            self._note_generated(json.loads(text), unquote(path.rsplit("/", 1)[-1]) if "/env-vars/" in path else "")
        except ValueError:
            return self.translate(text)  # no JSON: nothing is generated
        for (sort, recorded), live in self.bound.items():
            if sort == "generated":
                text = text.replace(json.dumps(recorded), json.dumps(live))
        return self.translate(text)

    def _note_generated(self, body: object, key_of_path: str) -> None:
        if isinstance(body, list):
            for item in body:
                self._note_generated(item, key_of_path)
        if not isinstance(body, dict):
            return
        key = body.get("key") or key_of_path
        if body.get("generateValue"):
            self.generated.add(key)
        elif "value" in body:
            self.generated.discard(key)
        for value in body.values():
            self._note_generated(value, "")

    def learn(self, recorded: object, live: object) -> None:
        """Bind what a pair of answers names for the first time; only what has the same form can be bound."""
        if isinstance(recorded, list) and isinstance(live, list):
            for one, other in zip(recorded, live, strict=False):
                self.learn(one, other)
        elif isinstance(recorded, dict) and isinstance(live, dict):
            for name in recorded.keys() & live.keys():
                self._learn_field(name, recorded[name], live[name])
            if recorded.get("key") in self.generated and isinstance(recorded.get("value"), str):
                self.bind("generated", recorded["value"], str(live.get("value")))
        elif isinstance(recorded, str) and isinstance(live, str):
            one, other = ID.fullmatch(recorded), ID.fullmatch(live)
            if one and other and one[1][:3] == other[1][:3] and one[2] == other[2]:
                self.bind("id", one[1], other[1])

    def _learn_field(self, name: str, recorded: object, live: object) -> None:
        sort = {"cursor": "cursor", "slug": "slug", "databaseName": "database", "ownerId": "owner"}.get(name)
        if name == "owner" and isinstance(recorded, dict) and isinstance(live, dict):
            self.bind("owner", str(recorded.get("id")), str(live.get("id")))
        elif sort and isinstance(recorded, str) and isinstance(live, str):
            self.bind(sort, recorded, live)
        else:
            self.learn(recorded, live)


def compare(names: Names, recorded: Answer, live: Answer) -> list[Difference]:
    """Compare two answers, learning the live names that the new one brings."""
    found = []
    if recorded.status != live.status:
        found.append(Difference("status", recorded.status, f"{live.status} {live.body[:120]}"))
    for header in ("Ratelimit-Limit", "Content-Type"):
        # The oldest recordings carry a limit twice, one for each of two stacked limiters: equal values are one.
        one, other = (sorted(set(side.headers.get(header.lower(), []))) for side in (recorded, live))
        if one != other:
            found.append(Difference(header, one, other))
    if bool(recorded.body.strip()) != bool(live.body.strip()):
        return [*found, Difference("body", recorded.body, live.body)]
    if not recorded.body.strip():
        return found
    try:
        one, other = json.loads(recorded.body), json.loads(live.body)
    except ValueError:
        return found if recorded.body == live.body else [*found, Difference("body", recorded.body, live.body)]
    names.learn(one, other)
    comparison = _Comparison(names)
    comparison.values("", one, other)
    return found + comparison.found


class _Comparison:
    """A recorded JSON value beside a live one."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.found: list[Difference] = []

    def values(self, path: str, recorded: Any, live: Any) -> None:
        """Compare two values."""
        if type(recorded) is not type(live):
            self.found.append(Difference(path, recorded, live))
        elif isinstance(recorded, dict):
            self.objects(path, recorded, live)
        elif isinstance(recorded, list):
            self.lists(path, recorded, live)
        elif not self.alike(path, recorded, live):
            self.found.append(Difference(path, recorded, live))

    def objects(self, path: str, recorded: dict[str, Any], live: dict[str, Any]) -> None:
        """Compare two objects key by key."""
        prefix = str(recorded.get("id", ""))[:3]
        for key in sorted(recorded.keys() | live.keys()):
            one, other = recorded.get(key, ABSENT), live.get(key, ABSENT)
            where = f"{path}.{key}"
            later = one is ABSENT and key in LATER_KEYS.get(prefix, ())
            unset = {one, other} <= {None, ABSENT} if key in NULL_OR_ABSENT.get(prefix, ()) else False
            if later or unset:
                continue
            if key == "value" and recorded.get("key") in self.names.generated and isinstance(one, str):
                if not _generated(self.names, one, str(other)):
                    self.found.append(Difference(where, one, other))
                continue
            self.values(where, one, other)

    def lists(self, path: str, recorded: list[Any], live: list[Any]) -> None:
        """Compare two lists item by item, and the cursors of items with the items' ids."""
        if len(recorded) != len(live):
            self.found.append(Difference(path or "items", recorded, live))
            return
        for index, (one, other) in enumerate(zip(recorded, live, strict=True)):
            self.values(f"{path}[{index}]", one, other)
            if isinstance(other, dict) and "cursor" in other and not _names_its_item(other):
                self.found.append(Difference(f"{path}[{index}].cursor", "the end of the item's id", other["cursor"]))

    def alike(self, path: str, recorded: object, live: object) -> bool:
        """Tell whether two plain values agree."""
        if recorded == live:
            return True
        if not isinstance(recorded, str) or not isinstance(live, str):
            return False
        if self.names.translate(recorded) == live:
            return True
        form = _form(path)
        return form is not None and form(self.names, recorded, live)


Form = Callable[[Names, str, str], bool]


def _form(path: str) -> Form | None:
    """Find the rule for the field at the end of a path; None where only equal values will do."""
    *parents, name = re.sub(r"\[\d+\]", "", path).split(".")
    parent = parents[-1] if parents else ""
    if parent == "commit":
        return COMMIT.get(name)
    if parent == "owner":
        return OWNER.get(name)
    return _time if name.endswith("At") else FORMS.get(name)


def _time(_names: Names, recorded: str, live: str) -> bool:
    """RFC 3339 in UTC, no zeros at the end; more than six digits only where the recording has more than six."""
    one, other = TIME.fullmatch(recorded), TIME.fullmatch(live)
    if one is None or other is None:
        return False
    return len(other[1] or "") <= MICROSECOND_DIGITS or len(one[1] or "") > MICROSECOND_DIGITS


def _cursor(names: Names, recorded: str, live: str) -> bool:
    return _cursor_tail(live) is not None and names.live("cursor", recorded) == live


def _cursor_tail(cursor: object) -> str | None:
    """Read the 16 characters of the item's id out of a cursor; None when it is none."""
    try:
        raw = base64.b64decode(str(cursor).encode(), altchars=b"-_", validate=True)
        tail = raw[CURSOR_HEAD:].decode()
    except (binascii.Error, UnicodeError):
        return None
    return tail if len(raw) == CURSOR_BYTES and re.fullmatch("[0-9a-v]{12,16}(-[a-z])?", tail) else None


def _names_its_item(line: dict[str, Any]) -> bool:
    ids = [item["id"] for item in line.values() if isinstance(item, dict) and ID.fullmatch(str(item.get("id")))]
    return all(key.endswith(str(_cursor_tail(line["cursor"]))) for key in ids)


def _slug(names: Names, recorded: str, live: str) -> bool:
    """The random suffix of a slug differs; whether there is one does not."""
    one, other = SUFFIXED_SLUG.fullmatch(recorded), SUFFIXED_SLUG.fullmatch(live)
    return bool(one and other and one[1] == other[1]) and names.live("slug", recorded) == live


def _database(names: Names, recorded: str, live: str) -> bool:
    """The random suffix of a database's name differs."""
    one, other = SUFFIXED_DATABASE.fullmatch(recorded), SUFFIXED_DATABASE.fullmatch(live)
    return bool(one and other and one[1] == other[1]) and names.live("database", recorded) == live


def _with_database(names: Names, recorded: str, live: str) -> bool:
    """A text made of ids, the database's name, a password that the recorder blotted out, and hosts."""
    text = names.translate(recorded)
    for (sort, one), other in names.bound.items():
        if sort == "database":
            text = text.replace(one, other)
    for pattern, production in PRODUCTION:
        text = pattern.sub(production, text)
    return re.fullmatch(re.escape(text).replace(REDACTED, RANDOM_TEXT), live) is not None


def _dashboard(names: Names, recorded: str, live: str) -> bool:
    """The host is that of the environment; the path is the kind and the id."""
    text = names.translate(recorded)
    for pattern, production in PRODUCTION:
        text = pattern.sub(production, text)
    return text == live


def _url(names: Names, recorded: str, live: str) -> bool:
    """Made of the slug: `https://<slug>.<domain>`, or `<slug>:<port>` without a scheme inside the network."""
    if "://" not in recorded:
        slug, _, port = recorded.partition(":")
        return live == f"{names.live('slug', slug)}:{port}"
    slug = (urlsplit(recorded).hostname or "").split(".")[0]
    return recorded.startswith("https://") and live == f"https://{names.live('slug', slug)}.onrender.com"


def _ssh(_names: Names, recorded: str, live: str) -> bool:
    """The recorder took it for an e-mail address and blotted it out."""
    return "@" in recorded and re.fullmatch(r"srv-[0-9a-v]{20}@ssh\.[a-z]+\.render\.com", live) is not None


def _owner(names: Names, recorded: str, live: str) -> bool:
    """The recorder replaced the workspace's id in requests, not in all answers: a real id may stand for it."""
    return recorded.startswith(("tea-", "own-", "usr-")) and names.live("owner", recorded) == live


def _generated(names: Names, recorded: str, live: str) -> bool:
    """Base64 of 32 random bytes, and from then on always the same."""
    try:
        size = len(base64.b64decode(live, validate=True))
    except (binascii.Error, ValueError):
        return False
    return size == GENERATED_BYTES and names.live("generated", recorded) == live


def _address(_names: Names, recorded: str, live: str) -> bool:
    """One of Render's own addresses; which one depends on who asked before."""
    try:
        return ipaddress.ip_address(recorded).version == ipaddress.ip_address(live).version
    except ValueError:
        return False


def _matching(pattern: str) -> Form:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda _names, recorded, live: bool(compiled.fullmatch(recorded) and compiled.fullmatch(live))


FORMS: dict[str, Form] = {
    "cursor": _cursor,
    "slug": _slug,
    "databaseName": _database,
    "databaseUser": _with_database,  # by value, but for the database's suffix in a derived one
    "password": _with_database,
    "externalConnectionString": _with_database,
    "internalConnectionString": _with_database,
    "externalConnectionPoolString": _with_database,
    "internalConnectionPoolString": _with_database,
    "psqlCommand": _with_database,
    "cliCommand": _with_database,
    "redisCLICommand": _with_database,
    "dashboardUrl": _dashboard,
    "url": _url,
    "sshAddress": _ssh,
    "ownerId": _owner,
    "sha": _matching("sha256:[0-9a-f]{64}"),
    "ips": _address,
    "secret": _matching("(whsec_[A-Za-z0-9+/]{32})?"),  # empty on a developer's machine
}
# The newest commit of a branch is not what it was when it was recorded.
COMMIT: dict[str, Form] = {"id": _matching("[0-9a-f]{40}"), "message": _matching(".+"), "createdAt": _time}
# Whose workspace it was; the recorder blotted out the e-mail.
OWNER: dict[str, Form] = {"id": _owner, "name": _matching(".+"), "email": _matching(r"[^@\s]+@[^@\s]+")}
