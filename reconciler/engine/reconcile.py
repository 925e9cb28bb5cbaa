"""The pass: claim -> read -> plan -> act -> record for one tenant; it knows no SQL and no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.core import guard, stops
from reconciler.core.actions import Action, Verb, Wait
from reconciler.core.errors import Gone, RenderError
from reconciler.core.health import HealthState, judge
from reconciler.core.inventory import Owned
from reconciler.core.kinds import DATASTORES, SERVICES, Bucket
from reconciler.core.observed import Observed
from reconciler.core.plan import Plan, View, make_plan
from reconciler.core.plan.view import LOOKS_TO_BE_GONE
from reconciler.core.spec import DesiredState
from reconciler.core.status import Event, Phase, Reason
from reconciler.core.stops import Stops
from reconciler.core.values import Sensitive
from reconciler.engine import adopt, guards, metering, refresh, report, settle
from reconciler.engine import desired as wanted
from reconciler.engine.act import Acted, Ending, act
from reconciler.engine.options import Ports
from reconciler.engine.trail import Trail
from reconciler.ports import Claim, End, Record, Throttle, Verdict, WakeClass

HTTP_ERROR = 400


@dataclass(slots=True)
class Pass:
    """What one pass gathers on its way."""

    claim: Claim
    record: Record
    owned: dict[str, Owned]
    desired: wanted.Desired
    trail: Trail
    plan: Plan = field(default_factory=Plan)
    view: View | None = None
    waits: list[Wait] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    open: dict[str, Wait] = field(default_factory=dict)
    blocked: dict[str, Wait] = field(default_factory=dict)
    throttle: Throttle | None = None
    until: list[datetime] = field(default_factory=list)
    failed: bool = False
    ended: dict[str, End] = field(default_factory=dict)
    probe: tuple[str, int | None] | None = None
    struck: set[str] = field(default_factory=set)
    left: dict[str, bool] = field(default_factory=dict)


class Reconciler:
    """Reconciles tenants one pass at a time; holds nothing between passes."""

    def __init__(self, ports: Ports) -> None:
        """Keep the ports."""
        self._ports = ports

    async def reconcile(self, claim: Claim, chance: float, trail: Trail) -> Verdict:
        """Run one pass and answer what to record. RenderError while reading ends it; the worker retries it."""
        ports = self._ports
        record = await ports.store.load(claim.tenant, ports.clock.now())
        trail.record = record
        run = Pass(claim=claim, record=record, owned=dict(record.owned), desired=wanted.Desired(), trail=trail)
        await self._read(run)
        await self._act(run)
        await self._probe(run)
        now = ports.clock.now()
        billed = metering.intervals(claim.tenant, run.owned.values(), ports.book, now)
        changed = metering.news(billed, record.metered)
        if changed or run.ended:
            await ports.store.meter(changed, run.ended)
        verdict = report.verdict(ports, run_facts(run), chance)
        return replace(verdict, kept=trail.kept(ports, verdict))

    async def _read(self, run: Pass) -> None:
        """Settle what is open, look where needed, compile."""
        ports, record = self._ports, run.record
        settled = await settle.settle(ports, run.claim, record.operations, run.owned)
        run.owned |= {row.component: row for row in settled.owned}
        for row in settled.gone:
            run.owned.pop(row.component, None)
            run.ended[row.id] = End(at=ports.clock.now())
        run.events += settled.events
        run.trail.settled(record.operations, settled)
        run.open = settled.waits
        if settled.again_at:
            run.until.append(settled.again_at)
        if record.purge_mode == "orphan" and record.purge_at is not None:
            await self._orphan(run)
        if record.purged or not run.owned:
            run.desired = wanted.compiled(record, run.owned)
            await self._secrets(run)
            return
        if settled.owned:
            await ports.store.save_owned(run.claim, settled.owned)
        looked = await refresh.refresh(
            ports, run.claim, replace(record, owned=run.owned), settled.stale, deep=record.asked, alarmed=_alarmed(run)
        )
        run.owned = looked.owned
        run.ended |= metering.vanished(run.owned.values(), ports.clock.now())
        run.record = replace(record, exported=await refresh.exported(ports, record, run.owned))
        run.desired = wanted.compiled(record, run.owned)
        await self._forget_gone(run)
        await self._secrets(run)

    async def _forget_gone(self, run: Pass) -> None:
        """Let rows go that are proved absent and wanted by nobody: purged, or no longer in the Blueprint."""
        stack, now = run.desired.stack, self._ports.clock.now()
        purging = run.record.purge_at is not None and (run.record.purge_at <= now or run.record.purge_mode == "now")
        gone = [
            row
            for row in run.owned.values()
            if row.absent_looks >= LOOKS_TO_BE_GONE
            and row.component not in run.open
            and (purging or (stack is not None and row.component not in stack.resources))
        ]
        if not gone:
            return
        await self._ports.store.save_owned(run.claim, (), [row.id for row in gone])
        run.ended |= {row.id: End(at=now) for row in gone}
        run.trail.found += [f"{row.name} ({row.id}) is gone" for row in gone]
        run.owned = {key: row for key, row in run.owned.items() if row not in gone}

    async def _orphan(self, run: Pass) -> None:
        """Forget the stack and leave it running: its rows go, nothing is sent."""
        if not run.owned or run.open:
            return
        ids = [row.id for row in run.owned.values()]
        await self._ports.store.save_owned(run.claim, (), ids)
        run.ended |= dict.fromkeys(ids, End(at=self._ports.clock.now()))
        text = f"{len(ids)} objects at Render were left as they are and forgotten: {', '.join(sorted(ids))}"
        run.events.append(Event(reason=Reason.ORPHANED, message=text, warning=True))
        run.trail.found.append(text)
        run.owned = {}

    async def _secrets(self, run: Pass) -> None:
        """Make generated secrets and read the connection info that variables name."""
        if run.record.tenant is not None and run.record.tenant.state is DesiredState.RUNNING:
            await wanted.generate_secrets(self._ports, run.desired)
        run.desired.connection = await refresh.connections(
            self._ports, run.claim, run.record, run.owned, run.desired.needed()
        )

    async def _plan(self, run: Pass) -> None:
        """Make the plan anew and put every stop on it that is in force."""
        ports = self._ports
        strangers = await self._standing(run, await wanted.conflicts(ports, run.desired, run.owned))
        run.view = wanted.view_of(ports, run.record, run.desired, run.owned, strangers, run.open)
        in_the_way = self._stops(run)
        run.trail.planning(run.view, in_the_way)
        proposed = make_plan(run.view)
        in_the_way = await guards.with_repeats(ports, run.record, proposed, in_the_way)
        plan = stops.put_on(proposed, in_the_way, run.view.now)
        recent = await guards.recent(ports, plan)
        plan, struck = guard.capped(plan, recent, ports.options.caps)
        for name in set(struck) - run.struck:
            ports.telemetry.guarded(name)
        run.struck |= set(struck)
        if struck:
            run.until.append(ports.clock.now() + guard.CAP_AGAIN)
        run.trail.planned(in_the_way, recent, plan)
        run.plan = plan

    async def _standing(self, run: Pass, strangers: Mapping[str, Observed]) -> dict[str, Observed]:
        """Look, once a pass, whether those who bear our names are still there: nobody else would notice they left."""
        for one in strangers.values():
            if one.id not in run.left:
                try:
                    await self._ports.render.get(one.kind, one.id)
                    run.left[one.id] = False
                except Gone:
                    run.left[one.id] = True
        return {key: one for key, one in strangers.items() if not run.left[one.id]}

    def _stops(self, run: Pass) -> Stops:
        """Gather what may stand before the effects of this tenant, and when a hold or the first look ends."""
        record, now = run.record, self._ports.clock.now()
        if record.hold is not None and record.hold.until > now:
            run.until.append(record.hold.until)
        if record.swept_at is None:
            run.until.append(now + timedelta(seconds=5))
        return Stops(
            tenant=run.claim.tenant,
            generation=record.generation,
            hold=record.hold,
            brake=record.brake,
            brake_why=record.brake_why,
            swept=record.swept_at is not None,
            refusals=record.refusals,
            blocked=dict(run.blocked),
        )

    async def _queue(self, run: Pass, ready: Sequence[Action]) -> None:
        """Enter the create queue before asking it for anything, so that others see who is ahead of them."""
        if any(action.verb is Verb.CREATE and action.bucket is Bucket.CREATE for action in ready):
            demand = report.demand(run_facts(run))
            if demand is not None:
                await self._ports.store.declare(run.claim, demand)

    async def _act(self, run: Pass) -> None:
        """Plan and act in rounds, until nothing is ready any more."""
        ports = self._ports
        await self._plan(run)
        self._note_drift(run)
        await self._guard(run)
        for _ in range(ports.options.rounds_max):
            ready = [action for action in run.plan.actions if action.ready]
            if not ready:
                break
            await self._queue(run, ready)
            done = 0
            busy: set[str] = set()
            for action in ready:
                if action.component in busy or action.component in run.blocked:
                    continue
                acted = await act(ports, run.claim, action, run.owned, run.desired.lookup(run.owned))
                done += self._take(run, action, acted)
                if acted.ending is Ending.STALE_VIEW:
                    await self._look_again(run, action)
                if acted.ending is not Ending.DONE or action.verb is Verb.CREATE:
                    busy.add(action.component)
            run.desired = replace_compiled(run)
            run.desired.connection = await refresh.connections(
                ports, run.claim, run.record, run.owned, run.desired.needed()
            )
            await self._plan(run)
            if not done:
                break
        settled = [replace(run.owned[key], known=known) for key, known in run.plan.settled.items() if key in run.owned]
        if settled:
            await ports.store.save_owned(run.claim, settled)
            run.owned |= {row.component: row for row in settled}

    async def _guard(self, run: Pass) -> None:
        """Let a plan that nobody asked for be counted, and put the brake on it if there are too many."""
        if guards.unasked(run.record, run.claim, run.plan):
            before, run.record = run.record.brake, await guards.mass_change(self._ports, run.claim, run.record)
            if run.record.brake is not before:
                await self._plan(run)

    async def _look_again(self, run: Pass, action: Action) -> None:
        """Look at what a call found other than we thought, so that the next plan knows."""
        row = run.owned.get(action.component)
        if row is None:
            return
        try:
            run.owned[action.component] = await refresh.look_again(self._ports, run.claim, row)
        except RenderError as error:
            self._ports.telemetry.problem(
                "look_failed", tenant=run.claim.tenant, component=action.component, error=str(error)
            )

    def _take(self, run: Pass, action: Action, acted: Acted) -> int:
        """Take in what an action led to; answers 1 when something changed."""
        now = self._ports.clock.now()
        run.trail.acted(action, acted)
        if acted.ending is Ending.DONE:
            for row in acted.owned:
                run.owned[row.component] = row
            run.record = _reconnected(run.record, action)
            for row in acted.forgotten:
                run.owned.pop(row.component, None)
                run.ended[row.id] = End(at=now)
            run.events += report.effect_events(action)
            for change in action.changes:
                if not change.asked:
                    self._ports.telemetry.drifted(str(action.kind), change.field.split(" ")[0], healed=True)
            return 1
        run.blocked[action.component] = report.wait_of(action, acted, run.claim.tenant)
        if acted.ending in (Ending.UNKNOWN, Ending.TAKEN):  # what a sweep sees of it meanwhile is not a stranger's
            run.open[action.component] = run.blocked[action.component]
        if acted.throttle is not None:
            run.throttle = acted.throttle
        if acted.until is not None:
            run.until.append(acted.until)
        run.failed = run.failed or _repeats_soon(action, acted)
        if acted.ending is Ending.UNKNOWN and action.verb is Verb.CREATE:
            run.until.append(now + timedelta(seconds=self._ports.options.grace_s / 4))
        run.events += report.failure_events(action, acted)
        return 0

    def _note_drift(self, run: Pass) -> None:
        before = set(run.record.status.details.get("drift", "").split("\n")) if run.record.status else set()
        fresh = [text for text in run.plan.drift if text not in before]
        run.events += report.drift_events(fresh)
        for text in fresh:
            component = text.split(":", 1)[0]
            kind = run.owned[component].kind if component in run.owned else "component"
            self._ports.telemetry.drifted(str(kind), "state", healed=False)

    async def _probe(self, run: Pass) -> None:
        """Ask the tenant's URL once everything behind it is up."""
        stack = run.desired.stack
        if stack is None or not stack.entrypoint or not stack.ready_path or run.view is None:
            return
        if run.view.state is not DesiredState.RUNNING:
            return
        row = run.owned.get(stack.entrypoint)
        url = row.observed.attributes.get("url", "") if row and row.observed else ""
        up = all(
            judge(run.owned.get(key), self._ports.clock.now()).state is HealthState.HEALTHY
            for key, one in stack.resources.items()
            if one.kind in SERVICES or one.kind in DATASTORES
        )
        if url and up:
            run.probe = (url, await refresh.probe(self._ports, url.rstrip("/") + stack.ready_path))
            if run.probe[1] is None or run.probe[1] >= HTTP_ERROR:
                run.owned |= await refresh.failures(self._ports, run.claim, run.owned)


def _repeats_soon(action: Action, acted: Acted) -> bool:
    """Say whether the next pass sends this again: then it comes with backoff. A create is looked for first."""
    unsure = acted.ending is Ending.UNKNOWN and action.verb is not Verb.CREATE
    return unsure or acted.ending in (Ending.UNAVAILABLE, Ending.STALE_VIEW)


def _reconnected(record: Record, action: Action) -> Record:
    """Forget how to connect to what a create has replaced: its successor has another password."""
    if action.verb is not Verb.CREATE:
        return record
    kept = {key: text for key, text in record.connection.items() if key[0] != action.component}
    return replace(record, connection=kept)


def _alarmed(run: Pass) -> bool:
    """Say whether somebody (a webhook) woke a tenant that had nothing on its way: something happened to it."""
    status = run.record.status
    return status is not None and status.phase is Phase.READY and run.claim.wake_class is WakeClass.SETTLE


def replace_compiled(run: Pass) -> wanted.Desired:
    """Compile again with the addresses that this pass made known, keeping the secrets."""
    fresh = wanted.compiled(run.record, run.owned)
    fresh.secrets = {**fresh.secrets, **run.desired.secrets}
    fresh.connection = run.desired.connection
    return fresh


def run_facts(run: Pass) -> report.Facts:
    """Hand a pass over to its report."""
    assert run.view is not None, "a pass plans before it reports"
    creates = [a for a in run.plan.actions if a.verb is Verb.CREATE and a.bucket is Bucket.CREATE]
    return report.Facts(
        claim=run.claim,
        record=run.record,
        view=replace(run.view, owned=run.owned),
        plan=run.plan,
        waits=tuple(run.waits),
        events=tuple(run.events),
        invalid=run.desired.invalid,
        probe=run.probe,
        until=tuple(run.until),
        failed=run.failed,
        creates=tuple(creates),
    )


async def preview(ports: Ports, record: Record, name: str) -> tuple[Plan, wanted.Desired]:
    """Plan without any effect: what a pass would do for this record, as it stands or as it was edited."""
    owned: Mapping[str, Owned] = await adopt.looked_at(ports, name, record.owned)
    compiled = wanted.compiled(record, owned)
    if compiled.stack is not None:
        for ref in compiled.stack.generate:
            compiled.secrets.setdefault(ref, Sensitive(f"generated:{name}:{ref.name}"))
    strangers = await wanted.conflicts(ports, compiled, owned)
    view = wanted.view_of(ports, record, compiled, owned, strangers, {})
    return make_plan(view), compiled
