"""Examines what of a live workspace a tenant's stack already is, and what would still differ; it writes nothing there.

`closely` reads everything of every object, so that the plan is the very one the next pass would make. `lightly` reads
no more than the variables that hold secrets: for a whole fleet, whose passes look closely by themselves.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.core import values
from reconciler.core.adoption.match import Holder, Matched, Picture, Standing, match_stack
from reconciler.core.adoption.rows import row_of
from reconciler.core.adoption.secrets import ReadBack, Texts, places, read_back
from reconciler.core.errors import Gone, Throttled
from reconciler.core.inventory import Owned
from reconciler.core.kinds import DATASTORES, Kind
from reconciler.core.observed import Detail, Observed
from reconciler.core.plan import Plan, make_plan
from reconciler.core.spec import DesiredState
from reconciler.core.stack import Stack
from reconciler.core.values import SecretRef, Sensitive
from reconciler.engine import desired as wanted
from reconciler.engine.options import Ports
from reconciler.engine.refresh import learned
from reconciler.engine.snapshot import SWEEPS
from reconciler.ports import Record

T = TypeVar("T")
OPERATORS_OWN = frozenset({"RECONCILER_ENCRYPTION_KEY", "RECONCILER_ENCRYPTION_KEY_FILE"})
"""Variables that only a service running an operator has: it must never become a tenant's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What adopting would own and what would still differ. `secrets` are those to keep, read out of Render."""

    record: Record
    stack: Stack | None = None
    matched: Matched = field(default_factory=lambda: Matched(matches={}))
    rows: Mapping[str, Owned] = field(default_factory=dict)
    secrets: Mapping[SecretRef, Sensitive] = field(default_factory=dict)
    split: Mapping[SecretRef, tuple[str, ...]] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)
    invalid: tuple[str, ...] = ()
    reads: int = 0
    """Objects whose variables were read."""

    @property
    def fits(self) -> bool:
        """Say whether nothing would be done at Render, and nothing waits for anybody."""
        return not self.invalid and self.plan.empty


async def patiently(ports: Ports, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again once a used-up budget of reads is full again, however often that takes."""
    while True:
        try:
            return await ask()
        except Throttled as full:
            await ports.clock.sleep(max(0.5, (full.until - ports.clock.now()).total_seconds()))


async def look(ports: Ports) -> tuple[Observed, ...]:
    """List everything in the workspace, and put it into the shared picture; absence is not concluded from it."""
    seen: dict[str, Observed] = {}
    for asked, _ in SWEEPS:
        projects = [one.id for one in seen.values() if one.kind is Kind.PROJECT] if asked is Kind.ENVIRONMENT else ()
        pages = ports.render.pages(asked, projects)
        while (page := await patiently(ports, pages.next)) is not None:
            await ports.store.observe(page, ports.clock.now())
            seen |= {one.id: one for one in page}
    return tuple(seen.values())


def picture_of(seen: Iterable[Observed], holders: Mapping[str, Holder], ourselves: Collection[str]) -> Picture:
    """Put what was seen, and whose it is, into one value."""
    return Picture({one.id: one for one in seen}, holders, frozenset(ourselves))


def _named(record: Record, stack: Stack, matched: Matched) -> Record:
    """Let the spec say the live names of objects that are taken under other names than the Blueprint would give."""
    assert record.tenant is not None, "a stack was compiled of it"
    names = {
        key: one.name
        for key, one in matched.found.items()
        if not key.startswith("@") and one.name != stack.resources[key].name
    }
    if not names:
        return record
    return replace(record, tenant=replace(record.tenant, names={**record.tenant.names, **names}))


def lacking(stack: Stack, record: Record) -> set[SecretRef]:
    """Name the secrets that the vault has not, or has only because somebody generated one that was never sent."""
    return {
        ref
        for ref, users in stack.secrets.items()
        if ref not in record.secrets or (ref in stack.generate and not any(user in record.owned for user in users))
    }


def _matched(
    record: Record, picture: Picture, chosen: Mapping[str, str], *, wide: bool
) -> tuple[Record, wanted.Desired, Matched]:
    """Compile, match, and compile again with the names and addresses that were found."""
    desired = wanted.compiled(record, record.owned)
    if desired.stack is None:
        return record, desired, Matched(matches={})
    matched = match_stack(desired.stack, picture, record.owned, chosen=chosen, wide=wide)
    named = _named(record, desired.stack, matched)
    return named, wanted.compiled(named, {**record.owned, **_rows(named, desired.stack, matched)}), matched


def _rows(record: Record, stack: Stack, matched: Matched) -> dict[str, Owned]:
    """Make the rows of what was found; `seen_at` of the observation dates them."""
    state = record.tenant.state if record.tenant is not None else DesiredState.RUNNING
    return {key: row_of(stack.resources[key], one, state, one.seen_at) for key, one in matched.found.items()}


async def closely(ports: Ports, record: Record, picture: Picture, chosen: Mapping[str, str]) -> Examined:
    """Examine one tenant to the last variable, as a person asked; `chosen` maps components to ids or live names."""
    named, desired, matched = _matched(record, picture, chosen, wide=True)
    if desired.stack is None:
        return Examined(record=named, invalid=desired.invalid)
    rows = _rows(named, desired.stack, matched)
    details = await _details(ports, rows)
    matched, rows = _without_ourselves(matched, rows, details)
    rows = {key: _learned(ports, desired.stack.tenant, row, details[key]) for key, row in rows.items()}
    owned = {**record.owned, **rows}
    desired.connection = {**desired.connection, **await _connections(ports, desired, owned)}
    env = {key: one.env for key, one in details.items() if one.env is not None}
    files = {key: one.files for key, one in details.items() if one.files is not None}
    desired, back = _with_secrets(named, desired, owned, env, files)
    strangers = await wanted.conflicts(ports, desired, owned)
    assert desired.stack is not None, "it was compiled a moment ago"
    for ref in desired.stack.generate:
        desired.secrets.setdefault(ref, Sensitive(f"generated:{desired.stack.tenant}:{ref.name}"))
    plan = make_plan(wanted.view_of(ports, named, desired, owned, strangers, {}))
    rows = {key: replace(row, known=plan.settled.get(key, row.known)) for key, row in rows.items()}
    return Examined(
        record=named,
        stack=desired.stack,
        matched=matched,
        rows=rows,
        secrets=back.found,
        split=back.split,
        plan=plan,
        reads=len(details),
    )


async def lightly(ports: Ports, record: Record, picture: Picture) -> Examined:
    """Examine one tenant of a fleet: matches by name and project, and the secrets that the vault has not."""
    named, desired, matched = _matched(record, picture, {}, wide=False)
    if desired.stack is None:
        return Examined(record=named, invalid=desired.invalid)
    rows = _rows(named, desired.stack, matched)
    owned = {**record.owned, **rows}
    env_of, files_of = places(desired.stack, lacking(desired.stack, record), owned)
    env: dict[str, Mapping[str, Sensitive]] = {}
    files: dict[str, Mapping[str, Sensitive]] = {}
    for key in sorted(env_of | files_of):
        row = owned[key]
        if key in files_of:
            detail = await ports.render.detail(row.kind, row.id)
            env[key], files[key] = detail.env or {}, detail.files or {}
        else:
            env[key] = await ports.render.variables(row.kind, row.id)
    desired.connection = {**desired.connection, **await _needed_for(ports, desired, owned, env_of)}
    desired, back = _with_secrets(named, desired, owned, env, files)
    return Examined(
        record=named,
        stack=desired.stack,
        matched=matched,
        rows=rows,
        secrets=back.found,
        split=back.split,
        reads=len(env_of | files_of),
    )


async def looked_at(ports: Ports, tenant: str, owned: Mapping[str, Owned]) -> dict[str, Owned]:
    """Answer the rows with what a pass would read first of objects that were taken over a moment ago; keeps nothing."""
    rows = {key: row for key, row in owned.items() if row.unchecked}
    details = await _details(ports, rows)
    return {**owned, **{key: _learned(ports, tenant, rows[key], detail) for key, detail in details.items()}}


def _with_secrets(
    record: Record, desired: wanted.Desired, owned: Mapping[str, Owned], env: Texts, files: Texts
) -> tuple[wanted.Desired, ReadBack]:
    """Read the lacking secrets back, and compile with them."""
    assert desired.stack is not None, "only a stack has secrets"
    back = read_back(desired.stack, env, files, desired.lookup(owned))
    wanting = lacking(desired.stack, record)
    kept = ReadBack(
        found={ref: text for ref, text in back.found.items() if ref in wanting},
        split={ref: users for ref, users in back.split.items() if ref in wanting},
    )
    fresh = wanted.compiled(replace(record, secrets={**record.secrets, **kept.found}), owned)
    fresh.connection = desired.connection
    return fresh, kept


async def _details(ports: Ports, rows: Mapping[str, Owned]) -> dict[str, Detail]:
    """Read what lists do not show, of every object that is still there."""
    details: dict[str, Detail] = {}
    for key, row in rows.items():
        try:
            details[key] = await ports.render.detail(row.kind, row.id)
        except Gone:
            ports.telemetry.problem("absent", component=key, id=row.id)
    return details


def _without_ourselves(
    matched: Matched, rows: Mapping[str, Owned], details: Mapping[str, Detail]
) -> tuple[Matched, dict[str, Owned]]:
    """Drop what turned out to run an operator, and what left while we looked."""
    matches = dict(matched.matches)
    for key in rows:
        detail = details.get(key)
        if detail is None:
            matches[key] = replace(matches[key], standing=Standing.MISSING, found=None)
        elif detail.env is not None and OPERATORS_OWN & detail.env.keys():
            note = "runs this operator, or another one"
            found = matches[key].found
            others = (found,) if found is not None else ()
            matches[key] = replace(
                matches[key], standing=Standing.OURSELVES, found=None, others=others, note=note
            )  # fmt: skip
    kept = replace(matched, matches=matches)
    return kept, {key: rows[key] for key in kept.found}


def _learned(ports: Ports, tenant: str, row: Owned, detail: Detail) -> Owned:
    known = learned(row, detail, tenant, ports, ports.clock.now())
    observed = row.observed
    if observed is not None and detail.fields:
        observed = replace(observed, fields={**observed.fields, **detail.fields})
    return replace(row, observed=observed, known=known)


async def _connections(
    ports: Ports, desired: wanted.Desired, owned: Mapping[str, Owned]
) -> dict[tuple[str, str], Sensitive]:
    """Read how to connect to the datastores that variables name, without keeping it: passes do."""
    components = {one.component for one in desired.needed() if one.attribute in values.SECRET_ATTRIBUTES}
    return await _connection_info(ports, desired, owned, components)


async def _needed_for(
    ports: Ports, desired: wanted.Desired, owned: Mapping[str, Owned], keys: Collection[str]
) -> dict[tuple[str, str], Sensitive]:
    """Read the same for variables in which a secret stands beside a connection's own."""
    assert desired.stack is not None, "only a stack has variables"
    components = {
        hole.component
        for key in keys
        for value in desired.stack.resources[key].env.values()
        if any(isinstance(part, SecretRef) for part in value)
        for hole in values.holes(value)
        if not isinstance(hole, SecretRef) and hole.attribute in values.SECRET_ATTRIBUTES
    }
    return await _connection_info(ports, desired, owned, components)


async def _connection_info(
    ports: Ports, desired: wanted.Desired, owned: Mapping[str, Owned], components: Collection[str]
) -> dict[tuple[str, str], Sensitive]:
    found: dict[tuple[str, str], Sensitive] = {}
    for component in sorted(components):
        row = owned.get(component)
        if row is not None and row.kind in DATASTORES and not any(key[0] == component for key in desired.connection):
            there = await ports.render.connection(row.kind, row.id)
            found |= {(component, attribute): text for attribute, text in there.items()}
    return found
