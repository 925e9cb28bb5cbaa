"""A tenant's life from the first row to the tombstone, over real Postgres and the simulator."""

from tests.engine.documents import FULL, ONE_WEB, tenant
from tests.engine.world import World, env_of


async def test_a_web_service_from_an_image_comes_up_and_stays_quiet(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.settle("acme")

    live = await world.live("services", "app-acme")
    assert live["serviceDetails"]["plan"] == "starter"
    env = env_of(live)
    assert env["MODE"] == "live" and env["TENANT_SLUG"] == "acme" and len(env["TOKEN"]) == 44
    row = await world.tenant("acme")
    assert row.status is not None and row.status.url == "https://app-acme.onrender.com"
    assert row.status.monthly_usd == 7
    assert await world.quiet() == []


async def test_every_kind_comes_up_with_one_create_each(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")

    truth = await world.simulator.truth()
    assert {one["name"] for one in truth["services"]} == {
        f"{c}-bolt" for c in ("backend", "search", "jobs", "nightly", "site")
    }
    assert [one["name"] for one in truth["projects"]] == ["bolt"]
    backend = await world.live("services", "backend-bolt")
    env = env_of(backend)
    assert env["DATABASE_URL"].startswith("postgresql://")
    assert env["SELF"] == "https://backend-bolt.onrender.com"
    assert "LOG_LEVEL" not in env, "copies of group variables go once the group is linked"
    assert backend["running"]["env"]["LOG_LEVEL"] == "info"
    assert backend["environmentId"] == truth["environments"][0]["id"]
    site = await world.live("services", "site-bolt")
    assert [one["destination"] for one in site["routes"]] == ["https://backend-bolt.onrender.com/*"]
    creates = [
        w
        for w in truth["writes"]
        if w["method"] == "POST" and w["path"] in ("/v1/services", "/v1/postgres", "/v1/key-value")
    ]
    assert len(creates) == 7
    assert truth["throttled"] == 0
    assert await world.quiet() == []
