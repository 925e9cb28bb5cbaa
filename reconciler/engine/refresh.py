"""Looks closer where the shared picture is not enough: absence, deploys in progress, deep checks, connection info."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler.core import diff, resolve
from reconciler.core.errors import Gone, RenderError, Unavailable, shown
from reconciler.core.health import FINE
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import DATASTORES, SERVICES, SUSPENDABLE, Kind
from reconciler.core.observed import DeployState, Detail, Part
from reconciler.core.plan.outcome import dated
from reconciler.core.plan.view import LOOKS_TO_BE_GONE
from reconciler.core.values import SECRET_ATTRIBUTES, Live, Sensitive
from reconciler.engine import deploys, rotation
from reconciler.engine.options import Ports
from reconciler.ports import Claim, Record

Item = TypeVar("Item")
PROOFS_MAX = 3
"""How many of the parts that a list lacks are asked for by name: one that is there is enough to doubt the list."""
EVENTS_KEPT = timedelta(hours=24)
"""How far back a standing failure is looked for."""
PUSHED = frozenset({"new_commit", "deploy_hook"})
"""Triggers of deploys that nobody's change of settings stands behind (Render API 3.9)."""

EXPORT_SKEW = timedelta(minutes=1)
"""Render's clock and ours may differ by so much; no export of before the purge is as young."""


@dataclass(slots=True)
class Refreshed:
    """The inventory after looking, and which rows must be written back."""

    owned: dict[str, Owned]
    changed: set[str] = field(default_factory=set)

    def put(self, row: Owned) -> None:
        """Replace a row by what was seen."""
        self.owned[row.component] = row
        self.changed.add(row.component)


async def refresh(
    ports: Ports, claim: Claim, record: Record, stale: Iterable[str], *, deep: bool, alarmed: bool = False
) -> Refreshed:
    """Look closer at what needs it, and keep what was seen. Errors of single looks end the pass (they are retried).

    `deep`: a person asked, so look at everything by itself. `alarmed`: something is said to have happened, so look at
    what has events by itself, and ask whether a server failed.
    """
    result = Refreshed(owned=dict(record.owned))
    unsure = set(stale)
    for row in [*result.owned.values()] if deep else ():
        if row.known.heals or row.known.failed_writes:  # a person asked: what was given up is tried anew
            result.put(replace(row, known=replace(row.known, heals=(), failed_writes={})))
    for component in sorted(result.owned):
        row = result.owned[component]
        if row.absent_looks < LOOKS_TO_BE_GONE:
            await _refresh_one(ports, claim, result, row, unsure=component in unsure, deep=deep, alarmed=alarmed)
    for row in list(result.owned.values()):
        if deep and deploys.ended_badly(row):  # what failed is tried again, as status says it will be
            result.put(replace(row, known=replace(row.known, dirty=True)))
    for row in list(result.owned.values()):
        fresh = dated(row, ports.clock.now())
        if fresh is not row:
            result.put(fresh)
    if result.changed:
        await ports.store.save_owned(claim, [result.owned[key] for key in sorted(result.changed)])
    return result


async def _refresh_one(
    ports: Ports, claim: Claim, result: Refreshed, row: Owned, *, unsure: bool, deep: bool, alarmed: bool
) -> None:
    """Look closer at one object, as far as there is a reason to."""
    told = alarmed and row.kind in SUSPENDABLE  # only services and datastores have events
    if row.absent_looks or unsure or deep or told or _unsettled(row):
        await _look(ports, result, row)
    row = result.owned[row.component]
    if row.absent_looks:
        return
    foreign = row.kind in SERVICES and _watching(row) and await _look_deploy(ports, result, row)
    row = result.owned[row.component]
    if row.absent_looks:
        return
    due = rotation.due(ports, claim.tenant, row, asked=deep)
    now = unsure or foreign or due is rotation.Due.NOW
    if now or (due is rotation.Due.TURN and await rotation.granted(ports, row)):
        await _deep_check(ports, claim, result, row)
    elif row.kind in SERVICES and (row.known.failure or alarmed):
        failure = await _failure(ports, row)
        if failure != row.known.failure:
            result.put(replace(row, known=replace(row.known, failure=failure)))


def _unsettled(row: Owned) -> bool:
    """Say whether a row's state is on the move, so that the last list is too old for it."""
    observed, known = row.observed, row.known
    if observed is None:
        return True
    if row.kind in DATASTORES and not observed.suspenders and observed.status not in FINE:
        return True
    wanted = {"suspended": True, "running": False}.get(known.asked_state)
    return wanted is not None and bool(observed.suspenders) is not wanted and known.asked_state_at is not None


def _watching(row: Owned) -> bool:
    """Say whether a service's newest deploy may still move, or has moved without us."""
    deploy, observed = row.known.deploy, row.observed
    if observed is not None and observed.suspenders:
        return False
    if deploy is None or deploy.state is DeployState.PROGRESSING:
        return True
    live, seen = (observed.updated_at if observed else None), row.known.updated_at
    return live is not None and seen is not None and live > seen


async def _look(ports: Ports, result: Refreshed, row: Owned) -> None:
    """Read one object by id: the second means, beside the lists, by which absence is proved."""
    try:
        observed = await ports.render.get(row.kind, row.id)
    except Gone:
        await _miss(ports, result, row)
        return
    result.put(replace(row, observed=observed, absent_looks=0))


async def _miss(ports: Ports, result: Refreshed, row: Owned) -> None:
    """Count a look that did not find an object, unless it is too young to be missed or the list still shows it."""
    young = row.created_at is not None and ports.clock.now() - row.created_at < timedelta(seconds=ports.options.grace_s)
    listed = not young and any(one.id == row.id for one in await ports.render.find(row.kind, row.name))
    looks = row.absent_looks if young or listed else row.absent_looks + 1
    ports.telemetry.problem("absent", component=row.component, id=row.id, looks=looks, young=young, listed=listed)
    if looks != row.absent_looks:
        result.put(replace(row, absent_looks=looks))


async def _look_deploy(ports: Ports, result: Refreshed, row: Owned) -> bool:
    """Look at the newest deploy; answers whether somebody else started it, who may have changed more than that."""
    try:
        deploy = await ports.render.deploy(row.id)
    except Gone:
        await _miss(ports, result, row)
        return False
    if deploy is None:
        return False
    before = row.known.deploy
    newest = deploys.newer(row.known, deploy, ports.clock.now())
    known = replace(row.known, deploy=newest, dirty=row.known.dirty or deploys.lost(row.known, newest))
    live = row.observed.updated_at if row.observed else None
    if newest.state is not DeployState.PROGRESSING and live is not None and deploys.explains(newest, live):
        known = replace(known, updated_at=live)
    other = before is not None and bool(before.id) and before.id != newest.id and not deploys.older(newest, before)
    if other and newest.state is DeployState.LIVE:
        known = replace(known, failure="")
    if known != row.known:
        result.put(replace(row, known=known))
    return other and newest.trigger not in PUSHED


async def _deep_check(ports: Ports, claim: Claim, result: Refreshed, row: Owned) -> None:
    try:
        detail = await ports.render.detail(row.kind, row.id)
        if _lacks(row.known, detail):  # absence is seen twice before anything follows from it
            detail = _either(detail, await ports.render.detail(row.kind, row.id))
            await _doubt(ports, row, detail)
    except Gone:
        await _miss(ports, result, row)
        return
    now = ports.clock.now()
    known = learned(row, detail, claim.tenant, ports, now)
    observed = row.observed
    if observed is not None and detail.fields:
        observed = replace(observed, fields={**observed.fields, **detail.fields})
    if detail.connection:
        await ports.store.put_connection(claim.tenant, row.component, detail.connection)
    if row.kind in SERVICES:
        known = replace(known, failure=await _failure(ports, replace(row, known=known)))
    result.put(replace(row, observed=observed, known=known))


async def _doubt(ports: Ports, row: Owned, detail: Detail) -> None:
    """Ask by name for some of what lists lack; Unavailable when it is there, for then the lists show nothing.

    To put back what is there costs a deploy, and would drop what a person has added and the list does not show.
    """
    if row.kind not in SERVICES:
        return
    domains = None if detail.domains is None else {one.name for one in detail.domains}
    for part, before, now in (
        (Part.VARIABLE, row.known.env, detail.env),
        (Part.FILE, row.known.files, detail.files),
        (Part.DOMAIN, {one.name for one in row.known.domains}, domains),
    ):
        missing = [] if now is None else sorted(set(before) - set(now))
        for name in missing[:PROOFS_MAX]:
            if await ports.render.has(row.id, part, name):
                raise Unavailable(f"Render's list of {part} of {row.name} lacks {shown(name)}, which is there")


def _lacks(known: Known, detail: Detail) -> bool:
    """Say whether a look misses something that was there at the last one."""
    pairs = (
        (known.env, detail.env),
        (known.files, detail.files),
        ({one.name for one in known.domains}, None if detail.domains is None else {d.name for d in detail.domains}),
        (known.headers, detail.headers),
        (known.routes, detail.routes),
    )
    return any(now is not None and any(one not in now for one in before) for before, now in pairs)


def _either(first: Detail, second: Detail) -> Detail:
    """Answer what either of two looks saw; a list whose order counts is the longer one, the newer if equal."""
    return replace(
        second,
        env=None if second.env is None else {**(first.env or {}), **second.env},
        files=None if second.files is None else {**(first.files or {}), **second.files},
        domains=_longer(first.domains, second.domains),
        headers=_longer(first.headers, second.headers),
        routes=_longer(first.routes, second.routes),
    )


def _longer(first: tuple[Item, ...] | None, second: tuple[Item, ...] | None) -> tuple[Item, ...] | None:
    return first if first is not None and len(first) > len(second or ()) else second


async def look_again(ports: Ports, claim: Claim, row: Owned) -> Owned:
    """Read one object anew after a call found it other than we thought."""
    result = Refreshed(owned={row.component: row})
    await _look(ports, result, row)
    row = result.owned[row.component]
    if not row.absent_looks and row.kind in rotation.CALLS:
        await _deep_check(ports, claim, result, row)
    if result.changed:
        await ports.store.save_owned(claim, [result.owned[row.component]])
    return result.owned[row.component]


async def failures(ports: Ports, claim: Claim, owned: Mapping[str, Owned]) -> dict[str, Owned]:
    """Ask which servers of a stack that does not answer have failed; answers the rows that now say so."""
    found: dict[str, Owned] = {}
    for row in owned.values():
        if row.kind in SERVICES and not row.absent_looks:
            failure = await _failure(ports, row)
            if failure != row.known.failure:
                found[row.component] = replace(row, known=replace(row.known, failure=failure))
    if found:
        await ports.store.save_owned(claim, list(found.values()))
    return found


async def _failure(ports: Ports, row: Owned) -> str:
    """Answer a phrase about a server that failed since the newest deploy and has not come back, else nothing."""
    now, deploy = ports.clock.now(), row.known.deploy
    began = (deploy.finished_at or deploy.created_at) if deploy else None
    since = max(now - EVENTS_KEPT, began or now - EVENTS_KEPT)
    return await ports.render.failure(row.id, since) or ""


def learned(row: Owned, detail: Detail, tenant: str, ports: Ports, now: datetime) -> Known:
    """Answer what a deep check teaches. What stands in an object we made ourselves a moment ago is all ours."""
    known = row.known
    env = _digests(ports, tenant, row.component, detail.env, known.env)
    files = _digests(ports, tenant, row.component, detail.files, known.files)
    applied = dict(known.applied)
    if known.checked_at is None:
        applied |= {diff.ENV + name: digest for name, digest in env.items()}
        applied |= {diff.FILE + name: digest for name, digest in files.items()}
    return replace(
        known,
        env=env,
        files=files,
        applied=applied,
        domains=detail.domains if detail.domains is not None else known.domains,
        headers=detail.headers if detail.headers is not None else known.headers,
        routes=detail.routes if detail.routes is not None else known.routes,
        deploy=deploys.newer(known, detail.deploy, now) if detail.deploy is not None else known.deploy,
        checked_at=now,
        updated_at=row.observed.updated_at if row.observed else known.updated_at,
    )


def _digests(
    ports: Ports, tenant: str, component: str, values: Mapping[str, Sensitive] | None, before: Mapping[str, str]
) -> dict[str, str]:
    if values is None:
        return dict(before)
    digest = ports.resolver.digest
    return {name: digest(resolve.context(tenant, component, name), text.reveal()) for name, text in values.items()}


async def connections(
    ports: Ports, claim: Claim, record: Record, owned: Mapping[str, Owned], needed: Iterable[Live]
) -> dict[tuple[str, str], Sensitive]:
    """Answer the secret attributes of datastores, reading those that are needed and not kept yet."""
    kept = dict(record.connection)
    wanted = {one.component for one in needed if one.attribute in SECRET_ATTRIBUTES}
    for component in sorted(wanted):
        row = owned.get(component)
        if row is None or row.absent_looks or any(key[0] == component for key in kept):
            continue
        try:
            found = await ports.render.connection(row.kind, row.id)
        except Gone:
            continue
        await ports.store.put_connection(claim.tenant, component, found)
        kept |= {(component, attribute): value for attribute, value in found.items()}
    return kept


async def exported(ports: Ports, record: Record, owned: Mapping[str, Owned]) -> bool:
    """Say whether every Postgres was exported since the deletion: asked for by us, and done by Render's own word."""
    if not record.exported or record.purge_at is None:
        return False
    since = record.purge_at - EXPORT_SKEW
    rows = [row for row in owned.values() if row.kind is Kind.POSTGRES and row.absent_looks < LOOKS_TO_BE_GONE]
    for row in rows:
        try:
            if not await ports.render.exported(row.id, since):
                return False
        except Gone:
            continue
    return True


async def probe(ports: Ports, url: str) -> int | None:
    """Ask a tenant's URL; an unreachable one answers None."""
    try:
        return await ports.render.probe(url)
    except RenderError as error:
        ports.telemetry.problem("probe_failed", url=url, error=str(error))
        return None
