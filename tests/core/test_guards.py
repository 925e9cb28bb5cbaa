"""What must not happen, when to look again, and small values: caps, shrunken pictures, backoff, secrets, prices."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from reconciler.core import guard, prices, resolve, schedule, values
from reconciler.core.actions import Verb, WaitReason
from reconciler.core.compile import plugins
from reconciler.core.errors import Invalid, Problem, RenderError, Throttled
from reconciler.core.kinds import Kind
from reconciler.core.observed import canonical_allow_list
from reconciler.core.plan.outcome import dated
from reconciler.core.spec import Plugin
from reconciler.core.stops import Stops, put_on, request_hash
from reconciler.core.values import Live, SecretRef, Sensitive
from tests.core.builders import (
    BOOK,
    NOW,
    REPO,
    action,
    blueprint,
    later,
    observed,
    owned,
    plan,
    service,
    stack_of,
    tenant,
    wait,
)

CAPS = guard.Caps()
PACE = schedule.Pace()
NODE = {"runtime": "node", "repo": REPO, "buildCommand": "make", "startCommand": "run"}


# ---------------------------------------------------------------- guards


@pytest.mark.parametrize(
    ("before", "after", "stops"),
    [(0, 0, False), (5, 0, False), (6, 0, True), (100, 80, False), (100, 79, True), (100, 120, False)],
)
def test_a_picture_that_shrank_by_more_than_a_fifth_is_not_believed(before, after, stops):
    assert guard.shrunken(before, after, CAPS) is stops


@pytest.mark.parametrize(
    ("unasked", "tenants", "stops"), [(9, 20, False), (10, 100, True), (10, 200, False), (11, 200, True)]
)
def test_a_mass_change_is_more_than_a_twentieth_and_at_least_ten(unasked, tenants, stops):
    assert guard.mass_change(unasked, tenants, CAPS) is stops


def test_deletes_and_suspends_beyond_the_cap_wait_and_nothing_else_does():
    held = action(Verb.DELETE, "d", waits=(wait(),))
    many = plan(action(Verb.DELETE, "a"), action(Verb.DELETE, "b"), held, action(Verb.SUSPEND, "c"), action())
    capped, struck = guard.capped(many, {Verb.DELETE: 59}, CAPS)
    assert [one.component for one in capped.actions if one.ready] == ["a", "c", "web"]
    assert struck == ("delete_cap",)
    (stop,) = capped.actions[1].waits
    assert (stop.reason, stop.message) == (WaitReason.GUARD, "the cap of deletes in ten minutes over all tenants")
    assert guard.capped(many, {}, CAPS) == (many, ())


@pytest.mark.parametrize(
    ("in_a_row", "tenants", "minutes"),
    [(4, 4, None), (5, 2, None), (5, 3, 1), (6, 3, 2), (8, 5, 8), (9, 3, 10), (99, 9, 10)],
)
def test_a_breaker_opens_for_longer_with_each_failure(in_a_row, tenants, minutes):
    assert guard.broken_for(in_a_row, tenants) == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize(("since_hours", "stops"), [(None, True), (1, False), (3, True)])
def test_a_release_answers_the_guard_for_two_hours(since_hours, stops):
    since = None if since_hours is None else timedelta(hours=since_hours)
    assert guard.mass_change(10, 100, CAPS, since) is stops


def test_what_was_done_again_and_again_waits_for_a_person():
    again, other, birth = action(Verb.UPDATE, "a"), action(Verb.UPDATE, "b"), action(Verb.CREATE, "c")
    key = request_hash(again)
    twice = Stops(tenant="acme", generation=1, spins={key: guard.SPINS_MAX}, births={"b": 99, "c": guard.BIRTHS_MAX})
    stopped = put_on(plan(again, other, birth), twice, NOW)
    assert [one.component for one in stopped.actions if one.ready] == ["b"]
    assert {one.waits[0].reason for one in stopped.actions if one.waits} == {WaitReason.GUARD}
    assert "update of a was done 12 times" in stopped.actions[0].waits[0].message
    assert "c was created 5 times within a day" in stopped.actions[2].waits[0].message
    assert stopped.actions[2].waits[0].you.endswith("reconciler reconcile acme")
    few = Stops(tenant="acme", generation=1, spins={key: guard.SPINS_MAX - 1}, births={"c": guard.BIRTHS_MAX - 1})
    assert put_on(plan(again, birth), few, NOW) == plan(again, birth)


def test_a_stop_stands_before_every_action_and_before_its_other_waits():
    stop = wait(WaitReason.BRAKE, "brake")
    stopped = guard.stopped(plan(action(), action(waits=(wait(),))), stop)
    assert [one.waits[0] for one in stopped.actions] == [stop, stop]
    assert not any(one.ready for one in stopped.actions)


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (1, 5), (2, 10), (4, 40), (9, 600), (10_000, 600)])
def test_backoff_doubles_to_its_maximum_over_its_upper_half(failures, seconds):
    assert schedule.backoff(PACE, failures, 1.0) == timedelta(seconds=seconds)
    assert schedule.backoff(PACE, failures, 0.0) == timedelta(seconds=seconds / 2)


@pytest.mark.parametrize(("lasted", "pause"), [(0, 5), (60, 9), (400, 60), (9999, 60)])
def test_short_waits_are_watched_closely_long_ones_calmly(lasted, pause):
    assert schedule.poll(NOW, later(seconds=lasted)) == timedelta(seconds=pause)
    assert schedule.poll(None, NOW) == timedelta(seconds=5)


@pytest.mark.parametrize(("chance", "minutes"), [(0.0, 54), (0.5, 60), (1.0, 66)])
def test_the_resync_is_spread_by_a_tenth(chance, minutes):
    assert schedule.resync(PACE, chance) == timedelta(minutes=minutes)


def test_a_state_is_dated_when_it_moves():
    row = owned(Kind.POSTGRES, "db", status="available")
    moved = dated(row, later(hours=1))
    assert (moved.since, moved.known.state) == (later(hours=1), "available")
    assert dated(moved, later(hours=2)) is moved
    asleep = replace(moved, observed=observed(Kind.POSTGRES, "db", suspenders=("user",), status="suspended"))
    assert dated(asleep, later(hours=2)).since == later(hours=2)
    unseen = replace(row, observed=None)
    assert dated(unseen, NOW) is unseen


# ---------------------------------------------------------------- values


def test_a_secret_shows_itself_to_no_one_but_who_asks():
    secret = Sensitive("pl4int3xt")
    assert "pl4int3xt" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "pl4int3xt"


def test_a_hash_is_equal_only_for_the_same_key_place_and_text():
    hashes = {values.digest(key, place, text) for key in (b"1", b"2") for place in "ab" for text in "xy"}
    assert len(hashes) == 8
    assert all(len(one) == 32 for one in hashes)


def test_a_value_is_joined_or_says_all_it_needs():
    value = ("a", Live("db", "host"), SecretRef("K"), "z")
    assert values.resolve(value, lambda hole: "-").reveal() == "a--z"
    assert values.resolve(value, lambda hole: None).needs == (Live("db", "host"), SecretRef("K"))
    assert values.holes(value) == (Live("db", "host"), SecretRef("K"))


def test_plaintext_refuses_what_is_not_known_by_name():
    with pytest.raises(LookupError, match="no value yet for A, B"):
        resolve.plaintext({"B": (SecretRef("x"),), "A": (SecretRef("y"),), "C": ("1",)}, lambda hole: None)


# ---------------------------------------------------------------- errors


def test_a_problem_is_one_line_with_place_value_and_remedy():
    full = Problem(path="spec.tier", message="is wrong", value='"gold"', remedy="use pro", file="a.yaml", line=8)
    assert str(full) == 'a.yaml:8 spec.tier: is wrong, found "gold"; use pro'
    assert str(Problem(path="spec", message="is wrong", file="a.yaml")) == "a.yaml spec: is wrong"
    assert str(Invalid([full, Problem(path="b", message="c")])).count("\n") == 1


def test_errors_of_render_carry_what_is_needed_to_act():
    error = Throttled("slow down", until=later(minutes=1), bucket="create")
    assert (error.until, error.bucket, error.status, error.message) == (later(minutes=1), "create", 429, "slow down")
    assert RenderError("x", status=500, request_id="r").request_id == "r"


# ---------------------------------------------------------------- plugins


def commands(*plugged, **fields):
    one = service(**{**NODE, **fields})
    return stack_of(one, who=tenant(plugins=plugged)).resources["web"]


def test_a_plugin_is_cloned_before_the_build_every_argument_quoted():
    hostile = Plugin(repo="https://x.example/a b.git", ref="v1; rm -rf /", path="p $(id)")
    resource = commands(hostile)
    command = resource.fields["buildCommand"]
    assert command.endswith(" && make")
    assert "'https://x.example/a b.git' 'v1; rm -rf /'" in command
    assert "'/opt/render/project/src/custom_plugins/p $(id)'" in command
    assert resource.env["CUSTOM_PLUGINS_PATH"] == (plugins.NATIVE_FOLDER,)


def test_plugins_without_a_path_are_named_after_their_repository_and_follow_each_other():
    command = commands(Plugin(repo="git@x.example:team/one.git"), Plugin(repo="https://x/two/")).fields["buildCommand"]
    assert command.index("/custom_plugins/one ") < command.index("/custom_plugins/two ")
    assert " HEAD && " in command


def test_docker_takes_plugins_before_its_command_in_one_shell():
    one = service(runtime="docker", repo=REPO, dockerCommand="run 'it'")
    fields = stack_of(one, who=tenant(plugins=(Plugin(repo=REPO),))).resources["web"].fields
    assert fields["dockerCommand"].startswith("sh -c 'rm -rf /tmp/custom_plugins/crm ")
    assert fields["dockerCommand"].endswith("&& run '\"'\"'it'\"'\"''")


def test_plugins_go_where_they_can_and_a_named_component_that_cannot_is_told():
    services = [service(**NODE), service("image"), service("bare", runtime="docker", repo=REPO)]
    database = {"name": "db", "plan": "basic-256mb"}
    stack = stack_of(*services, databases=[database], who=tenant(plugins=(Plugin(repo=REPO),)))
    assert [key for key, one in stack.resources.items() if "CUSTOM_PLUGINS_PATH" in one.env] == ["web"]
    for name, told in (("image", "this web service cannot take a plugin"), ("x", "no such component")):
        with pytest.raises(Invalid, match=told):
            stack_of(*services, who=tenant(plugins=(Plugin(repo=REPO, components=(name,)),)))


# ---------------------------------------------------------------- prices


@pytest.mark.parametrize(
    ("kind", "fields", "usd"),
    [
        (Kind.WEB, {"plan": "starter"}, "7"),
        (Kind.WEB, {"plan": "2c-8g"}, "135"),
        (Kind.WEB, {"plan": "standard", "numInstances": 2}, "50"),
        (Kind.WEB, {"plan": "starter", "autoscaling": {"min": 3, "max": 9}, "numInstances": 1}, "21"),
        (Kind.WEB, {"plan": "starter", "disk": {"sizeGB": 10}}, "9.5"),
        (Kind.WEB, {"plan": "quantum"}, None),
        (Kind.STATIC, {}, "0"),
        (Kind.CRON, {"plan": "starter"}, "1"),
        (Kind.KEY_VALUE, {"plan": "starter"}, "10"),
        (Kind.KEY_VALUE, {"plan": "quantum"}, None),
        (Kind.POSTGRES, {"plan": "basic_256mb"}, "10.5"),
        (Kind.POSTGRES, {"plan": "free"}, "0"),
        (Kind.POSTGRES, {"plan": "basic_256mb", "highAvailabilityEnabled": True, "readReplicas": ["a"]}, "31.5"),
        (Kind.POSTGRES, {"plan": "quantum"}, None),
        (Kind.ENV_GROUP, {}, "0"),
    ],
)
def test_prices_of_what_is_seen(kind, fields, usd):
    expected = None if usd is None else Decimal(usd)
    assert prices.of_observed(BOOK, observed(kind, fields=fields), NOW.date()) == expected


def test_suspended_compute_is_free_and_its_storage_is_not():
    asleep = observed(fields={"plan": "starter", "disk": {"sizeGB": 10}}, suspenders=("user",))
    assert prices.of_observed(BOOK, asleep, NOW.date()) == Decimal("2.5")
    fact = prices.facts(Kind.WEB, asleep.fields, suspended=True)
    assert fact.as_json() == {
        "kind": "web service",
        "plan": "starter",
        "instances": 1,
        "storage_gb": 10,
        "suspended": True,
    }


def test_a_price_holds_from_a_day_until_before_another():
    assert BOOK.price("key_value", "standard", date(2026, 9, 30)) == 32
    assert BOOK.price("key_value", "standard", date(2026, 10, 1)) == 20


def test_a_stack_is_summed_and_unknown_prices_are_counted():
    stack = stack_of(service(plan="starter"), service("b", "keyvalue", plan="starter"))
    assert prices.of_stack(BOOK, stack, NOW.date()) == (17, 0)
    half = replace(BOOK, tables={**BOOK.tables, "key_value": ()})
    assert prices.of_stack(half, stack, NOW.date()) == (7, 1)


@pytest.mark.parametrize("broken", [{"services": {}}, {"rates": []}])
def test_a_malformed_book_is_refused(broken):
    good = {"version": "1", "services": [], "cron": [], "postgres": [], "key_value": [], "rates": {}}
    assert prices.book_from(good).version == "1"
    with pytest.raises(TypeError, match="price book"):
        prices.book_from({**good, **broken})


def test_an_allow_list_of_nothing_is_an_empty_list():
    assert canonical_allow_list(None) == []
    assert blueprint().drift
