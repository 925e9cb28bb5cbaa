"""A pass as the engine would keep it, for the command line and the API to show."""

from dataclasses import replace
from datetime import timedelta

from reconciler.core import passes
from reconciler.core.actions import Verb, Wait, WaitReason
from reconciler.core.guard import Caps
from reconciler.core.inventory import Owned
from reconciler.core.kinds import ENVIRONMENT, PROJECT, Kind
from reconciler.core.observed import Observed
from reconciler.core.passes import Done, Kept, Result, Round
from reconciler.core.plan import View
from reconciler.core.resolve import resolve_stack
from reconciler.core.spec import DesiredState
from reconciler.core.stops import Stops
from reconciler.core.values import digest
from reconciler.manifest import price_book
from reconciler.ports import Record
from tests.cli.conftest import NOW

BLOCKED = Wait(
    reason=WaitReason.BUDGET,
    message="Render's limit of 20 new resources an hour: 20 of 20 used; position 1 in the queue, about 14:00",
    component="db",
    until=NOW + timedelta(minutes=30),
)

MADE = {
    key: Owned(
        component=key,
        kind=kind,
        id=id,
        name=name,
        observed=Observed(id=id, kind=kind, name=name, fields={}, seen_at=NOW),
    )
    for key, kind, id, name in (
        (PROJECT, Kind.PROJECT, "prj-1", "acme"),
        (ENVIRONMENT, Kind.ENVIRONMENT, "evm-1", "production"),
    )
}


def planned(record: Record, stops: Stops, **view: object) -> Round:
    """A round of a tenant that has nothing yet, with the plan that comes of it."""
    assert record.tenant is not None and record.blueprint is not None
    stack = passes.stack_of(record.blueprint, record.revision, record.tenant, {})
    usual = {
        "stack": stack,
        "state": DesiredState.RUNNING,
        "owned": {},
        "resolved": resolve_stack(stack, lambda hole: None, lambda place, text: digest(b"key", place, text)),
        "now": NOW,
        "book": price_book(),
        "tenant": record.tenant.name,
    }
    one = Round(view=View(**(usual | view)), stops=stops)
    return Round(view=one.view, stops=stops, plan=passes.plan_again(one, Caps()))


def a_pass(record: Record) -> Kept:
    """A pass of two rounds that made the project, and found no create left for the rest."""
    assert record.tenant is not None
    free = Stops(tenant=record.tenant.name, generation=record.generation)
    blocked = {key: replace(BLOCKED, component=key) for key in ("db", "app", "jobs")}
    full = Stops(tenant=record.tenant.name, generation=record.generation, blocked=blocked)
    return Kept(
        began_at=NOW,
        took_s=1.25,
        result=Result.CHANGED,
        generation=record.generation,
        tenant=record.tenant,
        blueprint="crm",
        revision=record.revision,
        book=price_book().version,
        rounds=(planned(record, free), planned(record, full, owned=MADE)),
        done=(
            Done(operation=1, verb=Verb.CREATE, component=PROJECT, kind=Kind.PROJECT, name="acme", ending="succeeded"),
        ),
    )


def waiting(record: Record) -> Kept:
    """A pass that could do nothing, for want of a create."""
    made = a_pass(record)
    return Kept(
        began_at=NOW,
        took_s=0.04,
        result=Result.WAITED,
        generation=made.generation,
        tenant=made.tenant,
        blueprint="crm",
        revision=made.revision,
        book=made.book,
        rounds=made.rounds[1:],
    )
