"""Plans on paper: glyphs, waves, prices before and after, and the closing lines."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from reconciler.cli import render_plan, wire_plan
from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.kinds import Kind
from reconciler.core.plan import Plan
from reconciler.core.values import SecretRef


def change(field, before, after, asked=True):
    return Change(field=field, before=before, after=after, asked=asked)


UPGRADE = Plan(
    actions=(
        Action(
            verb=Verb.UPDATE,
            component="db",
            kind=Kind.POSTGRES,
            name="db-acme",
            changes=(change("plan", "basic-256mb", "basic-1gb"),),
            usd_before=Decimal("10.50"),
            usd_after=Decimal("23.50"),
            notes=("restarts, about 1 min down",),
        ),
        Action(
            verb=Verb.UPDATE,
            component="backend",
            kind=Kind.WEB,
            name="backend-acme",
            changes=(change("plan", "starter", "standard"), change("instances", "1", "2")),
            usd_before=Decimal("7"),
            usd_after=Decimal("50"),
            notes=("1 deploy, no downtime",),
            wave=2,
        ),
        Action(verb=Verb.DEPLOY, component="backend", kind=Kind.WEB, name="backend-acme", wave=2),
    ),
    usd_before=Decimal("41.50"),
    usd_after=Decimal("125.50"),
    eta_s=300,
)


def drawn(plan, heading="acme  crm r12  starter -> pro"):
    return [line.words for line in render_plan.lines(heading, plan)]


def test_an_upgrade_reads_as_people_expect_it():
    assert drawn(UPGRADE) == [
        "acme  crm r12  starter -> pro",
        "  1  ~  db       postgres     plan basic-256mb -> basic-1gb  $10.50 -> $23.50  restarts, about 1 min down",
        "  2  ~  backend  web service  plan starter -> standard        $7.00 -> $50.00  1 deploy, no downtime",
        "                              instances 1 -> 2",
        "Plan: 0 to create, 2 to change, 0 to delete. No data is lost.",
        "Cost: $41.50 -> $125.50 a month (+$84.00).   Time: starts at once, about 5m.   API: 3 writes, 0 creates.",
    ]


def test_nothing_to_do_is_said_in_one_line():
    assert drawn(Plan(), "acme  crm r1  pro") == ["acme  crm r1  pro", "Plan: nothing to do."]


def test_creates_and_deletes_have_their_glyphs_prices_and_colours():
    plan = Plan(
        actions=(
            Action(verb=Verb.CREATE, component="web", kind=Kind.WEB, name="web-a", usd_after=Decimal(7)),
            Action(verb=Verb.DELETE, component="job", kind=Kind.WORKER, name="job-a", usd_before=Decimal(7), wave=2),
        ),
        usd_before=Decimal(7),
        usd_after=Decimal(7),
    )
    lines = render_plan.lines("a", plan)
    assert lines[1].words == "  1  +  web  web service  as web-a           $7.00" and lines[1].style == "green"
    assert lines[2].words == "  2  -  job  worker       delete    $7.00 -> $0.00" and "red" in lines[2].style
    assert lines[3].words == "Plan: 1 to create, 0 to change, 1 to delete. No data is lost."
    assert "$7.00 a month, unchanged" in lines[4].words and "1 write, 1 create." in lines[4].words


@pytest.mark.parametrize(
    ("verb", "kind"),
    [(Verb.DELETE, Kind.POSTGRES), (Verb.DELETE, Kind.KEY_VALUE), (Verb.REMOVE_DISK, Kind.PRIVATE)],
)
def test_lost_data_is_said_in_capitals(verb, kind):
    lines = render_plan.lines("a", Plan(actions=(Action(verb=verb, component="db", kind=kind, name="db-a"),)))
    closing = next(line for line in lines if line.words.startswith("Plan:"))
    assert closing.words.endswith("DATA IS LOST: db.") and closing.style == "bold red"


def test_unknown_prices_are_said_and_drift_is_marked():
    action = Action(
        verb=Verb.SCALE,
        component="web",
        kind=Kind.WEB,
        name="web-a",
        changes=(change("instances", "6", "2", asked=False),),
        needs_deploy=True,
    )
    plan = Plan(actions=(action,), drift=("web: instances 6 instead of 2",), usd_after=Decimal(7))
    lines = drawn(plan)
    assert "instances 6 -> 2  (drift)" in lines[1] and lines[1].endswith("1 deploy")
    assert "  drift: web: instances 6 instead of 2" in lines
    assert "Cost: an unknown price -> $7.00 a month." in lines[-1]


def test_waits_say_what_for_and_what_to_do():
    secret = Wait(reason=WaitReason.SECRET, message="secret TOKEN", you="reconciler secret set acme TOKEN")
    held = replace(UPGRADE.actions[0], waits=(Wait(reason=WaitReason.DEPENDENCY, message="postgres db"),))
    lines = drawn(Plan(actions=(held,), waits=(secret,), usd_before=Decimal(1), usd_after=Decimal(1)))
    assert "waits for postgres db" in lines[1]
    assert lines[2] == "  waits: secret TOKEN (reconciler secret set acme TOKEN)"
    assert "Time: waits for secret TOKEN." in lines[-1]


def test_what_render_cannot_do_holds_nothing_else_back():
    shrink = Wait(reason=WaitReason.IMMUTABLE, message="cache cannot shrink", you="put the old value back")
    lines = drawn(replace(UPGRADE, waits=(shrink,)))
    assert "  not done: cache cannot shrink (put the old value back)" in lines
    assert "Time: starts at once" in lines[-1]
    assert drawn(Plan(waits=(shrink,)))[-1] == "Plan: nothing to do."
    held = Wait(reason=WaitReason.HELD, message="held by oncall")
    assert drawn(Plan(waits=(held,)))[-1] == "Plan: nothing to do until that is settled."


def test_hostile_names_cannot_move_the_cursor():
    action = Action(
        verb=Verb.UPDATE,
        component="a\x1b[2J",
        kind=Kind.WEB,
        name="x",
        changes=(change("plan\n", "\x07", "\u202e"),),
        notes=("\r",),
    )
    plan = Plan(
        actions=(action,), drift=("\x1b[31m",), waits=(Wait(reason=WaitReason.HELD, message="\x1b", you="\x1b"),)
    )
    assert all(line.words.isprintable() for line in render_plan.lines("h", plan))


def test_json_tells_changes_and_prices_but_no_values():
    secret = replace(
        UPGRADE.actions[0],
        verb=Verb.SET_ENV,
        values={"TOKEN": ("plaintext-token",), "DSN": (SecretRef("DSN"),)},
        payload={"note": "plaintext-payload"},
    )
    document = render_plan.document("acme", replace(UPGRADE, actions=(secret,)))
    assert "plaintext" not in str(document)
    assert document["summary"]["usdAfter"] == "125.50" and document["summary"]["change"] == 1
    assert document["actions"][0]["changes"] == [
        {"field": "plan", "before": "basic-256mb", "after": "basic-1gb", "asked": True}
    ]


def test_a_plan_that_came_over_http_is_drawn_the_same():
    from reconciler.daemon.planner import Preview, plan_json

    waiting = replace(
        UPGRADE.actions[0],
        waits=(Wait(reason=WaitReason.BUDGET, message="creates", since=datetime(2026, 1, 1, tzinfo=UTC)),),
    )
    plan = replace(UPGRADE, actions=(waiting, *UPGRADE.actions[1:]), drift=("x",))
    made = Preview(
        tenant="acme", blueprint="crm", revision=12, newest_revision=12, tier_before="a", tier_after="b", plan=plan
    )
    assert drawn(wire_plan.plan(plan_json(made))) == drawn(plan)
