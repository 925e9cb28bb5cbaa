"""Known bugs, put into the operator one at a time: a campaign that lets them live proves nothing.

Each mutant is a context in which the engine, the core, or the in-memory store (for what SQL does in production) has one
mistake that operators of this kind have really made.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest import mock

from reconciler.core import guard, schedule
from reconciler.core.errors import RenderError, Unknown
from reconciler.core.kinds import Kind
from reconciler.core.plan import lifecycle, make_plan, view
from reconciler.core.plan import service as planned_service
from reconciler.core.spec import DesiredState, DriftPolicy
from reconciler.engine import act, desired, metering, reconcile, refresh, report, rotation, settle
from reconciler.engine.snapshot import Sweeper
from reconciler.ports import Claim, OperationState, Settlement, Verdict
from tests.campaign import fleet
from tests.campaign.memory import Database, MemoryStore
from tests.campaign.memory.database import Queued
from tests.campaign.memory.journal import OPEN

Mutant = Callable[[], AbstractContextManager[object]]


def _patched(*patches: tuple[object, str, object]) -> Mutant:
    @contextmanager
    def applied() -> Iterator[None]:
        with ExitStack() as stack:
            for where, name, new in patches:
                stack.enter_context(mock.patch.object(where, name, new))
            yield

    return applied


def _planning(change: Callable[[view.View], view.View]) -> Mutant:
    """Make every plan from a view that is not the true one."""
    return _patched((reconcile, "make_plan", lambda seen: make_plan(change(seen))))


def _loading(**changes: object) -> Mutant:
    """Let every pass read a record that is not the true one."""
    load = MemoryStore.load

    async def mutated(self: MemoryStore, tenant: str, now: datetime) -> Any:
        record = await load(self, tenant, now)
        wanted = {name: new(getattr(record, name)) if callable(new) else new for name, new in changes.items()}
        return replace(record, **wanted)

    return _patched((MemoryStore, "load", mutated))


def _options(**changes: Any) -> Mutant:
    return _patched((fleet, "OPTIONS", replace(fleet.OPTIONS, **changes)))


# ------------------------------------------------------------ what the mistakes do


def _no_fence(self: MemoryStore, claim: Claim) -> Queued:
    return self.db.queue.get(claim.tenant) or Queued(queued_at=0.0)


_classified = act._classified


def _timeout_is_failure(error: RenderError) -> tuple[OperationState, act.Ending]:
    if isinstance(error, Unknown):
        return OperationState.NEVER_HAPPENED, act.Ending.UNAVAILABLE
    return _classified(error)


async def _forget_operations(*_: object) -> settle.Settled:
    return settle.Settled()


async def _any_of_that_name(ports: Any, operation: Any) -> list[Any]:
    return list(await ports.render.find(operation.kind, operation.name))


async def _of_any_age(ports: Any, operation: Any) -> list[Any]:
    found = await ports.render.find(operation.kind, operation.name)
    now = ports.clock.now()
    await ports.store.observe(found, now)
    free = {one.id for one in await ports.store.unowned([(operation.kind, operation.name)])}
    return [one for one in found if one.id in free]


_happened = settle._happened


async def _deletes_always_happen(ports: Any, operation: Any, row: Any, result: Any) -> bool:
    return True if operation.verb == "delete" else await _happened(ports, operation, row, result)


async def _deploys_always_happen(ports: Any, operation: Any, row: Any, result: Any) -> bool:
    known = replace(row.known, dirty=False, deploy_asked_at=ports.clock.now())
    result.owned.append(replace(row, known=known))
    return True


_finish = MemoryStore.finish


async def _wakes_are_lost(self: MemoryStore, claim: Claim, verdict: Verdict, now: datetime) -> None:
    row = self.db.queue.get(claim.tenant)
    await _finish(self, replace(claim, wake_seq=row.wake_seq if row else claim.wake_seq), verdict, now)


_verdict = report.verdict


def _boastful(ports: Any, facts: Any, chance: float) -> Verdict:
    told = _verdict(ports, facts, chance)
    newer = replace(told.status, observed_generation=told.status.observed_generation + 1)
    return replace(told, status=newer)


async def _no_strangers(*_: object) -> Mapping[str, object]:
    return {}


_settle_operation = MemoryStore.settle_operation


async def _success_without_inventory(
    self: MemoryStore, claim: Claim | None, operation: int, settlement: Settlement, now: datetime
) -> None:
    lost = replace(settlement, owned=()) if settlement.message == "" else settlement
    await _settle_operation(self, claim, operation, lost, now)


async def _send_always(self: MemoryStore, claim: Claim, operation: int, *rest: Any, **_: Any) -> None:
    self.fence(claim)
    row = self.db.journal[operation]
    row.value = replace(row.value, state=OperationState.SENT, sent_at=rest[-1])
    row.sent_real_s = self.db.real()


_open_operation = MemoryStore.open_operation


async def _many_at_once(self: MemoryStore, claim: Claim, action: Any, request_hash: str, now: datetime) -> int:
    held = self.db.open.get((claim.tenant, action.component))
    if held is not None and self.db.journal[held].value.state in OPEN:
        del self.db.open[claim.tenant, action.component]
    return await _open_operation(self, claim, action, request_hash, now)


async def _due_once(self: Sweeper) -> bool:
    return await self._ports.store.swept_at(Kind.WEB) is None


MUTANTS: Mapping[str, Mutant] = {
    "late writes of an old lease land": _patched((MemoryStore, "fence", _no_fence)),
    "a timeout counts as a failure": _patched((act, "_classified", _timeout_is_failure)),
    "operations without an outcome are never looked at": _patched((settle, "settle", _forget_operations)),
    "one look that finds nothing proves that nothing was created": _patched(
        (settle, "LOOKS_NEEDED", 1), (settle, "_deadline_left_s", lambda *_: 0.0),
        (fleet, "OPTIONS", replace(fleet.OPTIONS, grace_s=0.0)),
    ),
    "whatever bears the name of a lost create is adopted": _patched((settle, "_candidates", _any_of_that_name)),
    "an older object of the name is adopted": _patched((settle, "_candidates", _of_any_age)),
    "creates are not counted": _patched((Database, "creates", lambda *_: 0)),
    "a single look proves a loss": _patched(
        (view, "LOOKS_TO_BE_GONE", 1), (refresh, "LOOKS_TO_BE_GONE", 1), (reconcile, "LOOKS_TO_BE_GONE", 1)
    ),
    "an empty list is believed, and one look proves a loss": _patched(
        (guard, "shrunken", lambda *_: False), (view, "LOOKS_TO_BE_GONE", 1), (refresh, "LOOKS_TO_BE_GONE", 1),
        (reconcile, "LOOKS_TO_BE_GONE", 1),
    ),
    "an unanswered delete counts as done": _patched((settle, "_happened", _deletes_always_happen)),
    "an unanswered deploy counts as done": _patched((settle, "_deployed", _deploys_always_happen)),
    "a wake during a pass is lost": _patched((MemoryStore, "finish", _wakes_are_lost)),
    "status speaks of a generation it has not seen": _patched((report, "verdict", _boastful)),
    "changes are written and never deployed": _patched((planned_service, "plan_deploy", lambda *_, **__: None)),
    "a changed group deploys nobody": _patched((act, "linked_to", lambda *_: [])),
    "drift is seen and never healed": _planning(lambda seen: replace(seen, policy=DriftPolicy.REPORT)),
    "a deletion is carried out at once": _planning(
        lambda seen: replace(seen, purge=seen.purge or seen.state is DesiredState.DELETED)
    ),
    "a purge does not wait for the export": _planning(lambda seen: replace(seen, export=False)),
    "strangers of our names are not seen": _patched((desired, "conflicts", _no_strangers)),
    "a suspension by Render is fought": _patched((lifecycle, "foreign_suspenders", lambda *_: ())),
    "a hold is ignored": _loading(hold=None),
    "forgetting a stack deletes it": _loading(purge_mode=lambda mode: "now" if mode == "orphan" else mode),
    "a suspension in the spec is ignored": _planning(
        lambda seen: replace(seen, state=DesiredState.RUNNING) if seen.state is DesiredState.SUSPENDED else seen
    ),
    "the workspace is swept once and never again": _patched((Sweeper, "due", _due_once)),
    "what lists do not show is never checked": _patched((rotation, "due", lambda *_, **__: rotation.Due.NO)),
    "failures are repeated without a pause": _patched((schedule, "backoff", lambda *_: schedule.timedelta(0)),
                                                      (schedule, "poll", lambda *_: schedule.timedelta(0))),
    "what was created is not written down": _patched((MemoryStore, "settle_operation", _success_without_inventory)),
    "nothing is metered": _patched((metering, "intervals", lambda *_: [])),
    "what is young is missed like what is old": _options(grace_s=0.0),
    "budgets are not asked": _patched((MemoryStore, "send_operation", _send_always)),
    "two effects on one component at once": _patched((MemoryStore, "open_operation", _many_at_once)),
}  # fmt: skip
