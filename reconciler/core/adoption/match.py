"""Finds the live objects that a tenant's stack already consists of, by name, project membership or a person's word.

It claims nothing that another tenant holds, and where two objects would do it takes neither: a person decides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.inventory import Owned
from reconciler.core.kinds import ENVIRONMENT, GROUPING, PROJECT, SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.core.stack import Resource, Stack


class Standing(StrEnum):
    """How a component of a stack stands among the live objects."""

    OWNED = "owned"
    FOUND = "found"
    MISSING = "missing"
    GONE = "gone"
    AMBIGUOUS = "ambiguous"
    ELSEWHERE = "elsewhere"
    TAKEN = "taken"
    OURSELVES = "operator"


UNSURE = frozenset({Standing.AMBIGUOUS, Standing.ELSEWHERE, Standing.TAKEN, Standing.OURSELVES, Standing.GONE})
"""Standings that a person has to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One component with the object it is, or those it could be; `note` says what a person should know."""

    component: str
    kind: Kind
    name: str
    standing: Standing
    found: Observed | None = None
    others: tuple[Observed, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose object it is by an inventory row."""

    tenant: str
    component: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything live in the workspace at one moment, who holds what, and which objects are the operator itself."""

    objects: Mapping[str, Observed]
    holders: Mapping[str, Holder]
    ourselves: frozenset[str] = frozenset()
    _named: dict[tuple[Kind, str], list[Observed]] = field(default_factory=dict, init=False)
    _members: dict[str, list[Observed]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Sort objects by name and by environment, so that a fleet is matched in one walk."""
        for id in sorted(self.objects):
            one = self.objects[id]
            self._named.setdefault((one.kind, one.name), []).append(one)
            home = str(one.fields.get("projectId") or "") if one.kind is Kind.ENVIRONMENT else one.environment_id
            if home:
                self._members.setdefault(home, []).append(one)

    def named(self, kind: Kind, name: str) -> Sequence[Observed]:
        """Answer the objects of a kind with this name."""
        return self._named.get((kind, name), ())

    def members(self, id: str) -> Sequence[Observed]:
        """Answer what lies in an environment, or the environments of a project."""
        return self._members.get(id, ())

    def chosen(self, kind: Kind, word: str) -> Sequence[Observed]:
        """Answer the object that a person names by id or by name."""
        one = self.objects.get(word)
        return (one,) if one is not None else self.named(kind, word)

    def free(self, one: Observed, tenant: str) -> bool:
        """Say whether nobody but this tenant holds an object, and it is not the operator."""
        holder = self.holders.get(one.id)
        return one.id not in self.ourselves and (holder is None or holder.tenant == tenant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A whole stack matched: every component, and what else lies in its environment that nobody holds."""

    matches: Mapping[str, Match]
    strays: tuple[Observed, ...] = ()

    @property
    def found(self) -> dict[str, Observed]:
        """Answer what can be taken: objects found and not yet held."""
        return {key: one.found for key, one in self.matches.items() if one.standing is Standing.FOUND and one.found}


@dataclass(slots=True)
class _Matching:
    """The work of matching one stack."""

    stack: Stack
    picture: Picture
    owned: Mapping[str, Owned]
    chosen: Mapping[str, str]
    wide: bool
    home: Observed | None = None
    matches: dict[str, Match] = field(default_factory=dict)

    def note(
        self, one: Resource, standing: Standing, found: Observed | None = None, others: Iterable[Observed] = (),
        note: str = "",
    ) -> None:  # fmt: skip
        """Write down how a component stands."""
        self.matches[one.component] = Match(
            component=one.component,
            kind=one.kind,
            name=one.name,
            standing=standing,
            found=found,
            others=tuple(others),
            note=note,
        )

    def candidates(self, one: Resource) -> Sequence[Observed]:
        """Answer the objects a component could be, by a person's word or by name."""
        word = self.chosen.get(one.component)
        return self.picture.named(one.kind, one.name) if word is None else self.picture.chosen(one.kind, word)

    def claimed(self) -> set[str]:
        """Answer the ids already given to a component."""
        return {one.found.id for one in self.matches.values() if one.found is not None}


def match_stack(
    stack: Stack,
    picture: Picture,
    owned: Mapping[str, Owned],
    *,
    chosen: Mapping[str, str] | None = None,
    wide: bool = False,
) -> Matched:
    """Match every component of a stack. `chosen` maps components to an id or a live name, as a person said.

    `wide` also takes what lies outside the stack's environment if its name alone is proof, and objects of other names
    that can only be the one component left: for a person who looks at the answer, never for a whole fleet.
    """
    work = _Matching(stack, picture, owned, chosen or {}, wide)
    parts = [one for one in stack.resources.values() if one.kind not in GROUPING]
    grouped = PROJECT in stack.resources
    work.home = _home(work, parts) if grouped else None
    for one in parts:
        _match(work, one, grouped=grouped)
    if wide and work.home is not None:
        _by_membership(work, parts)
    if grouped:
        _match_grouping(work)
    return Matched(matches={key: work.matches[key] for key in stack.resources}, strays=_strays(work))


def _home(work: _Matching, parts: Sequence[Resource]) -> Observed | None:
    """Find the environment of the stack: ours already, a person's choice, or where most of its names lie."""
    picture = work.picture
    row = work.owned.get(ENVIRONMENT)
    if row is not None:
        return picture.objects.get(row.id)
    word = work.chosen.get(ENVIRONMENT)
    if word is not None:
        return next(iter(picture.chosen(Kind.ENVIRONMENT, word)), None)
    projects = _projects(work)
    inside = [home for project in projects for home in picture.members(project.id)]
    votes = Counter(
        other.environment_id
        for one in parts
        for other in work.candidates(one)
        if other.environment_id and picture.free(other, work.stack.tenant)
    )
    if PROJECT in work.chosen or any(votes[home.id] for home in inside):
        votes = Counter({home.id: votes[home.id] for home in inside})
    elif len(projects) == 1 and not votes:
        votes = Counter({home.id: 1 for home in inside})
    best = votes.most_common(2)
    if not best or (len(best) > 1 and best[0][1] == best[1][1]):
        return None
    home = picture.objects.get(str(best[0][0]))
    return home if home is not None and picture.free(home, work.stack.tenant) else None


def _projects(work: _Matching) -> Sequence[Observed]:
    row = work.owned.get(PROJECT)
    if row is not None:
        known = work.picture.objects.get(row.id)
        return () if known is None else (known,)
    word = work.chosen.get(PROJECT)
    if word is not None:
        return work.picture.chosen(Kind.PROJECT, word)
    return work.picture.named(Kind.PROJECT, work.stack.resources[PROJECT].name)


def _owned(work: _Matching, one: Resource) -> bool:
    """Note a component that has an inventory row already."""
    row = work.owned.get(one.component)
    if row is None:
        return False
    live = work.picture.objects.get(row.id)
    if live is None:
        work.note(one, Standing.GONE, note=f"{row.id} is in the inventory and not at Render")
    else:
        work.note(one, Standing.OWNED, live)
    return True


def _match(work: _Matching, one: Resource, *, grouped: bool) -> None:
    """Match one component that is no project and no environment."""
    if _owned(work, one):
        return
    picture, said = work.picture, one.component in work.chosen
    every = work.candidates(one)
    if said and len(every) == 1 and every[0].kind is not one.kind:
        work.note(one, Standing.AMBIGUOUS, others=every, note=f"{every[0].id} is a {every[0].kind}")
        return
    free = [other for other in every if picture.free(other, work.stack.tenant) and other.kind is one.kind]
    if every and not free:
        _refuse(work, one, every)
        return
    home = work.home.id if work.home is not None else ""
    inside = [other for other in free if other.environment_id == home] if grouped and home else []
    here = inside or (free if said or work.wide or not grouped else [])
    if len(here) == 1:
        work.note(one, Standing.FOUND, here[0], note="" if inside or not grouped else "lies outside the project")
    elif here:
        work.note(one, Standing.AMBIGUOUS, others=here, note=f"{len(here)} objects have this name")
    elif free:
        work.note(one, Standing.ELSEWHERE, others=free, note="has the name, but lies outside the tenant's project")
    else:
        work.note(one, Standing.MISSING, note=_same_name(work, one))


def _refuse(work: _Matching, one: Resource, every: Sequence[Observed]) -> None:
    """Note that whoever bears the name is somebody's already."""
    if any(other.id in work.picture.ourselves for other in every):
        work.note(one, Standing.OURSELVES, others=every, note="is the operator itself")
        return
    holder = next((held for other in every if (held := work.picture.holders.get(other.id)) is not None), None)
    text = f"belongs to {holder.tenant} as its {holder.component}" if holder else ""
    work.note(one, Standing.TAKEN, others=every, note=text)


def _same_name(work: _Matching, one: Resource) -> str:
    """Say that a service of another kind bears the name: Render has one service of a name in a workspace."""
    kinds = SERVICES - {one.kind} if one.kind in SERVICES else frozenset[Kind]()
    other = next((found for kind in sorted(kinds) for found in work.picture.named(kind, one.name)), None)
    return f"{other.id} has the name and is a {other.kind}" if other is not None else ""


def _by_membership(work: _Matching, parts: Sequence[Resource]) -> None:
    """Give components that nothing bears the name of to what lies in the environment under another name."""
    assert work.home is not None, "asked only for a known environment"
    for by_name in (True, False):
        for one in parts:
            if work.matches[one.component].standing is not Standing.MISSING:
                continue
            claimed = work.claimed()
            left = [
                other
                for other in work.picture.members(work.home.id)
                if other.kind is one.kind and other.id not in claimed and work.picture.free(other, work.stack.tenant)
            ]
            rivals = [
                two
                for two in parts
                if two.kind is one.kind and work.matches[two.component].standing is Standing.MISSING
            ]
            fits = [other for other in left if other.name == one.component] if by_name else left
            if len(fits) == 1 and (by_name or len(rivals) == 1):
                work.note(one, Standing.FOUND, fits[0], note=f"by membership; keeps its name {fits[0].name}")


def _match_grouping(work: _Matching) -> None:
    """Match project and environment: those in which the stack lies."""
    home, picture = work.home, work.picture
    project = picture.objects.get(str(home.fields.get("projectId") or "")) if home is not None else None
    for key, found in ((PROJECT, project), (ENVIRONMENT, home)):
        one = work.stack.resources[key]
        if _owned(work, one):
            continue
        if found is None:
            others = _projects(work) if key == PROJECT else ()
            standing = Standing.AMBIGUOUS if len(others) > 1 else Standing.MISSING
            work.note(one, standing, others=others, note="several projects have this name" if others else "")
        elif not picture.free(found, work.stack.tenant):
            _refuse(work, one, [found])
        else:
            work.note(one, Standing.FOUND, found)


def _strays(work: _Matching) -> tuple[Observed, ...]:
    """Answer what lies in the stack's environment and is nobody's."""
    if work.home is None:
        return ()
    claimed = work.claimed()
    return tuple(
        one
        for one in work.picture.members(work.home.id)
        if one.id not in claimed and one.id not in work.picture.holders
    )
