"""Deletes what nobody owns, on a person's command: looked at again first, within the limits of tenants' own."""

from collections.abc import AsyncIterator, Sequence

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Conflict, Gone, NotFound, Refused
from reconciler.core.guard import CAP_WINDOW
from reconciler.core.kinds import Bucket, Kind
from reconciler.daemon.adopting import Adopter
from reconciler.doors import Actor, OrphanRow
from reconciler.ports import Brake, Plaintext

AUDITED = "delete orphan"


async def chosen(adopter: Adopter, ids: Sequence[str]) -> list[OrphanRow]:
    """Answer the orphans of these ids as of a fresh look. NotFound for what is none, and whose it is if anybody's."""
    await adopter.look()
    found = {row.id: row for row in await adopter.wiring.registry.orphans()}
    for id in ids:
        holder = adopter.picture.holders.get(id)
        if holder is not None:
            raise NotFound(f"{id} is no orphan: it is {holder.component} of tenant {holder.tenant}")
        if id not in found or id not in adopter.picture.objects:
            raise NotFound(f"{id} is no orphan; see `reconciler get orphans`")
        if id in adopter.picture.ourselves:
            raise Refused(f"{id} is what this operator runs on")
    return [found[id] for id in dict.fromkeys(ids)]


async def delete(adopter: Adopter, rows: Sequence[OrphanRow], actor: Actor) -> AsyncIterator[OrphanRow]:
    """Delete these, one after the other, and yield each once it is done. Refused by the brake and by the cap."""
    wiring = adopter.wiring
    brake, why = await wiring.store.brake()
    if brake is not Brake.NORMAL:
        raise Refused(f"the brake is on {brake} ({why})")
    since = wiring.clock.now() - CAP_WINDOW
    recent = await wiring.store.count_recent([str(Verb.DELETE)], since) + await wiring.store.orphans_deleted(since)
    cap = wiring.ports.options.caps.deletes
    if recent + len(rows) > cap:
        raise Refused(
            f"{recent} resources were deleted in ten minutes, these would be {len(rows)} more: the cap is {cap}"
        )
    for row in rows:
        await _delete(adopter, row, actor)
        yield row


async def _delete(adopter: Adopter, row: OrphanRow, actor: Actor) -> None:
    wiring, kind = adopter.wiring, Kind(row.kind)
    try:
        live = await adopter.patiently(lambda: wiring.render.get(kind, row.id))
    except Gone:
        await wiring.store.forget_orphan(row.id, wiring.clock.now())
        return
    before = adopter.picture.objects[row.id]
    if (live.name, live.environment_id) != (before.name, before.environment_id):
        raise Conflict(f"{row.id} was changed meanwhile: look again")
    await wiring.registry.note_action(actor, AUDITED, row.id, f"{row.kind} {row.name}: {row.why}")
    while (throttle := await wiring.store.spend(Bucket.WRITE, wiring.clock.now())) is not None:
        await wiring.clock.sleep(max(0.5, (throttle.until - wiring.clock.now()).total_seconds()))
    action = Action(verb=Verb.DELETE, component=row.name, kind=kind, name=row.name, id=row.id, reason=row.why)
    await wiring.render.send(action, Plaintext())
    wiring.telemetry.log("orphan_deleted", kind=row.kind, name=row.name, id=row.id)
    await wiring.store.forget_orphan(row.id, wiring.clock.now())
