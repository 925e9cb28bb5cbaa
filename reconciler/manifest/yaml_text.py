"""Turns YAML text into plain JSON with the line of every field, within bounds; it knows no document's fields.

A loader of its own, over the parser's events, because none of the stock ones does all of this: duplicate keys are
refused (naming both lines), aliases are expanded only up to a limit, nesting is bounded, tags are refused, and
scalars stay what the author wrote: dates, times and `0123` are text, an env value `1.10` keeps its zero.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import yaml

from reconciler.core.blueprint.spots import at, capped, described
from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.values import Json

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_NODES = 50_000
"""Values in a document, after its aliases are expanded."""
MAX_DEPTH = 40
PATH_SHOWN_MAX = 80
MAX_DIGITS = 18
"""A longer number is text: neither JSON nor Postgres keeps it exact."""

Path = tuple[str | int, ...]
Verbatim = Callable[[Path], bool]
"""Says of a field whether numbers and booleans in it stay text, as written."""

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"yes|Yes|YES|true|True|TRUE|on|On|ON")
_FALSE = re.compile(r"no|No|NO|false|False|FALSE|off|Off|OFF")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PLAIN_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
MERGE = "<<"
_UNSTORABLE = "holds a character that no text can hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One document: its value, the line it begins at, and the line of every field by path. Lines count from 1."""

    value: Json
    line: int
    lines: dict[str, int]


@dataclass(slots=True)
class _Node:
    """A value as written; aliases share the node they name."""

    line: int
    scalar: str = ""
    plain: bool = False
    items: "list[_Node] | None" = None
    entries: "list[tuple[str, int, _Node]] | None" = None


def _line(event: yaml.Event) -> int:
    """Answer the line an event begins on; every event of the parser has its marks."""
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _index(mark: "yaml.error.Mark | yaml._yaml.Mark | None") -> int:
    return mark.index if mark is not None else 0


class _Stop(Exception):
    """Ends the reading of a file at a problem after which nothing sensible follows."""


@dataclass(slots=True)
class _Reading:
    file: str
    text: str
    verbatim: Verbatim
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, message: str, *, path: str = "", value: str = "", remedy: str = "") -> None:
        self.problems.append(
            Problem(path=path or "YAML", message=message, value=value, remedy=remedy, file=self.file, line=line)
        )

    def stop(self, line: int, message: str, *, path: str = "", remedy: str = "") -> _Stop:
        """Make the problem that ends the reading; it comes first, whatever else was found."""
        self.problem(line, message, path=path, remedy=remedy)
        self.problems.insert(0, self.problems.pop())
        return _Stop()


def parse_all(text: str, *, file: str, verbatim: Verbatim = lambda path: False) -> list[Parsed]:
    """Read every document of a text; empty ones are left out. Raises Invalid with file, line and remedy."""
    reading = _Reading(file, text, verbatim)
    documents: list[Parsed] = []
    try:
        if len(text) > MAX_FILE_BYTES or len(text.encode()) > MAX_FILE_BYTES:
            raise reading.stop(1, f"the file is larger than {MAX_FILE_BYTES} bytes", remedy="split it")
        documents.extend(_documents(reading))
    except _Stop:
        pass
    except (yaml.YAMLError, UnicodeError) as error:
        _syntax(reading, error)
    if reading.problems:
        raise Invalid(capped(reading.problems))
    return documents


def _documents(reading: _Reading) -> Iterator[Parsed]:
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    composer = _Composer(reading, yaml.parse(reading.text, Loader=loader))
    for node in composer.documents():
        expander = _Expander(reading)
        value = expander.value(node, (), "", 0)
        if value is not None:
            yield Parsed(value=value, line=node.line, lines=expander.lines)


def _syntax(reading: _Reading, error: Exception) -> None:
    """Report what the parser refused, with the line it stands on."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark is not None else 1
    position = getattr(error, "position", None)
    if mark is None and isinstance(position, int):
        line = reading.text.count("\n", 0, position) + 1
    lines = reading.text.splitlines()
    excerpt = lines[min(line, len(lines)) - 1] if lines else ""
    message = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable as YAML")
    remedy = "check the indentation and the quotes on this line and the one above"
    if "\t" in excerpt[: len(excerpt) - len(excerpt.lstrip())]:
        remedy = "indent with blanks: YAML forbids tabs"
    elif mark is None:
        remedy = "remove the control character"
    reading.problem(line, f"is not valid YAML: {message}", value=described(excerpt.strip()), remedy=remedy)


# ---------------------------------------------------------------- events -> nodes


@dataclass(slots=True)
class _Composer:
    """Builds nodes from events, each anchor once; depth and size are bounded while it reads."""

    reading: _Reading
    events: Iterator[yaml.Event]
    anchors: dict[str, _Node | None] = field(default_factory=dict)
    begin: int = 0
    count: int = 0

    def documents(self) -> Iterator[_Node]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.begin, self.anchors, self.count = _index(event.start_mark), {}, 0
                yield self.node(next(self.events), "", 0)

    def node(self, event: yaml.Event, path: str, depth: int) -> _Node:
        """Compose the value that begins with this event."""
        line = _line(event)
        self._bounds(event, path, depth, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), path, line)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self.anchors[anchor] = None
        node = self._fresh(event, path, depth, line)
        if anchor:
            self.anchors[anchor] = node
        return node

    def _bounds(self, event: yaml.Event, path: str, depth: int, line: int) -> None:
        self.count += 1
        if self.count > 2 * MAX_NODES:  # a key and a value each
            raise self.reading.stop(line, f"has more than {MAX_NODES} values", path=path[:PATH_SHOWN_MAX])
        if depth > MAX_DEPTH:
            raise self.reading.stop(line, f"is nested deeper than {MAX_DEPTH} levels", path=path[:PATH_SHOWN_MAX])
        if _index(event.end_mark) - self.begin > MAX_DOCUMENT_BYTES:
            message = f"the document is larger than {MAX_DOCUMENT_BYTES} bytes"
            raise self.reading.stop(line, message, remedy="a document describes one Blueprint or one tenant: split it")
        if getattr(event, "tag", None) not in _PLAIN_TAGS:
            tag = shown(str(getattr(event, "tag", "")))
            self.reading.problem(line, f"has the tag {tag}", path=path, remedy="remove the tag: plain values only")

    def _alias(self, anchor: str, path: str, line: int) -> _Node:
        if anchor not in self.anchors:
            raise self.reading.stop(line, f"names the anchor {shown(anchor)}, which nothing above defines", path=path)
        node = self.anchors[anchor]
        if node is None:
            raise self.reading.stop(line, f"the anchor {shown(anchor)} contains itself", path=path)
        return node

    def _fresh(self, event: yaml.Event, path: str, depth: int, line: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.style in (None, "")
            return _Node(line, scalar=event.value, plain=plain)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[_Node] = []
            while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
                items.append(self.node(inner, at(path, len(items)), depth + 1))
            return _Node(line, items=items)
        return _Node(line, entries=self._entries(path, depth, line))

    def _entries(self, path: str, depth: int, line: int) -> list[tuple[str, int, _Node]]:
        entries: list[tuple[str, int, _Node]] = []
        seen: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = self.node(event, path, depth + 1)
            if name.items is not None or name.entries is not None:
                raise self.reading.stop(name.line, "has a key that is no text", path=path, remedy="write a word")
            key = name.scalar
            here = at(path, key)
            line = _line(event)
            if _unstorable(key):
                self.reading.problem(line, _UNSTORABLE, path=here, remedy="remove it")
            if key in seen:
                message = f"stands twice, on lines {seen[key]} and {line}"
                self.reading.problem(line, message, path=here, remedy="keep one of the two, or merge them")
            seen[key] = line
            entries.append((key, line, self.node(next(self.events), here, depth + 1)))
        return entries


# ---------------------------------------------------------------- nodes -> JSON


@dataclass(slots=True)
class _Expander:
    """Expands nodes into JSON, counting every value, so that aliases cannot multiply without end."""

    reading: _Reading
    lines: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def value(self, node: _Node, path: Path, where: str, depth: int) -> Json:
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            message = f"has more than {MAX_NODES} values or {MAX_DEPTH} levels once its aliases are expanded"
            raise self.reading.stop(node.line, message, path=where[:PATH_SHOWN_MAX], remedy="write less with aliases")
        if node.items is not None:
            return [self._item(one, path, where, index, depth) for index, one in enumerate(node.items)]
        if node.entries is not None:
            return self._mapping(node, path, where, depth)
        return self._scalar(node, path, where)

    def _item(self, node: _Node, path: Path, where: str, index: int, depth: int) -> Json:
        here = at(where, index)
        self.lines[here] = node.line
        return self.value(node, (*path, index), here, depth + 1)

    def _mapping(self, node: _Node, path: Path, where: str, depth: int) -> dict[str, Json]:
        result: dict[str, Json] = {}
        entries = node.entries or []
        for key, line, one in entries:
            if key == MERGE:
                result = {**self._merged(one, path, where, line, depth), **result}
        for key, line, one in entries:
            if key != MERGE:
                here = at(where, key)
                self.lines[here] = line
                result[key] = self.value(one, (*path, key), here, depth + 1)
        return result

    def _merged(self, node: _Node, path: Path, where: str, line: int, depth: int) -> dict[str, Json]:
        """Expand the mapping, or the list of mappings, that `<<` merges in; the first of a list wins."""
        result: dict[str, Json] = {}
        for one in [node] if node.items is None else node.items:
            found = self.value(one, path, where, depth + 1)
            if isinstance(found, dict):
                result = {**found, **result}
            else:
                self.reading.problem(line, "`<<` merges mappings only", path=where)
        return result

    def _scalar(self, node: _Node, path: Path, where: str) -> Json:
        text = node.scalar
        if _unstorable(text):
            self.reading.problem(node.line, _UNSTORABLE, path=where, remedy="remove it")
        if not node.plain:
            return text
        if _NULL.fullmatch(text):
            return None
        return text if self.reading.verbatim(path) else _number_or_word(text)


def _number_or_word(text: str) -> Json:
    """Read a plain scalar as YAML 1.1 readers do, but only what JSON can hold without loss."""
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) <= MAX_DIGITS and math.isfinite(float(text)):
        return float(text)
    return text


def unfit(value: Json) -> Iterator[Problem]:
    """Find what JSON from elsewhere (HTTP) may hold and no document can: too much, too deep, unstorable text."""
    waiting: list[tuple[Json, str, int]] = [(value, "", 0)]
    count = 0
    while waiting:
        one, path, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            message = f"has more than {MAX_NODES} values or {MAX_DEPTH} levels"
            yield Problem(path=path[:PATH_SHOWN_MAX] or "document", message=message, remedy="write less")
            return
        inner: list[tuple[str | int, Json]] = []
        inner.extend(one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ())
        texts = [one] if isinstance(one, str) else [key for key, _ in inner if isinstance(key, str)]
        if any(_unstorable(text) for text in texts):
            yield Problem(path=path or "document", message=_UNSTORABLE, remedy="remove it")
        waiting.extend((child, at(path, step), depth + 1) for step, child in inner)
    size = len(json.dumps(value))
    if size > MAX_DOCUMENT_BYTES:
        remedy = f"at most {MAX_DOCUMENT_BYTES} bytes"
        yield Problem(path="document", message="is too large", value=f"{size} bytes", remedy=remedy)


def _unstorable(text: str) -> bool:
    """Say whether a text holds what neither JSON nor Postgres can: NUL, or half of a surrogate pair."""
    return "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)
