"""What is kept of a pass: its plans made again, what it is called, and the stops that stood before its effects."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core import passes, stops
from reconciler.core.actions import Verb, WaitReason
from reconciler.core.guard import Caps
from reconciler.core.kinds import Kind
from reconciler.core.passes import Done, Kept, Result, Round
from reconciler.core.plan import make_plan
from reconciler.core.prices import NO_BOOK
from reconciler.core.spec import Source
from reconciler.core.stops import Brake, Hold, Refusal, Stops
from tests.core.builders import BOOK, NOW, action, blueprint, owned, plan, service, stack_of, tenant, view, wait

FREE = Stops(tenant="acme", generation=2)
HOLD = Hold(by="oncall", why="incident 311", until=NOW + timedelta(hours=2))


def kept(*rounds, result=Result.WAITED, **more):
    usual = {"began_at": NOW, "took_s": 0.1, "generation": 2, "revision": 1, "blueprint": "crm"}
    return Kept(**(usual | {"result": result, "rounds": rounds} | more))


def done(component="app", ending="succeeded", verb=Verb.CREATE):
    return Done(operation=1, verb=verb, component=component, kind=Kind.WEB, name=f"{component}-acme", ending=ending)


# ---------------------------------------------------------------- stops


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (FREE, []),
        (replace(FREE, hold=HOLD), ["held by oncall until 2026-11-23 14:00 UTC, incident 311"]),
        (replace(FREE, hold=replace(HOLD, until=NOW)), []),
        (replace(FREE, brake=Brake.OBSERVE, brake_why="drill"), ["brake is on observe (drill)"]),
        (replace(FREE, swept=False), ["the first look at the whole workspace"]),
        (
            replace(FREE, hold=HOLD, brake=Brake.STOP, swept=False),
            ["held by oncall until 2026-11-23 14:00 UTC, incident 311", "brake is on stop ()",
             "the first look at the whole workspace"],
        ),
    ],
)  # fmt: skip
def test_hold_brake_and_the_first_look_stand_before_every_effect(standing, said):
    assert [one.message for one in stops.in_force(standing, NOW)] == said
    stopped = stops.put_on(plan(action(), action(Verb.UPDATE, "db")), standing, NOW)
    for one in stopped.actions:
        assert [wait.message for wait in one.waits] == list(reversed(said))


def test_a_refused_request_waits_in_its_generation_and_only_as_it_was_asked():
    asked = action(Verb.UPDATE, payload={"plan": "pro"})
    refusal = Refusal(
        component=asked.component, request_hash=stops.request_hash(asked), generation=2, message="no", status=400
    )
    refused = stops.put_on(plan(asked), replace(FREE, refusals=(refusal,)), NOW).actions[0]
    assert [one.reason for one in refused.waits] == [WaitReason.REFUSED]
    assert "reconciler reconcile acme" in refused.waits[0].you
    other = action(Verb.UPDATE, payload={"plan": "standard"})
    for standing, one in (
        (replace(FREE, refusals=(refusal,)), other),
        (replace(FREE, generation=3, refusals=(refusal,)), asked),
    ):
        assert stops.put_on(plan(one), standing, NOW).actions[0].ready


def test_what_failed_in_this_pass_waits_and_what_waits_already_stays_as_it_is():
    failed, waiting = wait(WaitReason.RETRY), wait(WaitReason.DEPENDENCY)
    standing = replace(FREE, blocked={"app": failed})
    made = plan(action(component="app"), action(component="app", waits=(waiting,)), action(component="db"))
    assert [one.waits for one in stops.put_on(made, standing, NOW).actions] == [(failed,), (waiting,), ()]


# ---------------------------------------------------------------- plans made again


def test_a_round_gives_its_plan_again_with_its_stops_and_caps():
    rows = (owned(component="web"), owned(component="old"))
    seen = view(stack_of(), *rows)
    assert make_plan(seen).actions[-1].verb is Verb.DELETE
    free = passes.plan_again(Round(view=seen, stops=FREE), Caps())
    assert free == make_plan(seen)
    struck = passes.plan_again(Round(view=seen, stops=FREE, recent={Verb.DELETE: 60}), Caps())
    assert [one.reason for one in struck.actions[-1].waits] == [WaitReason.GUARD]
    held = passes.plan_again(Round(view=seen, stops=replace(FREE, hold=HOLD), recent={Verb.DELETE: 60}), Caps())
    assert {one.waits[0].reason for one in held.actions} == {WaitReason.HELD}


def test_a_view_gets_its_stack_and_prices_back():
    made = blueprint(service(startCommand="run ${host.web}"), service("other"))
    rows = (owned(component="web", attributes={"host": "web-acme"}),)
    spec = tenant()
    seen = view(passes.stack_of(made, 3, spec, {row.component: row for row in rows}), *rows)
    bare = replace(seen, stack=None, book=NO_BOOK)
    assert passes.restored(bare, spec, made, 3, BOOK) == replace(seen, book=BOOK)
    assert passes.restored(bare, None, made, 3, BOOK).stack is None
    assert passes.restored(bare, spec, None, 3, BOOK).stack is None
    assert passes.restored(bare, replace(spec, tier="gold"), made, 3, BOOK).stack is None


def test_an_address_inside_a_field_is_compiled_from_what_lives():
    made = blueprint(
        service("web"),
        service("site", "static", routes=[{"type": "rewrite", "source": "/a", "destination": "${url.web}/b"}]),
        source=Source(repo="https://github.com/acme/crm"),
    )
    row = owned(component="web", attributes={"url": "https://web-acme.onrender.com"})
    known = passes.stack_of(made, 1, tenant(), {"web": row})
    assert known.resources["site"].routes == (("rewrite", "/a", "https://web-acme.onrender.com/b"),)
    for rows in ({}, {"web": replace(row, observed=None)}):
        assert passes.stack_of(made, 1, tenant(), rows).resources["site"].routes is None


# ---------------------------------------------------------------- in words


def test_a_summary_says_what_was_done_or_why_not():
    two = (done("db"), done("cache"), done("web", "refused", Verb.UPDATE))
    assert passes.summary(kept(done=two, found=("old (srv-1) is gone",))) == (
        "create db, cache; refused: update web; old (srv-1) is gone"
    )
    assert passes.summary(kept(done=(done("@project"),))) == "create project"
    assert passes.summary(kept(result=Result.BROKE, error="KeyError: 'x'")) == "KeyError: 'x'"
    assert passes.summary(kept(error="x" * 999)) == "x" * passes.SUMMARY_MAX
    waiting = plan(action(waits=(wait(WaitReason.DEPENDENCY, message="postgres db"),)))
    assert passes.summary(kept(Round(view=view(), stops=FREE, plan=waiting))) == "waits for postgres db"
    assert passes.summary(kept(Round(view=view(), stops=FREE))) == "put off to its next pass"
    assert passes.summary(kept()) == "put off to its next pass"


def test_the_waits_of_a_pass_are_those_of_its_last_plan_once_each():
    secret, budget = wait(WaitReason.SECRET), wait(WaitReason.BUDGET)
    first = Round(view=view(), stops=FREE, plan=plan(action(waits=(secret,))))
    last = Round(view=view(), stops=FREE, plan=plan(action(waits=(budget,)), action(waits=(budget,)), waits=(secret,)))
    assert kept(first, last).waits == (secret, budget)
    assert kept(last, Round(view=view(), stops=FREE)).waits == ()
    assert kept().waits == ()


def test_the_same_again_has_the_same_fingerprint_and_news_have_another():
    def waiting(reason, message, component="app"):
        one = wait(reason, message=message, component=component)
        return Round(view=view(), stops=FREE, plan=plan(action(waits=(one,)), waits=(one,)))

    seventh = kept(waiting(WaitReason.BUDGET, "position 7"))
    same = passes.fingerprint(seventh)
    assert same
    assert passes.fingerprint(kept(waiting(WaitReason.BUDGET, "position 3"), took_s=9.0)) == same
    for other in (
        kept(waiting(WaitReason.SECRET, "position 7")),
        replace(seventh, generation=3),
        replace(seventh, revision=2),
        replace(seventh, phase="Blocked"),
        replace(seventh, error="KeyError"),
        replace(seventh, result=Result.FAILED, done=(done(ending="denied"),)),
    ):
        assert passes.fingerprint(other) not in ("", same)
    assert passes.fingerprint(kept(result=Result.BROKE)) and passes.fingerprint(kept(Round(view=view(), stops=FREE)))
    assert passes.fingerprint(replace(seventh, done=(done(),))) == ""
    assert passes.fingerprint(replace(seventh, found=("adopted",))) == ""
