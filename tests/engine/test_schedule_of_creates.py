"""A hundred tenants of five creates each under Render's real limits: every hour is used, and the order is kept."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.documents import tenant
from tests.engine.test_onboarding import AN_HOUR, FOUR, creates, hour, owner
from tests.engine.world import open_world

SEARCH = "      - {type: pserv, name: search, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter}\n"
FIVE = FOUR.replace("{name: four}", "{name: five}").replace("  entrypoint:", f"{SEARCH}  entrypoint:")
"""The stack of `test_onboarding` with a create more."""
EACH = 5
TO_COME_UP = timedelta(minutes=10)
"""From a stack's last create to Ready: its slowest build."""


@dataclass(frozen=True)
class Onboarding:
    """How many tenants that signed up at once came up under Render's limits."""

    tenants: int
    urgent: frozenset[str]
    began: datetime
    throttled: int
    creates: list[tuple[datetime, str]]
    ready: dict[str, datetime]

    @property
    def full_hours(self) -> list[int]:
        """The creates of each hour but the first and the last."""
        counts = Counter(hour(at) for at, _ in self.creates)
        return [counts[at] for at in sorted(counts)[1:-1]]

    def share_of_schedule(self) -> list[float]:
        """Of the k-th tenant that was ready, how long it took, as a share of the time that the limit demands."""
        order = sorted(self.ready.values())
        return [(at - self.began) / (earliest(self.began, place) - self.began) for place, at in enumerate(order)]

    def first_begun(self) -> set[str]:
        """As many tenants as are urgent, those whose stacks were begun first."""
        begun = list(dict.fromkeys(owner(name) for _, name in self.creates))
        return set(begun[: len(self.urgent)])


async def onboard(database_url: str, tmp_path: Path, tenants: int, urgent: int) -> Onboarding:
    """Sign tenants up at once, the urgent ones last, and let everybody come up in virtual time."""
    names = [f"t{number:03}" for number in range(tenants)]
    # The schedule is what is asked here; on a machine that stalls, an answer that comes late is no lost one.
    patient = {"request_timeout_s": 25.0, "read_timeout_s": 25.0}
    async with open_world(database_url, tmp_path, **patient) as world:
        await world.apply(FIVE)
        for number, name in enumerate(names):
            await world.apply(tenant(name, "five", priority=90 if number >= tenants - urgent else 50))
        began = await world.now()
        await world.settle(within_s=60 * 3600.0, step_s=30.0)
        truth = await world.simulator.truth()
        rows = (await world.registry.list_tenants(limit=tenants)).rows
    return Onboarding(
        tenants=tenants,
        urgent=frozenset(names[tenants - urgent :]),
        began=began,
        throttled=truth["throttled"],
        creates=creates(truth),
        ready={row.name: row.status.ready_since for row in rows if row.status and row.status.ready_since},
    )


def earliest(began: datetime, place: int) -> datetime:
    """When the (place + 1)-th stack can be Ready, if each hour's 20 creates go to as few stacks as possible."""
    hours = (EACH * (place + 1) - 1) // AN_HOUR
    return max(hour(began) + timedelta(hours=hours), began) + TO_COME_UP


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_tenants_use_every_hour_and_are_ready_as_soon_as_the_limit_allows(
    database_url: str, tmp_path: Path
) -> None:
    found = await onboard(database_url, tmp_path, 100, 8)
    assert found.throttled == 0, "nothing was answered 429"
    assert len(found.creates) == 100 * EACH and len(found.ready) == 100
    assert min(found.full_hours) >= 0.98 * AN_HOUR, found.full_hours
    assert max(found.share_of_schedule()) <= 1.05, "the k-th is ready when the limit allows k stacks"
    assert found.first_begun() == found.urgent, "urgent ones first"


async def test_an_urgent_tenant_whose_first_answers_are_lost_keeps_its_place(database_url: str, tmp_path: Path) -> None:
    """Its project is looked for before it is made again, which takes minutes; its creates are kept for it meanwhile."""
    plain, urgent = [f"t{number}" for number in range(8)], ["t8", "t9"]
    async with open_world(database_url, tmp_path) as world:
        await world.apply(FIVE)
        for name in plain + urgent:
            await world.apply(tenant(name, "five", priority=90 if name in urgent else 50))
        assert await world.turn() == len(plain), "as many as there are workers"
        await world.simulator.fault(fault="timeout_before", method="POST", path="^/v1/projects$", count=2, hold_s=2.5)
        await world.step(1)
        assert await world.turn() == len(urgent)

        async def twenty() -> bool:
            return len(creates(await world.simulator.truth())) >= AN_HOUR

        await world.run(twenty)
        made = [owner(name) for _, name in creates(await world.simulator.truth())]
    assert Counter(made[:AN_HOUR])["t8"] == Counter(made[:AN_HOUR])["t9"] == EACH, made
    assert len(set(made[:AN_HOUR])) == AN_HOUR // EACH, "and the other two stacks are whole ones"
