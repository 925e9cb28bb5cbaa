"""What processes and networks do to daemons: stopped and gone on, sessions ended, sockets reset, silent or dead.

While it lasts people sign up, change, suspend and delete; afterwards everything must be as asked, and every promise of
docs/promises.md is judged from the simulator's truth. Set CHAOS_SEED to repeat a run.
"""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.daemon import promises
from tests.daemon.fleet import BLUEPRINT, Fleet, open_fleet
from tests.daemon.harness import Process
from tests.daemon.proxy import Proxy, through
from tests.daemon.users import Users

pytestmark = pytest.mark.timeout(240)
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 1_000_000)  # noqa: S311
SHORT = {"RECONCILER_LEASE_S": 2, "RECONCILER_RENEW_S": 0.6}
"""Leases that are over soon, real seconds."""
STOPPED_S = 3.5
"""Longer than such a lease."""


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url, tmp_path, **SHORT) as opened:
        yield opened


async def ended(fleet: Fleet, *daemons: Process) -> None:
    """Nobody has fallen over, and all stop when they are asked to."""
    for daemon in daemons:
        assert daemon.end() == 0
    assert "Traceback" not in "".join(one.text for one in fleet.daemons)


# ------------------------------------------------------------ stopped, and gone on


async def test_a_stopped_daemon_is_replaced_and_lands_nothing_when_it_goes_on(fleet: Fleet) -> None:
    await fleet.apply(BLUEPRINT)
    await promises.watch(fleet)
    first, second = fleet.start(RECONCILER_WORKERS=4), fleet.start(RECONCILER_WORKERS=4)
    for number in range(4):
        await fleet.put(f"t{number}", new=True)
    await fleet.until(lambda: len(fleet.sim.truth()["projects"]) >= 2)
    first.signal(signal.SIGSTOP)
    await fleet.put("t0", tier="big")
    await fleet.put("t1", state="suspended")
    await asyncio.sleep(STOPPED_S)
    await fleet.settle(60)  # by the other alone
    await fleet.put("t2", params={"theme": "late"})
    first.signal(signal.SIGCONT)
    await fleet.settle(60)
    assert await promises.broken(fleet, {}) == [], fleet.words()
    assert await promises.unrest(fleet) == [], fleet.words()
    await ended(fleet, first, second)


async def test_a_create_is_not_sent_by_a_daemon_that_slept_since_it_was_granted(fleet: Fleet) -> None:
    """Names are no protection: at Render two databases may have the same."""
    await fleet.apply(BLUEPRINT)
    await fleet.put("acme", new=True)
    url = str(fleet.settings["DATABASE_URL"])
    fleet.wires.append(between := Proxy.before(url))
    first = fleet.start(DATABASE_URL=through(url, between.port))
    await fleet.until(lambda: bool(fleet.sim.truth()["projects"]))
    between.marker = b"state = 'sent', sent_at"
    await fleet.until(between.held.is_set)
    first.signal(signal.SIGSTOP)  # granted, and it does not know yet
    between.let_go()
    second = fleet.start()
    await fleet.settle(60)
    first.signal(signal.SIGCONT)
    first.wait_for("too late to be sent", 30)
    await fleet.settle(60)
    assert promises.doubled(fleet, {}) == []
    assert await promises.broken(fleet, {}) == [], fleet.words()
    await ended(fleet, first, second)


# ------------------------------------------------------------ faults while people are at work

Trouble = Callable[[random.Random], Awaitable[str]]
"""Does one thing that must not matter, and says what."""


async def live_through(fleet: Fleet, trouble: Trouble, lasts_s: float, *daemons: Process) -> None:
    """Let people work in trouble for so long, then judge; the daemons must still be the same ones."""
    print(f"\nseed {SEED}")
    users, chance = Users(fleet, random.Random(SEED), most=12), random.Random(SEED + 1)  # noqa: S311
    foreign = await promises.strangers(fleet)
    ends = asyncio.get_running_loop().time() + lasts_s
    while asyncio.get_running_loop().time() < ends:
        done, harm = await users.act(), await trouble(chance)
        print(f"{done}; {harm}")
        assert promises.doubled(fleet, foreign) == [], (SEED, fleet.words())
        await asyncio.sleep(chance.uniform(0.0, 0.6))
    fleet.heal()
    took_s = await fleet.settle(150)
    print(f"settled {took_s:.1f} s after the last fault")
    assert await promises.broken(fleet, foreign) == [], (SEED, fleet.words())
    assert await promises.unrest(fleet) == [], (SEED, fleet.words())
    await ended(fleet, *daemons)


async def prepare(fleet: Fleet) -> None:
    await fleet.apply(BLUEPRINT)
    await promises.watch(fleet)


OURS = "application_name LIKE 'reconciler%'"
SESSIONS = {
    "every session": "true",
    "the listener": "query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%'",
    "one at work": "pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = 'reconciler' "
    "AND state <> 'idle' ORDER BY random() LIMIT 1)",
    "one in a transaction": "state LIKE 'idle in transaction%'",
}


def terminator(fleet: Fleet) -> Trouble:
    """End sessions of the daemons at the server, at any moment of what they do."""

    async def terminate(chance: random.Random) -> str:
        what = chance.choice(list(SESSIONS))
        ended = 0
        for _ in range(chance.randint(1, 12)):
            rows = await fleet.ask(
                "SELECT pg_terminate_backend(pid) AS gone FROM pg_stat_activity "
                f"WHERE application_name = 'reconciler' AND datname = current_database() AND ({SESSIONS[what]})"
            )
            ended += len(rows)
            await asyncio.sleep(chance.uniform(0.0, 0.05))
        return f"ended {what}: {ended}"

    return terminate


async def test_sessions_that_the_server_ends_cost_nothing(fleet: Fleet) -> None:
    await prepare(fleet)
    await live_through(fleet, terminator(fleet), 2.0, fleet.start())


@pytest.mark.long
async def test_a_daemon_starts_while_sessions_are_ended(fleet: Fleet) -> None:
    """Whatever it is doing for the first time when its session ends, it waits as if the database were not there yet."""
    await prepare(fleet)
    await fleet.put("acme", new=True)
    every = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ({OURS}) AND datname = current_database()"
    daemons = [fleet.launch() for _ in range(3)]
    chance = random.Random(SEED)  # noqa: S311
    for _ in range(60):
        await fleet.ask(every)
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        assert [one.text for one in daemons if one.popen.poll() is not None] == []
    for daemon in daemons:
        daemon.wait_for('"event": "started"', 30)
    await fleet.settle(60)
    assert await promises.broken(fleet, {}) == [], fleet.words()
    await ended(fleet, *daemons)


@pytest.mark.long
async def test_two_daemons_live_with_ended_sessions_for_a_while(fleet: Fleet) -> None:
    await prepare(fleet)
    await live_through(fleet, terminator(fleet), 30.0, fleet.start(), fleet.start())


class Wires:
    """The two wires of a daemon, to its database and to Render, and what may happen to them."""

    def __init__(self, fleet: Fleet) -> None:
        self.database = Proxy.before(str(fleet.settings["DATABASE_URL"]), SEED)
        self.render = Proxy.before(fleet.sim.base, SEED + 1)
        self.fleet = fleet
        self._kinds = itertools.cycle(["answers", "requests", "reset", "delay"])
        fleet.wires += [self.database, self.render]
        self.settings = {
            "DATABASE_URL": through(str(fleet.settings["DATABASE_URL"]), self.database.port),
            "RENDER_API_URL": f"{through(fleet.sim.base, self.render.port)}/v1",
        }

    async def brief(self, chance: random.Random) -> str:
        """Something that the other side learns of at once."""
        wire, what = chance.choice([self.database, self.render]), next(self._kinds)
        lost = wire.lost
        match what:
            case "answers":
                wire.lose_answers = 0.2
                await self.fleet.until(lambda: wire.lost > lost)  # a daemon is never quiet for long
            case "requests":
                wire.lose_requests = 0.2
                await self.fleet.until(lambda: wire.lost > lost)
            case "reset":
                wire.reset()
            case _:
                wire.delay_s = 0.05
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        wire.heal()
        return f"{what} on the wire to {'the database' if wire is self.database else 'Render'}"

    async def any(self, chance: random.Random) -> str:
        """That, or a silence that only time tells from a slow answer."""
        if chance.random() < 0.7:
            return await self.brief(chance)
        wire = chance.choice([self.database, self.render])
        how = chance.choice([wire.fall_silent, wire.die])
        how()
        await asyncio.sleep(chance.uniform(1.0, 4.0))
        wire.heal()
        return f"{how.__name__} on the wire to {'the database' if wire is self.database else 'Render'}"


@pytest.mark.long
async def test_broken_wires_cost_nothing(fleet: Fleet) -> None:
    await prepare(fleet)
    wires = Wires(fleet)
    await live_through(fleet, wires.brief, 2.0, fleet.start(**wires.settings))


@pytest.mark.long
async def test_silent_and_dead_wires_are_noticed_and_cost_nothing(fleet: Fleet) -> None:
    await prepare(fleet)
    wires = Wires(fleet)
    await live_through(fleet, wires.any, 30.0, fleet.start(**wires.settings), fleet.start())


@pytest.mark.long
@pytest.mark.parametrize("how", ["fall_silent", "die"])
async def test_a_wire_to_the_database_that_says_nothing_is_given_up(fleet: Fleet, how: str) -> None:
    """The only daemon hangs on it with all its connections, and must find the way back by itself."""
    await prepare(fleet)
    wires = Wires(fleet)
    daemon = fleet.start(**wires.settings)
    await fleet.put("acme", new=True)
    await fleet.until(lambda: bool(fleet.sim.truth()["postgres"]))
    getattr(wires.database, how)()
    await fleet.put("acme", tier="big")
    await asyncio.sleep(8.0)
    wires.database.heal()
    took_s = await fleet.settle(60)
    print(f"\nsettled {took_s:.1f} s after the wire was mended")
    assert await promises.broken(fleet, {}) == [], fleet.words()
    await ended(fleet, daemon)


@pytest.mark.long
async def test_daemons_that_are_stopped_by_turns_live_with_it(fleet: Fleet) -> None:
    await prepare(fleet)
    daemons = [fleet.start(), fleet.start()]

    async def stop_one(chance: random.Random) -> str:
        one = chance.choice(daemons)
        one.signal(signal.SIGSTOP)
        seconds = chance.uniform(0.5, 5.0)
        await asyncio.sleep(seconds)
        one.signal(signal.SIGCONT)
        return f"stopped {one.output.name} for {seconds:.1f} s"

    await live_through(fleet, stop_one, 30.0, *daemons)


@pytest.mark.long
async def test_a_database_that_takes_no_writes_for_a_while_is_said_and_lived_through(fleet: Fleet) -> None:
    await prepare(fleet)
    daemon = fleet.start()
    name = str(fleet.settings["DATABASE_URL"]).rpartition("/")[2]
    await fleet.put("acme", new=True)
    await fleet.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await fleet.cut_daemons()
    daemon.wait_for("the database takes no writes", 30)
    await asyncio.sleep(1.0)
    await fleet.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await fleet.cut_daemons()
    await fleet.settle(60)
    assert await promises.broken(fleet, {}) == [], fleet.words()
    await ended(fleet, daemon)
