"""Reads the JSON of a plan back into the actions that the drawing knows; payloads and values never travel; pure."""

from dataclasses import dataclass
from decimal import Decimal

from reconciler.cli import wire
from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.kinds import Kind
from reconciler.core.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePlan:
    """A plan as another operator told it."""

    actions: tuple[Action, ...]
    drift: tuple[str, ...]
    waits: tuple[Wait, ...]
    usd_before: Decimal | None
    usd_after: Decimal | None
    creates: int
    writes: int
    eta_s: float | None


def plan(value: Json) -> RemotePlan:
    """Read a plan."""
    found = wire.fields(value)
    eta = wire.money(found.get("eta_s"))
    return RemotePlan(
        actions=tuple(_action(item) for item in wire.items(found.get("actions"))),
        drift=wire.words(found.get("drift")),
        waits=tuple(wait(item) for item in wire.items(found.get("waits"))),
        usd_before=wire.money(found.get("usd_before")),
        usd_after=wire.money(found.get("usd_after")),
        creates=wire.whole(found.get("creates")),
        writes=wire.whole(found.get("writes")),
        eta_s=None if eta is None else float(eta),
    )


def _action(value: wire.Fields) -> Action:
    return Action(
        verb=Verb(wire.word(value.get("verb"))),
        component=wire.word(value.get("component")),
        kind=Kind(wire.word(value.get("kind"))),
        name=wire.word(value.get("name")),
        id=wire.word(value.get("id")),
        changes=tuple(_change(item) for item in wire.items(value.get("changes"))),
        reason=wire.word(value.get("reason")),
        needs_deploy=value.get("needs_deploy") is True,
        usd_before=wire.money(value.get("usd_before")),
        usd_after=wire.money(value.get("usd_after")),
        notes=wire.words(value.get("notes")),
        wave=wire.whole(value.get("wave")) or 1,
        waits=tuple(wait(item) for item in wire.items(value.get("waits"))),
    )


def _change(value: wire.Fields) -> Change:
    return Change(
        field=wire.word(value.get("field")),
        before=wire.word(value.get("before")),
        after=wire.word(value.get("after")),
        asked=value.get("asked") is not False,
    )


def wait(value: wire.Fields) -> Wait:
    """Read what stands in the way."""
    return Wait(
        reason=WaitReason(wire.word(value.get("reason"))),
        message=wire.word(value.get("message")),
        component=wire.word(value.get("component")),
        since=wire.moment(value.get("since")),
        until=wire.moment(value.get("until")),
        you=wire.word(value.get("you")),
    )
