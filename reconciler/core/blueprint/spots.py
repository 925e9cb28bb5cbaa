"""Writes field paths and collects what is wrong at them; it knows no field of the language."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.core.errors import Problem, shown
from reconciler.core.kinds import Kind

KEY_SHOWN_MAX = 60
CHOICES_SHOWN_MAX = 25
PROBLEMS_MAX = 100
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_*@-]+")
_LOGIN = re.compile(r"//\S*@")
_LAST_STEP = re.compile(r'(\.?[A-Za-z0-9_*@-]+|\[\d+\]|\["(?:[^"\\]|\\.)*"\])$')


def at(path: str, step: str | int) -> str:
    """Extend a field path by a key or an index; a key that could be mistaken for syntax is quoted and escaped."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if _PLAIN_KEY.fullmatch(step):
        return f"{path}.{step}" if path else step
    return f"{path}[{json.dumps(step[:KEY_SHOWN_MAX])}]"


def parent(path: str) -> str:
    """Cut the last step off a field path; the root is the empty path."""
    return _LAST_STEP.sub("", path)


def described(value: object) -> str:
    """Show a scalar, and of anything larger only its sort: it may hold secrets."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return shown(json.dumps(value))
    return shown(without_login(value) if isinstance(value, str) else value)


def without_login(text: str) -> str:
    """Hide what stands before the @ of a URL: it may be a password."""
    return _LOGIN.sub("//***@", text)


def a(kind: Kind) -> str:
    """Write a kind with its article."""
    return f"an {kind}" if kind is Kind.ENV_GROUP else f"a {kind}"


def is_mapping(value: object) -> bool:
    """Say whether a value that should be a mapping is one: documents come from outside."""
    return isinstance(value, Mapping)


def nearest(word: str, known: Iterable[str]) -> str:
    """Write the remedy for an unknown word: the nearest spelling, else every word there is."""
    choices = list(known)
    folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower()[:KEY_SHOWN_MAX], folded, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{folded[close[0]]}"?'
    more = [f"and {len(choices) - CHOICES_SHOWN_MAX} more"] if len(choices) > CHOICES_SHOWN_MAX else []
    return f"use one of: {', '.join([*choices[:CHOICES_SHOWN_MAX], *more])}" if choices else "remove it"


def capped(problems: Iterable[Problem]) -> list[Problem]:
    """Keep the first hundred problems, each once: a hostile document must not make a message of its own size."""
    found = list(dict.fromkeys(problems))
    left = len(found) - PROBLEMS_MAX
    more = [Problem(path="document", message=f"has {left} more problems", remedy="mend these first")]
    return found[:PROBLEMS_MAX] + (more if left > 0 else [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A `fromService` as read, kept until every component is known; `sort` is the type the reference names."""

    path: str
    name: str
    sort: str
    env_var_key: str = ""


@dataclass(slots=True)
class Findings:
    """What one reading of a document found: problems refuse it, warnings do not."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Spot:
    """The place being read: its path, the kind of the component around it, and whether a patch is being read."""

    path: str
    findings: Findings
    kind: Kind = Kind.WEB
    patching: bool = False

    def at(self, step: str | int) -> "Spot":
        """Go one step deeper."""
        return replace(self, path=at(self.path, step))

    def of(self, kind: Kind) -> "Spot":
        """Say which kind of component is being read."""
        return replace(self, kind=kind)

    def problem(self, message: str, value: str = "", remedy: str = "") -> None:
        """Refuse what stands here."""
        self.findings.problems.append(Problem(path=self.path, message=message, value=value, remedy=remedy))

    def missing(self, remedy: str = "", alias: str = "") -> None:
        """Ask for the field that should stand here, unless it (or its older spelling) was refused already."""
        paths = (self.path, at(parent(self.path), alias) if alias else self.path)
        if not any(problem.path in paths for problem in self.findings.problems):
            self.problem("is required", remedy=remedy)

    def warn(self, message: str, remedy: str = "") -> None:
        """Say that what stands here has no effect. A patch has nobody to warn: there it is refused."""
        if self.patching:
            self.problem(message, remedy=remedy or "remove it")
        else:
            self.findings.warnings.append(Problem(path=self.path, message=message, remedy=remedy))
