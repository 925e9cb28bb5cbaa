"""Asks the store what guards must know beyond one tenant's plan, and pulls the brake; core decides what is too much."""

from dataclasses import replace
from datetime import timedelta

from reconciler.core import guard
from reconciler.core.actions import Verb
from reconciler.core.plan import Plan
from reconciler.core.status import Event, Reason
from reconciler.core.stops import Stops
from reconciler.engine.options import Ports
from reconciler.ports import Brake, Claim, Record, WakeClass

MASS_WINDOW = timedelta(hours=1)
"""Within this world time plans that nobody asked for are counted over all tenants."""
FOLLOWING = frozenset({Verb.RUN_JOB, Verb.DEPLOY})
"""Effects that follow from earlier ones of ours, not from a change, unless they name one (another commit)."""
UNASKED = Event(reason=Reason.UNASKED, message="a plan without a change of the spec", warning=True)


async def recent(ports: Ports, plan: Plan) -> dict[Verb, int]:
    """Count the capped effects of all tenants, where a plan has any."""
    if not any(action.verb in guard.CAPPED for action in plan.actions):
        return dict.fromkeys(guard.CAPPED, 0)
    since = ports.clock.now() - guard.CAP_WINDOW
    return {verb: await ports.store.count_recent([str(verb)], since) for verb in sorted(guard.CAPPED)}


async def with_repeats(ports: Ports, record: Record, plan: Plan, stops: Stops) -> Stops:
    """Add what was done again and again to the stops, where a plan would do something; a person's word lifts it."""
    if record.asked or not any(action.ready for action in plan.actions):
        return stops
    repeats = await ports.store.repeats(stops.tenant, stops.generation, ports.clock.now())
    spins = {key: count for key, count in repeats.effects.items() if count >= guard.SPINS_MAX}
    births = {key: count for key, count in repeats.creates.items() if count >= guard.BIRTHS_MAX}
    return replace(stops, spins=spins, births=births)


def unasked(record: Record, claim: Claim, plan: Plan) -> bool:
    """Say whether a tenant, settled before, got a plan although nobody changed or asked anything."""
    status = record.status
    return (
        any(action.ready and (action.changes or action.verb not in FOLLOWING) for action in plan.actions)
        and status is not None
        and (status.observed_generation, status.revision) == (record.generation, record.revision)
        and status.conditions[1].status == "True"
        and claim.wake_class is not WakeClass.USER
    )


async def mass_change(ports: Ports, claim: Claim, record: Record) -> Record:
    """Stop all effects when too many tenants get a plan without a spec having changed, and ask a person.

    Answers the record with the brake as it stands then.
    """
    now = ports.clock.now()
    told = await ports.store.unasked(claim, UNASKED, now - MASS_WINDOW, now)
    since_release = now - told.released_at if told.released_at is not None else None
    if not guard.mass_change(told.plans, told.tenants, ports.options.caps, since_release):
        return record
    brake, why = await ports.store.brake()
    if brake is Brake.NORMAL:
        brake = Brake.OBSERVE
        why = f"{told.plans} of {told.tenants} tenants got a plan within an hour although no spec changed"
        await ports.store.set_brake(brake, why, guard.MASS_CHANGE)
        ports.telemetry.problem("brake", state=str(brake), why=why)
    ports.telemetry.guarded("mass_change")
    return replace(record, brake=brake, brake_why=why)
