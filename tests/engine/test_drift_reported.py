"""Drift that is not healed: by policy, for its data, because Render cannot undo it, or because it is foreign."""

from tests.engine.drifting import DATA, PLAIN, SITE, asked, calm, conditions, no_effort, settled, swept, told
from tests.engine.world import World, env_of


async def test_under_report_everything_is_said_and_nothing_is_touched(world: World) -> None:
    await settled(world, PLAIN, policy="report")
    human = world.simulator.human
    group = (await world.simulator.truth())["env_groups"][0]["name"]
    await human("plan", "app-acme", plan="standard")
    await human("scale", "app-acme", instances=4)
    await human("env-set", "app-acme", key="MODE", value="wrong")
    await human("group-var-set", group, key="LOG_LEVEL", value="debug")
    await human("domain-remove", "app-acme", name="acme.example.com")
    await human("rename", "jobs-acme", name="stolen")
    await human("env-move", "stolen", environment=None)
    await human("unlink-group", "app-acme", group=group)
    await swept(world)
    await asked(world)
    await world.settle("acme", step_s=30.0)
    status = (await world.tenant("acme")).status
    assert status is not None
    assert set(status.drift) == {
        "app: plan starter -> standard",
        "app: numInstances 2 -> 4",
        "app: variable MODE was changed",
        "app: domain acme.example.com was removed",
        "app: env group shared was unlinked",
        "shared: variable LOG_LEVEL was changed",
        "jobs: name jobs-acme -> stolen",
        "jobs: is not in the tenant's environment",
    }, status.drift
    assert status.phase == "Ready", await world.picture()
    assert (await conditions(world))["Drifted"][0] == "True"
    assert await told(world, "Healed") == []
    ((_, count),) = await told(world, "Drifted", "jobs")
    assert count == 1
    await no_effort(world)

    await human("suspend", "app-acme")
    await human("delete", "stolen")
    await swept(world)
    await world.run(lambda: lost(world), step_s=60.0)
    status = (await world.tenant("acme")).status
    assert status is not None and "app: was suspended, not by us and not by a spec" in status.drift
    assert any("worker jobs was deleted at Render" in one for one in status.drift)
    assert status.phase == "Degraded", await world.picture()
    await no_effort(world)


async def lost(world: World) -> bool:
    status = (await world.tenant("acme")).status
    return status is not None and any("deleted at Render" in one for one in status.drift)


async def test_under_strict_what_nobody_listed_is_removed(world: World) -> None:
    await settled(world, PLAIN, policy="strict")
    human = world.simulator.human
    group = (await world.simulator.truth())["env_groups"][0]["name"]
    await human("env-set", "app-acme", key="EXTRA", value="mine")
    await human("group-var-set", group, key="NOISE", value="1")
    await human("domain-add", "app-acme", name="other.example.com")
    await asked(world)
    await calm(world)
    app = await world.live("services", "app-acme")
    assert "EXTRA" not in env_of(app) and "EXTRA" not in app["running"]["env"]
    assert "NOISE" not in app["running"]["env"]
    assert "other.example.com" not in {one["name"] for one in app["customDomains"]}
    assert await told(world, "Healed", "app") and await told(world, "Healed", "shared")
    await no_effort(world)


async def test_under_strict_foreign_rules_of_a_static_site_go(world: World) -> None:
    await settled(world, SITE, policy="strict")
    await world.simulator.human("header-set", "site-acme", path="/x", name="X-Other", value="1")
    await world.simulator.human("route-set", "site-acme", source="/z", destination="/y")
    await asked(world)
    await calm(world)
    live = await world.live("services", "site-acme")
    assert [one["name"] for one in live["headers"]] == ["X-Frame-Options"]
    assert [one["source"] for one in live["routes"]] == ["/a"]
    assert await told(world, "Healed", "site")
    await no_effort(world)


async def test_what_render_cannot_shrink_is_reported_without_endless_effort(world: World) -> None:
    await settled(world, DATA)
    human = world.simulator.human
    await human("disk-resize", "search-acme", size_gb=9)
    await human("disk-resize", "db-acme", size_gb=20)
    await human("plan", "cache-acme", plan="standard")
    await human("plan", "db-acme", plan="basic_1gb")
    await swept(world)
    await world.settle("acme", step_s=30.0)
    truth = await world.simulator.truth()
    assert truth["postgres"][0]["plan"] in ("basic_256mb", "basic-256mb")
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Ready", await world.picture()
    assert len(status.drift) == 3 and all("shrink" in one for one in status.drift), status.drift
    assert (await conditions(world))["Drifted"][0] == "True"
    assert await told(world, "Healed", "db")
    await no_effort(world)


async def test_a_deleted_disk_is_reported_and_waits_for_a_person(world: World) -> None:
    await settled(world, DATA)
    await world.simulator.human("disk-remove", "search-acme")
    await swept(world)
    status = (await world.tenant("acme")).status
    assert status is not None and "its disk was deleted at Render" in status.drift[0]
    assert "allowDataLoss" in status.you and "search" in status.you, status.you
    assert (await world.live("services", "search-acme"))["disk"] is None
    assert await told(world, "DataLoss", "search")
    await no_effort(world)

    await world.detail("acme", allowDataLoss=["search"])
    await calm(world)
    assert (await world.live("services", "search-acme"))["disk"]["sizeGB"] == 5
    await no_effort(world)


async def test_a_deleted_postgres_is_lost_until_a_person_says_otherwise(world: World) -> None:
    await settled(world, DATA)
    old = env_of(await world.live("services", "app-acme"))["DATABASE_URL"]
    await world.simulator.human("delete", "db-acme")
    await swept(world)

    async def said() -> bool:
        status = (await world.tenant("acme")).status
        return status is not None and status.phase == "Degraded" and "allowDataLoss" in status.you

    await world.run(said, step_s=30.0)
    status = (await world.tenant("acme")).status
    assert status is not None
    assert "postgres db was deleted at Render, not by us" in status.why, status.why
    assert (await world.simulator.truth())["postgres"] == []
    assert len(await told(world, "Drifted", "db")) == 1
    await no_effort(world)

    await world.detail("acme", allowDataLoss=["db"])
    await calm(world)
    app = await world.live("services", "app-acme")
    assert env_of(app)["DATABASE_URL"] != old
    assert app["running"]["env"]["DATABASE_URL"] == env_of(app)["DATABASE_URL"]
    assert len((await world.simulator.truth())["postgres"]) == 1
    await no_effort(world)


async def test_a_suspension_by_billing_is_reported_and_not_fought(world: World) -> None:
    await settled(world, DATA)
    await world.simulator.human("billing-suspend", "*")
    await swept(world)
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Degraded", await world.picture()
    assert "billing" in status.why and "Render" in status.you, (status.why, status.you)
    assert (await conditions(world))["Ready"][:2] == ("False", "SuspendedByRender")
    await no_effort(world)

    await world.simulator.human("billing-resume", "*")
    await swept(world)
    await calm(world)
    await no_effort(world)
