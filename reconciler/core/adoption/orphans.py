"""Finds objects that carry our marks and are nobody's: in a tenant's project, or named for a tenant unknown here.

Render has no labels. Our marks are a place in an environment that a tenant has, and a name that a Blueprint's naming
makes for a tenant, inside a project of that tenant's name.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from reconciler.core import blueprint as language
from reconciler.core.errors import Invalid
from reconciler.core.kinds import GROUPING, Kind
from reconciler.core.observed import Observed
from reconciler.core.spec import BlueprintSpec

SLUG = r"(?P<tenant>[a-z][a-z0-9-]{0,37}[a-z0-9])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How one Blueprint names its objects: a pattern that tells the tenant, and the kinds of its components."""

    pattern: re.Pattern[str]
    kinds: Mapping[str, frozenset[Kind]]
    project: bool

    def tenant(self, one: Observed) -> str:
        """Answer for whom an object is named, empty when its name or kind is none of this Blueprint's."""
        found = self.pattern.fullmatch(one.name)
        if found is None or one.kind not in self.kinds.get(found["component"], ()):
            return ""
        return found["tenant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An environment with its project's name, and the tenant that has it (empty: nobody)."""

    project: str
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """One object that nobody owns; `tenant` is whose project it lies in, or for whom it was named."""

    observed: Observed
    project: str
    tenant: str
    why: str


def marks_of(spec: BlueprintSpec) -> Marks | None:
    """Read off a Blueprint how its objects are named; None when its template cannot be read any more."""
    kinds: dict[str, set[Kind]] = {}
    try:
        for environment in language.environments(spec.template) or ("",):
            for key, one in language.normalise(spec.template, environment=environment).components.items():
                kinds.setdefault(key, set()).add(one.kind)
    except Invalid:
        return None
    known = "|".join(re.escape(key) for key in sorted(kinds, key=len, reverse=True))
    pattern = re.escape(spec.naming).replace(r"\{component\}", f"(?P<component>{known})", 1)
    pattern = pattern.replace(r"\{tenant\}", SLUG, 1)
    rest = pattern.replace(r"\{component\}", "(?P=component)").replace(r"\{tenant\}", "(?P=tenant)")
    return Marks(
        pattern=re.compile(rest), kinds={key: frozenset(found) for key, found in kinds.items()}, project=spec.project
    )


def find(
    strangers: Iterable[Observed],
    homes: Mapping[str, Home],
    marks: Collection[Marks],
    tenants: Collection[str],
    purged: Collection[str] = (),
) -> tuple[Orphan, ...]:
    """Sort out, among live objects that nobody owns, those that carry our marks.

    `homes` are environments by id, `tenants` those that have a record, `purged` those that left a tombstone only.
    """
    found: list[Orphan] = []
    for one in strangers:
        if one.kind in GROUPING:
            continue
        home = homes.get(one.environment_id or "")
        if home is not None and home.tenant:
            why = f"lies in the project of {home.tenant}, whose spec does not want it"
            found.append(Orphan(observed=one, project=home.project, tenant=home.tenant, why=why))
            continue
        tenant = _made_for(one, home, marks, purged)
        if tenant and tenant not in tenants:
            word = "was purged or forgotten" if tenant in purged else "has no record here"
            project = home.project if home is not None else ""
            why = f"is named as for tenant {tenant}, who {word}"
            found.append(Orphan(observed=one, project=project, tenant=tenant, why=why))
    return tuple(sorted(found, key=lambda one: (one.tenant, one.observed.kind, one.observed.name, one.observed.id)))


def _made_for(one: Observed, home: Home | None, marks: Collection[Marks], purged: Collection[str]) -> str:
    """Answer for whom an object was made: a name alone proves nothing without its project, or a tombstone."""
    for each in marks:
        tenant = each.tenant(one)
        if tenant and (home.project == tenant if home is not None and each.project else tenant in purged):
            return tenant
    return ""


def holds_data(one: Observed) -> bool:
    """Say whether deleting a live object loses data: Postgres, a persistent Key Value, a disk."""
    if one.kind is Kind.KEY_VALUE:
        return one.fields.get("persistenceMode") != "off" and one.fields.get("plan") != "free"
    return one.kind is Kind.POSTGRES or bool(one.fields.get("disk"))
