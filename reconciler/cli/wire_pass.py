"""Reads the JSON of kept passes back into the records that the verbs know; pure."""

from reconciler.cli import wire, wire_plan
from reconciler.core.actions import Verb
from reconciler.core.kinds import Kind
from reconciler.core.passes import Done, Replay, Replayed
from reconciler.core.values import Json
from reconciler.doors import KeptPass, PassRow


def row(value: wire.Fields) -> PassRow:
    """Read a kept pass at a glance."""
    took = wire.money(value.get("tookSeconds"))
    return PassRow(
        id=wire.whole(value.get("id")),
        tenant=wire.word(value.get("tenant")),
        epoch=wire.whole(value.get("epoch")),
        at=wire.certainly(value.get("at")),
        first_at=wire.certainly(value.get("firstAt")),
        count=wire.whole(value.get("count")),
        wake_class=wire.word(value.get("class")),
        took_s=float(took or 0),
        result=wire.word(value.get("result")),
        generation=wire.whole(value.get("generation")),
        blueprint=wire.word(value.get("blueprint")),
        revision=wire.whole(value.get("revision")),
        version=wire.word(value.get("version")),
        summary=wire.word(value.get("summary")),
        done=tuple(_done(item) for item in wire.items(value.get("done"))),
        waits=tuple(wire_plan.wait(item) for item in wire.items(value.get("waits"))),
    )


def _done(value: wire.Fields) -> Done:
    return Done(
        operation=wire.whole(value.get("operation")),
        verb=Verb(wire.word(value.get("verb"))),
        component=wire.word(value.get("component")),
        kind=Kind(wire.word(value.get("kind"))),
        name=wire.word(value.get("name")),
        ending=wire.word(value.get("ending")),
        message=wire.word(value.get("message")),
    )


def kept_pass(value: Json) -> KeptPass:
    """Read a kept pass whole."""
    found = wire.fields(value)
    told = wire.fields(found.get("replay"))
    return KeptPass(
        row=row(found),
        document=wire.fields(found.get("document")),
        replayed=Replayed(
            outcome=Replay(wire.word(told.get("outcome"))),
            message=wire.word(told.get("message")),
            differences=wire.words(told.get("differences")),
        ),
    )
