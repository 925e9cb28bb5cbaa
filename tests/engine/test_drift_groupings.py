"""A person takes the project or the environment away under a tenant: both come back, and everything moves into them."""

from typing import Any

from tests.engine.drifting import PLAIN, calm, no_effort, settled, swept, told
from tests.engine.world import KEY, World


async def by_api(world: World, method: str, path: str) -> Any:
    """Do what only the dashboard can do in one step, with calls of the API that are not the operator's."""
    reply = await world.simulator.http.request(
        method, f"{world.simulator.base}/v1{path}", headers={"authorization": f"Bearer {KEY}"}
    )
    assert reply.status_code < 300, reply.text


async def emptied(world: World) -> dict[str, Any]:
    truth = await world.simulator.truth()
    for service in truth["services"]:
        await world.simulator.human("env-move", service["name"], environment=None)
    await world.simulator.human("env-move", truth["env_groups"][0]["name"], environment=None)
    return dict(truth)


async def test_a_deleted_project_comes_back_and_everything_moves_into_it(world: World) -> None:
    await settled(world, PLAIN)
    truth = await emptied(world)
    await by_api(world, "DELETE", f"/projects/{truth['projects'][0]['id']}")
    for _ in range(3):
        await swept(world)
    await calm(world)
    now = await world.simulator.truth()
    assert len(now["projects"]) == 1 and len(now["environments"]) == 1
    place = now["environments"][0]["id"]
    assert {one["environmentId"] for one in (*now["services"], *now["env_groups"])} == {place}
    assert len(now["services"]) == 2, "nothing but the project was made anew"
    assert any("project" in text for text, _ in await told(world, "Drifted")), await world.picture()
    await no_effort(world)


async def test_a_deleted_environment_comes_back(world: World) -> None:
    await settled(world, PLAIN)
    truth = await emptied(world)
    await by_api(world, "DELETE", f"/environments/{truth['environments'][0]['id']}")
    for _ in range(3):
        await swept(world)
    await calm(world)
    now = await world.simulator.truth()
    place = now["environments"][0]["id"]
    assert {one["environmentId"] for one in (*now["services"], *now["env_groups"])} == {place}
    await no_effort(world)


async def test_a_deleted_env_group_comes_back_linked(world: World) -> None:
    await settled(world, PLAIN)
    group = (await world.simulator.truth())["env_groups"][0]["name"]
    await world.simulator.human("group-delete", group)
    for _ in range(3):
        await swept(world)
    await calm(world)
    app = await world.live("services", "app-acme")
    assert app["running"]["env"]["LOG_LEVEL"] == "info" and len(app["envGroups"]) == 1
    await no_effort(world)
