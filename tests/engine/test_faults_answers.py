"""Answers that say nonsense: absurd limits, names taken by ourselves, other schemas, nulls, clocks that are off."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from tests.engine.drifting import DATA, PLAIN, conditions, settled, swept, swept_soon
from tests.engine.faulty import (
    DATA_COUNT,
    PLAIN_COUNT,
    birth,
    calls,
    counted,
    open_operations,
    spent,
    standing,
    status_of,
    struck,
    through,
)
from tests.engine.world import ACTOR, World

CREATES = "^/v1/(projects|services|postgres|key-value|env-groups)$"
WORKSPACE = "^/v1/(projects|environments|services|postgres|key-value|env-groups)$"
HOUR_S = 3600.0
LONG = pytest.mark.long
FAILURES = {"Failed", "Refused", "Denied"}


# --- 429 and 5xx


@pytest.mark.parametrize(
    "retry_after",
    [str(10**12), "date", *(pytest.param(text, marks=LONG) for text in ("soon", "-5", "1e9", "0"))],
)
async def test_a_429_that_says_nonsense_is_waited_out_for_an_hour_at_most(world: World, retry_after: str) -> None:
    if retry_after == "date":
        retry_after = format_datetime((await world.now()) + timedelta(minutes=10), usegmt=True)
    rule = {"fault": "status", "status": 429, "retry_after": retry_after, "headers": False, "count": 2}
    await world.simulator.fault(method="POST", path="/v1/services$", **rule)
    await world.simulator.fault(method="GET", path="^/v1/services/srv-", **rule)
    await birth(world, PLAIN, "acme")
    await world.settle("acme", within_s=5 * HOUR_S, step_s=60.0)
    assert await struck(world) == 4, "asked again no sooner than was said, and not for ever either"
    assert FAILURES.isdisjoint(await world.events("acme")), await world.picture()
    await through(world, "acme", counts=PLAIN_COUNT)


async def test_a_429_dated_by_http_is_waited_out_until_that_date(world: World) -> None:
    until = (await world.now()) + timedelta(minutes=20)
    await world.simulator.fault(
        fault="status", status=429, method="POST", path="/v1/projects$", headers=False,
        retry_after=format_datetime(until, usegmt=True),
    )  # fmt: skip
    await birth(world, PLAIN, "acme")
    await spent(world, 18 * 60)
    assert await struck(world) == 1, "nobody asks before"
    await spent(world, 5 * 60)
    assert await struck(world) >= 2
    await through(world, "acme", counts=PLAIN_COUNT)


@pytest.mark.parametrize("reset", [10**12, 1_790_000_000])
async def test_limits_that_never_end_are_not_believed(world: World, reset: int) -> None:
    rule = {"fault": "status", "status": 429, "ratelimit_reset": reset, "count": 2}
    await world.simulator.fault(method="POST", path=CREATES, **rule)
    await world.simulator.fault(method="GET", path="^/v1/services/", **rule)
    await birth(world, PLAIN, "acme")
    await world.settle("acme", within_s=5 * HOUR_S, step_s=60.0)
    assert await struck(world) == 4
    await through(world, "acme", counts=PLAIN_COUNT)


@pytest.mark.parametrize("status", [pytest.param(500, marks=LONG), 502, pytest.param(503, marks=LONG)])
async def test_a_server_error_that_lasts_is_asked_about_calmly_and_over_by_itself(hasty: World, status: int) -> None:
    await settled(hasty, PLAIN)
    before = (await hasty.simulator.truth())["write_seq"]
    async with standing(hasty, "status", status=status, path="^/v1/"):
        await hasty.detail("acme", env={"app": {"MODE": "new"}})
        spending = await spent(hasty, 600, step_s=120)
        assert 6 <= spending <= 80, spending
        assert (await hasty.simulator.truth())["write_seq"] == before
    await through(hasty, "acme", counts=PLAIN_COUNT)
    assert (await hasty.live("services", "app-acme"))["running"]["env"]["MODE"] == "new"


@pytest.mark.parametrize("status", [pytest.param(500, marks=LONG), 502, pytest.param(503, marks=LONG)])
async def test_creates_that_fail_without_effect_are_made_in_the_end_and_once(hasty: World, status: int) -> None:
    await hasty.simulator.fault(fault="status", status=status, method="POST", path=CREATES, count=4)
    await birth(hasty, PLAIN, "acme")
    await hasty.settle("acme", step_s=30.0)
    assert "Recovered" in await hasty.events("acme")
    await through(hasty, "acme", counts=PLAIN_COUNT)


# --- a name that is said to be taken after the create worked


async def test_a_create_that_works_and_says_that_its_name_is_taken_is_ours(world: World) -> None:
    await world.simulator.fault(fault="status", status=409, after=True, method="POST", path=CREATES)
    await birth(world, DATA, "acme")
    await world.settle("acme", step_s=30.0)
    assert await struck(world) == 5, "every create was sent once"
    assert (await world.events("acme")).count("Adopted") == 5
    await through(world, "acme", counts=DATA_COUNT)


async def test_it_is_ours_even_where_the_lists_lag_behind(world: World) -> None:
    await world.simulator.fault(fault="status", status=409, after=True, method="POST", path="^/v1/services$", count=2)
    await world.simulator.fault(fault="list_lag", lag_s=60)
    await birth(world, PLAIN, "acme")
    await world.settle("acme", step_s=10.0)
    await through(world, "acme", counts=PLAIN_COUNT)


@pytest.mark.long
async def test_a_name_taken_by_nobody_who_can_be_seen_is_said_and_costs_few_creates(world: World) -> None:
    async with standing(world, "status", status=409, message="name in use", method="POST", path="^/v1/services$"):
        await birth(world, PLAIN, "acme")
        await spent(world, 600)
        assert await struck(world) <= 4, "two services, asked for again after ten minutes"
        status = await status_of(world)
        assert 'was answered "name in use"' in status.why and "Looked: not there" in status.why, status.why
        assert await spent(world, HOUR_S) <= 200
        assert await struck(world) <= 16
    await through(world, "acme", counts=PLAIN_COUNT)


# --- lists and bodies


async def test_a_cursor_that_expires_between_pages_ends_the_look_not_the_tenant(world: World) -> None:
    env = [f"{{key: V{number}, value: x}}" for number in range(120)]
    wide = PLAIN.replace("{key: SIDE, value: left}", ", ".join(["{key: SIDE, value: left}", *env]))
    await settled(world, wide)
    before = (await world.simulator.truth())["write_seq"]
    async with standing(world, "cursor_expired"):
        await world.registry.reconcile("acme", ACTOR)  # looks at every variable
        assert await spent(world, 1800, step_s=60) <= 150
        assert 3 <= await struck(world) <= 60
        assert (await status_of(world)).phase == "Ready"
    assert await world.simulator.writes(before) == [], "what the second page would have shown is not held to be missing"
    await through(world, "acme", counts=PLAIN_COUNT)


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        ("list_empty", WORKSPACE),
        ("list_half", WORKSPACE),
        ("null_body", "^/v1/"),
        pytest.param("wrong_schema", "^/v1/", marks=LONG),
    ],
)
async def test_answers_that_show_nothing_or_half_change_nothing_however_long(
    world: World, fault: str, path: str
) -> None:
    await settled(world, PLAIN)
    await birth(world, DATA, "bolt")
    await world.settle(step_s=30.0)
    before = (await world.simulator.truth())["write_seq"]
    async with standing(world, fault, method="GET", path=path):
        for _ in range(3):
            await swept(world)
        await world.wake_all()
        await spent(world, 600, step_s=60)
        await world.wake_all()
        spending = await spent(world, HOUR_S / 2, step_s=60)
        assert await world.simulator.writes(before) == [], await world.picture()
        assert spending <= 200, spending
    await through(world, counts={kind: count + DATA_COUNT[kind] for kind, count in PLAIN_COUNT.items()})
    assert await world.simulator.writes(before) == [], await world.picture()


@pytest.mark.parametrize("fault", ["list_empty", pytest.param("list_half", marks=LONG)])
async def test_lists_of_parts_that_lie_are_caught_by_asking_for_a_part_by_name(world: World, fault: str) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("env-set", "app-acme", key="PERSONAL", value="kept")
    await world.registry.reconcile("acme", ACTOR)
    await world.settle("acme", step_s=30.0)
    before = (await world.simulator.truth())["write_seq"]
    async with standing(world, fault, method="GET", path="/(env-vars|secret-files|custom-domains)$"):
        await world.registry.reconcile("acme", ACTOR)  # looks at every variable, file and domain
        spending = await spent(world, HOUR_S)
        assert await world.simulator.writes(before) == [], await world.picture()
        assert spending <= 200, spending
        assert (await status_of(world)).phase == "Ready"
    await world.simulator.human("env-delete", "app-acme", key="COLOUR")  # what is really gone is put back
    await world.registry.reconcile("acme", ACTOR)
    await through(world, "acme", counts=PLAIN_COUNT)
    env = (await world.live("services", "app-acme"))["envVars"]
    assert env["PERSONAL"] == "kept" and env["COLOUR"] == "blue"


@pytest.mark.parametrize("fault", ["null_body", "wrong_schema"])
async def test_creates_that_answer_in_another_schema_are_found(world: World, fault: str) -> None:
    await world.simulator.fault(fault=fault, method="POST")
    await birth(world, DATA, "acme")
    await world.settle("acme", step_s=30.0)
    assert (await world.events("acme")).count("Adopted") == 5
    await through(world, "acme", counts=DATA_COUNT)


@pytest.mark.parametrize(
    "fault",
    ["list_empty", pytest.param("list_half", marks=LONG), "null_body", pytest.param("wrong_schema", marks=LONG)],
)
async def test_a_birth_with_lost_answers_amid_bad_lists_is_not_doubled(hasty: World, fault: str) -> None:
    await hasty.simulator.fault(fault="reset", method="POST", path=CREATES)
    await hasty.simulator.fault(fault=fault, method="GET", probability=0.3, seed=5, count=60)
    await birth(hasty, DATA, "acme")
    await hasty.settle("acme", within_s=6 * HOUR_S, step_s=30.0)
    await through(hasty, "acme", counts=DATA_COUNT)


async def test_a_null_for_a_list_is_no_proof_of_absence(hasty: World) -> None:
    """Where a create's answer was lost, only lists can say that it never happened: a null does not."""
    await hasty.simulator.fault(fault="reset", method="POST", path="^/v1/postgres$", count=1)
    async with standing(hasty, "null_body", method="GET", path="^/v1/postgres$"):
        await birth(hasty, DATA, "acme")
        await spent(hasty, 1200, step_s=20)
    await hasty.settle("acme", step_s=30.0)
    await through(hasty, "acme", counts=DATA_COUNT)


async def test_updated_times_that_go_back_cause_no_effect_and_few_calls(world: World) -> None:
    await settled(world, PLAIN)
    before = (await world.simulator.truth())["write_seq"]
    async with standing(world, "updated_back", by_s=7200, probability=0.5, seed=2):
        for _ in range(4):
            await swept_soon(world)
        assert await spent(world, HOUR_S, step_s=60) <= 250
        assert (await status_of(world)).phase == "Ready"
        assert await world.simulator.writes(before) == []
        await world.detail("acme", env={"app": {"MODE": "new"}})
        await world.settle("acme", step_s=30.0)
        writes = await world.simulator.writes(before)
        assert [one["path"].rsplit("/", 1)[1] for one in writes] == ["env-vars", "deploys"], writes
    await through(world, "acme", counts=PLAIN_COUNT)


@pytest.mark.parametrize("by_s", [600, -600])
async def test_dates_that_are_off_by_ten_minutes_stop_and_double_nothing(world: World, by_s: int) -> None:
    await world.simulator.fault(fault="clock_skew", by_s=by_s)
    await birth(world, DATA, "acme")
    await world.settle("acme", within_s=3 * HOUR_S, step_s=30.0)
    await world.change("acme", details={"env": {"app": {"MODE": "new"}}})
    await world.settle("acme", within_s=3 * HOUR_S, step_s=30.0)
    assert (await world.simulator.truth())["throttled"] == 0
    await through(world, "acme", counts=DATA_COUNT)


@pytest.mark.parametrize("by_s", [600, -600])
async def test_dates_that_jump_between_answers_stop_and_double_nothing(hasty: World, by_s: int) -> None:
    await hasty.simulator.fault(fault="clock_skew", by_s=by_s, probability=0.5, seed=9)
    await hasty.simulator.fault(fault="reset", method="POST", path=CREATES, probability=0.5, seed=1)
    await birth(hasty, DATA, "acme")
    await hasty.settle("acme", within_s=3 * HOUR_S, step_s=30.0)
    assert (await hasty.simulator.truth())["throttled"] == 0
    await through(hasty, "acme", counts=DATA_COUNT)


# --- Retry-After of reads, for everybody


async def test_throttled_reads_are_asked_again_once_a_window_and_are_no_failure(world: World) -> None:
    await settled(world, PLAIN)
    async with standing(world, "status", status=429, method="GET"):
        before = await calls(world)
        await world.wake_all()
        await spent(world, 600, step_s=20)
        assert await calls(world) - before <= 30
        assert await counted(world) == PLAIN_COUNT
        assert await open_operations(world) == 0
        assert (await conditions(world))["Ready"][0] == "True"
    await through(world, "acme", counts=PLAIN_COUNT)
