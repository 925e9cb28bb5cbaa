"""Status: for every state of a tenant its phase, its conditions, and the two lines "why" and "you"."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core import guard
from reconciler.core.actions import WaitReason
from reconciler.core.conditions import REASONS, Findings, all_waits, build_status, failing
from reconciler.core.health import judge
from reconciler.core.observed import Deploy
from reconciler.core.plan import Plan
from reconciler.core.spec import DesiredState, DriftPolicy, Ready
from reconciler.core.status import ConditionType, Phase, Reason
from tests.core.builders import BOOK, NOW, action, blueprint, database, from_database, later, owned, service, view, wait
from tests.core.world import World

CRM = blueprint(
    service("web", env={"DB": from_database("db"), "KEY": None}),
    databases=[database()],
    ready=Ready(path="/health", within_s=900),
)
URL = "https://web-acme.onrender.com"


def fresh():
    world = World(CRM)
    world.gives(KEY="k")
    return world


def up():
    world = fresh()
    world.converge()
    return world


def judged(world, *, plan=None, **said):
    """The status after a pass over this world."""
    seen = world.view()
    plan = plan or world.plan()
    keys = [*(seen.stack.resources if seen.stack else ()), *seen.owned]
    usual = {
        "view": seen,
        "plan": plan,
        "health": {key: judge(seen.live(key), seen.now) for key in keys},
        "generation": 2,
        "revision": 1,
        "previous": None,
        "generation_at": NOW,
    }
    return build_status(Findings(**{**usual, **said}))


def ready_of(status):
    (one,) = [one for one in status.conditions if one.type is ConditionType.READY]
    return one.status, one.reason


def synced_of(status):
    (one,) = [one for one in status.conditions if one.type is ConditionType.SYNCED]
    return one.status, one.reason


# ---------------------------------------------------------------- coming up


def test_pending_before_anything_was_planned():
    status = judged(fresh(), plan=Plan())
    assert (status.phase, ready_of(status)) == (Phase.PENDING, ("False", Reason.CREATING))


def test_provisioning_names_who_waits_for_whom():
    status = judged(fresh())
    assert status.phase is Phase.PROVISIONING
    assert ready_of(status) == ("False", Reason.WAITING)
    assert status.why.startswith("db waits for environment; web waits for environment")
    assert (status.you, status.next) == ("nothing to do", "create project")
    assert (status.up, status.total, status.monthly_usd) == (0, 2, 0)
    assert status.monthly_usd_desired == pytest.approx(17.5, abs=1)
    assert status.eta is not None
    states = {one.component: one.state for one in status.components}
    assert states == {"db": "waits for environment", "web": "waits for environment"}


def test_queued_says_when_the_next_hour_opens():
    world = fresh()
    queue = wait(WaitReason.BUDGET, "20 of 20 used; position 1, about 13:00", until=later(hours=1))
    plan = Plan(actions=(action(component="web", waits=(queue,)),), eta_s=180.0)
    status = judged(world, plan=plan)
    assert (ready_of(status), synced_of(status)) == (("False", Reason.QUEUED), ("False", Reason.QUEUED))
    assert status.why == queue.message
    assert status.eta == later(hours=1, minutes=3)
    assert status.next == "update web service web"


def test_deploying_until_every_component_is_live():
    world = up()
    world._know(world.owned["web"], deploy=Deploy(id="d", status="build_in_progress", created_at=NOW))
    status = judged(world)
    assert (status.phase, ready_of(status)) == (Phase.PROVISIONING, ("False", Reason.DEPLOYING))
    assert status.why == "web: deploys (build in progress)"


def test_blocked_by_a_secret_says_which_and_that_nothing_costs_money():
    status = judged(World(CRM))
    assert (status.phase, ready_of(status)) == (Phase.BLOCKED, ("False", Reason.SECRET_MISSING))
    assert status.why == "secret KEY (web) has no value. Nothing was created, nothing costs money."
    assert status.you == "reconciler secret set acme KEY"


def test_blocked_later_does_not_claim_that_nothing_was_created():
    world = fresh()
    world.round()
    world.secrets.clear()
    status = judged(world)
    assert (status.phase, status.why) == (Phase.BLOCKED, "secret KEY (web) has no value")


def test_outcome_unknown_says_that_it_is_looked_up():
    world = fresh()
    world.round()
    text = "create of web-acme got no answer at 13:23:51. Looked: not there"
    world.said = {"open": {"web": wait(WaitReason.OPERATION, text, component="web")}}
    status = judged(world)
    assert ready_of(status) == ("False", Reason.OUTCOME_UNKNOWN)
    assert status.why == text


# ---------------------------------------------------------------- ready, and not any more


def test_ready_when_its_url_answers():
    status = judged(up(), probe=(f"{URL}/health", 200))
    assert (status.phase, ready_of(status)) == (Phase.READY, ("True", Reason.AVAILABLE))
    assert status.why == f"{URL}/health answers 200"
    assert (status.up, status.total, status.url) == (2, 2, URL)
    assert status.ready_since == up().now
    assert (status.eta, status.next) == (None, "")
    assert synced_of(status) == ("True", Reason.IN_SYNC)


def test_ready_without_a_url_to_ask():
    assert judged(up()).why == "every component is up"


@pytest.mark.parametrize(("answer", "text"), [(503, "answers 503"), (None, "does not answer"), (400, "answers 400")])
def test_a_url_that_does_not_answer_is_waited_for_and_then_degraded(answer, text):
    world = up()
    status = judged(world, probe=(URL, answer), probe_since=world.now)
    assert (status.phase, ready_of(status)) == (Phase.PROVISIONING, ("False", Reason.NOT_ANSWERING))
    assert status.why == f"{URL} {text}"
    late = judged(world, probe=(URL, answer), probe_since=world.now - timedelta(seconds=901))
    assert late.phase is Phase.DEGRADED
    assert late.you.startswith("look at the logs of web at Render")


def test_ready_is_not_for_ever():
    world = up()
    before = judged(world, probe=(URL, 200))
    silent = judged(world, probe=(URL, None), previous=before)
    assert silent.phase is Phase.DEGRADED
    assert judged(world, probe=(URL, None), previous=silent).phase is Phase.DEGRADED
    assert silent.ready_since == before.ready_since


@pytest.mark.parametrize(
    ("known", "reason", "why"),
    [
        ({"deploy": Deploy(id="d", status="build_failed")}, Reason.DEPLOY_FAILED, "web: deploy ended as build failed"),
        ({"failure": "server failed: exit 1"}, Reason.FAILED, "web: server failed: exit 1"),
    ],
)
def test_a_failed_deploy_and_a_crashed_server_are_degraded(known, reason, why):
    world = up()
    world._know(world.owned["web"], **known)
    status = judged(world)
    assert (status.phase, ready_of(status), status.why) == (Phase.DEGRADED, ("False", reason), why)
    assert "look at the logs of web" in status.you


def test_an_edit_of_a_ready_tenant_is_updating():
    world = up()
    before = judged(world)
    world.becomes(overrides={"web": {"plan": "pro"}})
    status = judged(world, previous=before)
    assert (status.phase, ready_of(status)) == (Phase.UPDATING, ("False", Reason.UPDATING))
    assert status.why == "update web service web"
    assert synced_of(status) == ("False", Reason.UPDATING)


def test_several_actions_are_counted():
    plan = Plan(actions=(action(), action(component="db")))
    assert judged(up(), plan=plan).why == "update web service web and 1 more"


def test_what_cannot_be_done_does_not_make_what_runs_unready():
    world = up()
    world.becomes(region="ohio")
    status = judged(world)
    assert (status.phase, ready_of(status)[0], synced_of(status)) == (Phase.READY, "True", ("False", Reason.IMMUTABLE))
    assert "; but region of db cannot be changed once it is built" in status.why
    assert status.you == "put the old value back in the spec"


def test_lost_data_is_degraded_and_says_how_to_accept_it():
    world = up()
    world.human_deletes("db")
    status = judged(world, previous=judged(up()))
    assert (status.phase, ready_of(status)) == (Phase.DEGRADED, ("False", Reason.DATA_LOSS))
    assert "restore it from a backup" in status.you


# ---------------------------------------------------------------- stopped


@pytest.mark.parametrize(("reason", "expected"), [(WaitReason.HELD, Reason.HELD), (WaitReason.BRAKE, Reason.BRAKED)])
def test_held_and_braked_say_who_must_let_go(reason, expected):
    world = fresh()
    stop = wait(reason, 'held by key "oncall" until 16:00, incident 311', you="reconciler hold acme --release")
    status = judged(world, plan=guard.stopped(world.plan(), stop))
    assert (status.phase, ready_of(status)) == (Phase.BLOCKED, ("False", expected))
    assert stop.message in status.why
    assert status.you == stop.you
    calm = judged(up(), waits=[stop])
    assert (calm.phase, synced_of(calm)) == (Phase.READY, ("False", expected))


def test_every_reason_to_wait_has_a_reason_of_a_condition_and_an_order():
    assert set(REASONS) == set(WaitReason)
    world = up()
    waits = [wait(reason, str(reason)) for reason in reversed(WaitReason)]
    found = Findings(
        view=world.view(), plan=Plan(waits=tuple(waits)), health={}, generation=1, revision=1, previous=None,
        generation_at=NOW,
    )  # fmt: skip
    assert [one.reason for one in all_waits(found)] == list(REASONS)


def test_invalid_shows_the_first_problem_and_leaves_the_rest_to_synced():
    made = view(None, owned())
    status = judged(up(), view=made, plan=Plan(), invalid=("spec.tier: no", "spec.params: no"))
    assert (status.phase, ready_of(status)) == (Phase.INVALID, ("False", Reason.INVALID))
    assert (status.why, status.you) == ("spec.tier: no", "edit the spec: reconciler apply acme ...")
    assert status.conditions[1].message == "spec.tier: no; spec.params: no"
    assert status.components[0].component == "web"


def test_suspended_before_anything_was_created():
    world = World(CRM)
    world.becomes(state=DesiredState.SUSPENDED)
    status = judged(world)
    assert (status.phase, status.why) == (Phase.SUSPENDED, "suspended in its spec; nothing was created")
    assert status.monthly_usd == 0
    assert {one.state for one in status.components} == {"not created"}


def test_suspending_then_suspended_then_resuming():
    world = up()
    world.becomes(state=DesiredState.SUSPENDED)
    assert judged(world).phase is Phase.SUSPENDING
    world.converge()
    status = judged(world)
    assert (status.phase, status.why) == (Phase.SUSPENDED, "suspended in its spec")
    world.becomes(state=DesiredState.RUNNING)
    resuming = judged(world, previous=status)
    assert ready_of(resuming) == ("False", Reason.RESUMING)
    assert resuming.why == "db: suspended"


def test_a_suspension_by_render_is_degraded_and_by_a_policy_that_only_reports_it_is_said():
    world = up()
    world.human_suspends("web", by=("billing",))
    status = judged(world)
    assert (status.phase, ready_of(status)) == (Phase.DEGRADED, ("False", Reason.SUSPENDED_BY_RENDER))
    reported = up()
    reported.blueprint = replace(CRM, drift=DriftPolicy.REPORT)
    reported.human_suspends("web")
    assert "the Blueprint says drift: report" in judged(reported).why


def test_deleting_says_until_when_one_may_change_ones_mind():
    world = up()
    world.becomes(state=DesiredState.DELETED)
    status = judged(world, purge_at=later(days=7))
    assert (status.phase, ready_of(status)) == (Phase.DELETING, ("False", Reason.DELETING))
    kept = "its data is kept until 2026-11-30 12:00 UTC"
    assert status.why == f"is being suspended; {kept}; db waits for web service web"
    world.converge()
    assert judged(world, purge_at=later(days=7)).why == f"suspended; {kept}"
    assert status.you == "to undo: reconciler resume acme"
    world.said = {"purge": True}
    over = judged(world, purge_at=later(days=-1))
    assert over.why.startswith("is being purged; ")
    assert over.you == "nothing to do"


def test_what_has_been_asked_to_stop_and_has_not_yet_is_waited_for():
    world = World(blueprint())
    world.converge()
    world.becomes(state=DesiredState.SUSPENDED)
    world.round()
    world._see(world.owned["web"], suspenders=())
    assert judged(world).conditions[1].message == "waits for web service web to stop"


@pytest.mark.parametrize(
    ("phase", "synced", "stuck"),
    [
        (Phase.DEGRADED, Reason.IN_SYNC, True),
        (Phase.UPDATING, Reason.REFUSED, True),
        (Phase.UPDATING, Reason.WAITING, False),
        (Phase.READY, Reason.IN_SYNC, False),
    ],
)
def test_a_tenant_that_cannot_go_on_by_itself_is_failing(phase, synced, stuck):
    assert failing(phase, synced) is stuck


def test_purged_is_the_end():
    world = World(CRM)
    world.becomes(state=DesiredState.DELETED)
    status = judged(world, purged=True)
    assert (status.phase, ready_of(status)) == (Phase.DELETED, ("False", Reason.PURGED))


# ---------------------------------------------------------------- drift, times, money


def test_drift_is_true_while_it_lasts_and_says_whether_it_is_healed():
    world = up()
    world.human_env("web", X="1")
    found = judged(world).conditions[2]
    assert (found.status, found.message) == ("True", "web: variable X was added")
    world.human_env("web", X=None, DB="x")
    found = judged(world).conditions[2]
    assert (found.status, found.message) == ("True", "web: variable DB was changed; being healed")


def test_since_moves_only_when_the_condition_flips():
    world = up()
    before = judged(world)
    world.step(hours=1)
    after = judged(world, previous=before)
    assert [one.since for one in after.conditions] == [one.since for one in before.conditions]
    assert after.components[0].since == before.components[0].since
    world.human_env("web", X="1")
    assert judged(world, previous=after).conditions[2].since == world.now


def test_an_unknown_price_makes_the_sum_unknown_and_never_zero():
    world = up()
    world.human("web", plan="quantum")
    assert judged(world).monthly_usd is None
    world.said = {"book": replace(BOOK, tables={})}
    assert judged(world).monthly_usd_desired is None


def test_what_is_not_in_the_stack_any_more_is_still_shown():
    world = up()
    world.revises(blueprint(service("web", env={"KEY": None})))
    shown = {one.component: one for one in judged(world).components}
    assert shown["db"].state == "available"
    world.human_deletes("db")
    shown = {one.component: one for one in judged(world).components}
    assert (shown["db"].healthy, shown["db"].name, shown["db"].usd) == (False, "", None)
