"""What processes and networks do to daemons: stopped and gone on, sessions ended, sockets reset, silent or dead.

While it lasts people sign up, change, suspend and delete; afterwards everything must be as asked, and every promise of
docs/promises.md is judged from the simulator's truth. Set CHAOS_SEED to repeat a run.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemon import promises
from tests.daemon.fleet import BLUEPRINT, Fleet, open_fleet
from tests.daemon.harness import Process
from tests.daemon.proxy import Proxy, through

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
    between = Proxy.before(url)
    try:
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
    finally:
        between.close()
