"""Two real daemons on one database: the work is shared, each create is sent once, and either may die."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemon.fleet import BLUEPRINT, Fleet, open_fleet

CREATES = ("/v1/services", "/v1/postgres", "/v1/env-groups", "/v1/projects")


@pytest.fixture
async def fleet(database_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url, tmp_path) as opened:
        yield opened


@pytest.mark.timeout(180)
async def test_two_daemons_onboard_six_tenants_with_each_create_exactly_once(fleet: Fleet) -> None:
    await fleet.apply(BLUEPRINT)
    first = fleet.start(RECONCILER_WORKERS=2)
    second = fleet.start(RECONCILER_WORKERS=2)
    for number in range(6):
        await fleet.put(f"t{number}", new=True)
    await fleet.settle(90)
    assert await fleet.wrongs({}) == []
    writes = fleet.sim.truth()["writes"]
    assert Counter(one["path"] for one in writes if one["path"] in CREATES) == dict.fromkeys(CREATES, 6)
    shares = [one.text.count('"verb": "create"') for one in (first, second)]
    assert min(shares) > 0, shares

    await fleet.put("t6", new=True)
    await fleet.until(lambda: len(fleet.sim.truth()["projects"]) == 7)
    first.kill()  # its lease runs out, and the other goes on
    await fleet.settle(90)
    assert await fleet.wrongs({}) == []
    assert second.end() == 0
    assert "Traceback" not in first.text + second.text
