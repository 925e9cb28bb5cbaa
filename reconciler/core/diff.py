"""Finds field-level differences between desired and live, of the fields we own only; it decides nothing about them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.actions import Change
from reconciler.core.errors import shown
from reconciler.core.inventory import Known
from reconciler.core.kinds import Kind
from reconciler.core.observed import Rule, canonical_allow_list, canonical_image, canonical_plan, canonical_repo
from reconciler.core.values import Json

ENV, FILE, FIELD, DOMAIN, HEADER, ROUTE = "env:", "file:", "field:", "domain:", "header:", "route:"
"""Prefixes of the names under which `Known.applied` remembers what a spec of ours put there."""

IMMUTABLE: Mapping[Kind, frozenset[str]] = {
    Kind.POSTGRES: frozenset({"region", "version", "databaseName", "databaseUser"}),
    Kind.KEY_VALUE: frozenset({"region"}),
    **dict.fromkeys((Kind.WEB, Kind.PRIVATE, Kind.WORKER, Kind.CRON), frozenset({"region"})),
}
"""Fields that no call of the API can change (Render API 3.2, 3.13.1, 3.14)."""
RENAMED_BY_RENDER = frozenset({"databaseName", "databaseUser"})
"""Render appends a suffix to the one and derives the other (3.13.3): only a changed spec is a difference."""
COMPARED_ELSEWHERE = frozenset({"disk", "autoscaling", "numInstances"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One owned scalar field that differs; `asked` says that the spec changed, not the live object."""

    field: str
    before: Json
    after: Json
    asked: bool

    def as_change(self) -> Change:
        """Answer the difference as people read it."""
        return Change(field=self.field, before=display(self.before), after=display(self.after), asked=self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChange:
    """The difference of a keyed set (env vars, files): what to put, what of ours to take away, what is foreign.

    `asked` names the keys whose desired value is not the one a spec of ours last put there.
    """

    put: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()


def display(value: Json) -> str:
    """Write a field's value for people: short, one line, safe to print."""
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value if value.isprintable() and len(value) <= 60 else shown(value)  # noqa: PLR2004 one screen column
    if isinstance(value, dict) and "min" in value and "max" in value:
        targets = [f"{word} {value[word]} %" for word in ("cpu", "memory") if value.get(word) is not None]
        return f"{value['min']} to {value['max']} at {', '.join(targets) or 'no target'}"
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return shown(", ".join(str(one) for one in value)).strip('"')
    return shown(json.dumps(value, sort_keys=True)).strip('"')


def applied_text(value: Json) -> str:
    """Write a desired value as `Known.applied` remembers it."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def canonical(kind: Kind, field: str, value: Json) -> Json:
    """Fold spellings that mean the same, so that equal things compare equal."""
    if value is None or value is False or value in ("", [], {}):
        return None  # absent, cleared, empty and switched off are one and the same in Render's answers
    if field == "plan":
        return canonical_plan(kind, str(value))
    if field == "imagePath":
        return canonical_image(str(value))
    if field == "ipAllowList":
        return canonical_allow_list(value)
    if field == "repo":
        return canonical_repo(str(value))
    if field == "readReplicas" and isinstance(value, list):
        return sorted((str(one.get("name") if isinstance(one, dict) else one) for one in value), key=str)
    if field == "registryCredential" and isinstance(value, dict):
        return value.get("name")
    return value


def _equal(kind: Kind, field: str, desired: Json, live: Json) -> bool:
    if isinstance(desired, dict) and isinstance(live, dict):
        return all(_equal(kind, f"{field}.{key}", value, live.get(key)) for key, value in desired.items())
    if isinstance(desired, dict) and live is None:
        return not any(value for value in desired.values())
    return canonical(kind, field, desired) == canonical(kind, field, live)


def field_changes(
    kind: Kind, fields: Mapping[str, Json], live: Mapping[str, Json], known: Known
) -> tuple[FieldChange, ...]:
    """Compare the scalar fields a spec names with the live ones, in order of their names."""
    changes: list[FieldChange] = []
    for name in sorted(fields):
        if name in COMPARED_ELSEWHERE:
            continue
        after = fields[name]
        remembered = known.applied.get(FIELD + name)
        asked = remembered != applied_text(after)
        if name in RENAMED_BY_RENDER:
            if remembered is not None and asked:
                changes.append(FieldChange(field=name, before=live.get(name), after=after, asked=True))
        elif not _equal(kind, name, after, live.get(name)):
            changes.append(FieldChange(field=name, before=live.get(name), after=after, asked=asked))
    return tuple(changes)


def single_change(name: str, after: Json, before: Json, known: Known) -> FieldChange | None:
    """Compare one field that has an endpoint of its own (numInstances, autoscaling, disk)."""
    if after == before:
        return None
    return FieldChange(
        field=name, before=before, after=after, asked=known.applied.get(FIELD + name) != applied_text(after)
    )


def set_change(prefix: str, desired: Mapping[str, str], live: Mapping[str, str], known: Known) -> SetChange:
    """Compare a keyed set by digests. What no spec of ours ever listed is foreign, and stays."""
    put = tuple(sorted(name for name, digest in desired.items() if live.get(name) != digest))
    extra = sorted(name for name in live if name not in desired)
    return SetChange(
        put=put,
        remove=tuple(name for name in extra if prefix + name in known.applied),
        foreign=tuple(name for name in extra if prefix + name not in known.applied),
        asked=frozenset(name for name in put if known.applied.get(prefix + name) != desired[name]),
    )


def rule_key(prefix: str, rule: Rule) -> str:
    """Name a header by path and name, a route by its source."""
    return f"{prefix}{rule[0]} {rule[1]}" if prefix == HEADER else f"{prefix}{rule[1]}"


def rule_target(
    prefix: str, desired: Sequence[Rule] | None, live: Sequence[Rule], known: Known, *, strict: bool
) -> tuple[Rule, ...]:
    """Answer the list that shall stand: ours in our order, then what is not ours (unless strict)."""
    ours = tuple(desired or ())
    keys = {rule_key(prefix, rule) for rule in ours}
    kept = [
        rule
        for rule in live
        if rule_key(prefix, rule) not in keys and rule_key(prefix, rule) not in known.applied and not strict
    ]
    return (*ours, *kept)
