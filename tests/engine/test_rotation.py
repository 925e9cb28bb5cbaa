"""Deep checks come in turns: spread over the period, within their share of the reads, and nobody is left out."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg

from reconciler.core import schedule
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.world import World, open_world

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY_S = 86400.0


def test_every_key_has_one_turn_a_period_and_it_comes_after():
    for number in range(200):
        first = schedule.turn(f"t{number}", DAY_S, NOW)
        assert NOW < first <= NOW + timedelta(days=1)
        second = schedule.turn(f"t{number}", DAY_S, first + timedelta(seconds=1))
        assert abs(second - first - timedelta(days=1)) < timedelta(milliseconds=1)
        assert abs(schedule.turn(f"t{number}", DAY_S, first - timedelta(seconds=1)) - first) < timedelta(milliseconds=1)


def test_many_that_were_made_at_once_are_spread_over_the_whole_period():
    hours = Counter(int((schedule.turn(f"t{n}", DAY_S, NOW) - NOW).total_seconds() // 3600) for n in range(10_000))
    assert set(hours) <= set(range(25)) and len(hours) >= 24
    assert all(350 <= count <= 490 for hour, count in hours.items() if hour < 24), "417 an hour would be even"


async def raised(world: World, count: int) -> None:
    await world.simulator.call("PATCH", "/_sim/settings", {"limits_enabled": False})
    await world.apply(ONE_WEB)
    for number in range(count):
        await world.apply(tenant(f"t{number}"))
    await world.settle()


def checks(world: World) -> dict[str, datetime]:
    """When each tenant's service was looked at last."""
    with psycopg.connect(world.settings.database_url) as connection:
        rows = connection.execute(
            "SELECT tenant, (known ->> 'checked_at')::timestamptz FROM reconciler.inventory WHERE component = 'app'"
        ).fetchall()
    return dict(rows)


async def hours(world: World, count: int) -> list[int]:
    """Let hours pass; answers how many tenants were looked at in each."""
    counts = []
    for _ in range(count):
        before = checks(world)
        for _ in range(4):
            await world.step(900)
            while await world.turn():
                pass
        counts.append(sum(at != before[name] for name, at in checks(world).items()))
    return counts


async def test_tenants_made_together_are_not_checked_together(database_url, tmp_path):
    async with open_world(database_url, tmp_path, deep_check_s=6 * 3600.0) as world:
        await raised(world, 12)
        counts = await hours(world, 12)
    assert sum(counts) == 24, "everybody twice in two periods"
    assert max(counts) <= 6 and sum(count > 0 for count in counts) >= 8, counts


async def test_overdue_checks_keep_to_their_share_and_all_come_in_the_end(database_url, tmp_path):
    """As after a week in which nothing ran."""
    async with open_world(database_url, tmp_path, deep_check_share=10 / 400, resync_s=600.0) as world:
        await raised(world, 8)
        with psycopg.connect(database_url) as connection:
            old = (await world.now() - timedelta(days=7)).isoformat()
            connection.execute(
                "UPDATE reconciler.inventory SET known = jsonb_set(known, '{checked_at}', to_jsonb(%s::text))", [old]
            )
            connection.execute("SELECT reconciler.wake(array_agg(name), 'drift') FROM reconciler.tenants")
        passes, done = [], []
        for _ in range(30):
            before = checks(world)
            ran = 0
            while now := await world.turn():
                ran += now
            passes.append(ran)
            done.append(sum(at != before[name] for name, at in checks(world).items()))
            await world.step(120)
        assert max(done) <= 2, "ten calls a minute are two web services"
        assert min(checks(world).values()) > await world.now() - timedelta(hours=1, minutes=1), "nobody was left out"
    assert sum(passes) <= 8 * 8, f"who finds no room waits for the next resync: {passes}"
