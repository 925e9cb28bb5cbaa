"""What the tests of faults share: how many calls a fault costs, and what must be so once it is over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.engine.documents import tenant
from tests.engine.world import World

COUNTED = ("services", "postgres", "key_values", "env_groups", "projects", "environments")


async def open_operations(world: World) -> int:
    return (await world.wiring.store.backlog(await world.now())).unknown_operations


async def birth(world: World, blueprint: str, name: str) -> None:
    words = blueprint.split("metadata: {name: ", 1)[1].split("}", 1)[0]
    await world.apply(blueprint)
    await world.apply(tenant(name, words, tier=None).replace("  tier: null\n", ""))


async def counted(world: World) -> dict[str, int]:
    truth = await world.simulator.truth()
    return {kind: len(truth[kind]) for kind in COUNTED}


DATA_COUNT = {"services": 2, "postgres": 1, "key_values": 1, "env_groups": 0, "projects": 1, "environments": 1}
PLAIN_COUNT = {"services": 2, "postgres": 0, "key_values": 0, "env_groups": 1, "projects": 1, "environments": 1}


async def calls(world: World) -> int:
    """Every request that reached the API, refused ones too."""
    requests: dict[str, int] = (await world.simulator.truth())["requests"]
    return sum(requests.values())


async def spent(world: World, seconds: float, *, step_s: float = 60.0) -> int:
    """Let time pass with everybody doing what is due; answer the requests that were sent meanwhile."""
    before = await calls(world)
    while await world.turn():
        pass
    for _ in range(int(seconds / step_s)):
        await world.step(step_s)
        while await world.turn():
            pass
    return await calls(world) - before


@asynccontextmanager
async def standing(world: World, fault: str, **rule: object) -> AsyncIterator[Any]:
    """Have a fault for as long as the block lasts."""
    made = await world.simulator.fault(fault=fault, **rule)
    yield made
    await world.simulator.call("DELETE", f"/_sim/faults/{made['id']}")


async def struck(world: World) -> int:
    """How often the rules in force struck, together."""
    return sum(rule["struck"] for rule in await world.simulator.call("GET", "/_sim/faults"))


async def through(world: World, *names: str, counts: dict[str, int], within_s: float = 4 * 3600) -> None:
    """The operator came through: faults gone, everybody Ready, nothing lost, doubled or open, and no more effort."""
    await world.simulator.call("DELETE", "/_sim/faults")
    await world.settle(*names, within_s=within_s, step_s=30.0)
    assert await counted(world) == counts, await world.picture()
    assert await open_operations(world) == 0
    await owned_once(world)
    assert await world.quiet() == []
    assert await counted(world) == counts
    assert await open_operations(world) == 0


async def owned_once(world: World) -> None:
    """Every live object is in exactly one inventory, and every inventory row lives."""
    truth = await world.simulator.truth()
    live = sorted(one["id"] for kind in COUNTED for one in truth[kind])
    held: list[str] = []
    for row in (await world.registry.list_tenants()).rows:
        record = await world.wiring.store.load(row.name, await world.now())
        held += [one.id for one in record.owned.values()]
    assert sorted(held) == live


async def status_of(world: World, name: str = "acme") -> Any:
    status = (await world.tenant(name)).status
    assert status is not None, await world.picture()
    return status
