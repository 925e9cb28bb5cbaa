"""Drift of what a spec names is put back, however it is found, and told once."""

from pathlib import Path

from tests.engine.drifting import PLAIN, SITE, asked, calm, conditions, no_effort, settled, swept, swept_soon, told
from tests.engine.world import World, env_of, open_world


async def test_fields_that_lists_show_are_put_back_after_a_sweep(world: World) -> None:
    await settled(world, PLAIN)
    human = world.simulator.human
    await human("plan", "app-acme", plan="standard")
    await human("scale", "app-acme", instances=4)
    await human("image", "app-acme", image="docker.io/evil/app:9")
    await human("command", "jobs-acme", command="sleep 1")
    await human("branch", "jobs-acme", branch="wild")
    await swept(world)
    await calm(world)

    app, jobs = await world.live("services", "app-acme"), await world.live("services", "jobs-acme")
    assert app["serviceDetails"]["plan"] == "starter" and app["serviceDetails"]["numInstances"] == 2
    assert app["imagePath"] == "docker.io/acme/app:1" == app["running"]["image"]
    assert jobs["branch"] == "main"
    assert jobs["serviceDetails"]["envSpecificDetails"]["startCommand"] == "python -m jobs"
    ((found, count),) = await told(world, "Drifted", "app")
    assert count == 1 and "plan starter -> standard" in found and "numInstances 2 -> 4" in found, found
    ((found, count),) = await told(world, "Healed", "app")
    assert count == 1 and "imagePath, plan put back" in found and "numInstances put back" in found, found
    assert [count for _, count in await told(world, "Healed", "jobs")] == [1]
    row = await world.tenant("acme")
    assert row.status is not None and row.status.drift == () and row.status.phase == "Ready"
    await no_effort(world)


async def test_variables_are_put_back_when_asked_and_what_was_added_is_kept_and_reported(world: World) -> None:
    await settled(world, PLAIN)
    human = world.simulator.human
    await human("env-set", "app-acme", key="MODE", value="wrong")
    await human("env-delete", "app-acme", key="COLOUR")
    await human("env-set", "app-acme", key="EXTRA", value="mine")
    await asked(world)

    async def healed() -> bool:
        env = env_of(await world.live("services", "app-acme"))
        running = (await world.live("services", "app-acme"))["running"]["env"]
        return env.get("MODE") == "live" and env.get("COLOUR") == "blue" and running.get("MODE") == "live"

    await world.run(healed, step_s=30.0)
    await world.settle("acme", step_s=30.0)
    env = env_of(await world.live("services", "app-acme"))
    assert env["EXTRA"] == "mine"
    drifted = (await conditions(world))["Drifted"]
    assert drifted[0] == "True" and drifted[2] == "app: variable EXTRA was added"
    row = await world.tenant("acme")
    assert row.status is not None and row.status.drift == ("app: variable EXTRA was added",)
    assert await told(world, "Drifted", "app") == [
        ("app variable COLOUR was changed; variable MODE was changed; variable EXTRA was added", 1)
    ]
    assert "wrong" not in await world.picture()
    await no_effort(world)

    await human("env-delete", "app-acme", key="EXTRA")
    await asked(world)
    await calm(world)
    await no_effort(world)


async def test_a_variable_changed_and_deployed_by_a_person_is_found_by_the_deploy(world: World) -> None:
    await settled(world, PLAIN)
    await swept(world)
    await world.simulator.human("env-set", "app-acme", key="MODE", value="wrong")
    await world.simulator.human("deploy", "app-acme")
    await swept(world)
    await calm(world)
    app = await world.live("services", "app-acme")
    assert env_of(app)["MODE"] == "live" == app["running"]["env"]["MODE"]
    await no_effort(world)


async def test_a_deploy_by_a_person_alone_is_watched_and_followed_by_nothing(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.human("deploy", "app-acme")
    await no_effort(world)
    await calm(world)
    assert await told(world, "Drifted") == []


async def test_a_group_variable_leaves_no_trace_and_is_found_by_the_deep_check(
    database_url: str, tmp_path: Path
) -> None:
    async with open_world(database_url, tmp_path, deep_check_s=5400.0) as world:
        await settled(world, PLAIN)
        group = (await world.simulator.truth())["env_groups"][0]["name"]
        await world.simulator.human("group-var-set", group, key="LOG_LEVEL", value="debug")
        await world.simulator.human("env-set", "app-acme", key="MODE", value="wrong")

        async def back() -> bool:
            running = (await world.live("services", "app-acme"))["running"]["env"]
            return running["LOG_LEVEL"] == "info" and running["MODE"] == "live" and bool(await told(world, "Healed"))

        await world.run(back, within_s=5400.0 + 300.0, step_s=60.0)
        await calm(world)
        await no_effort(world)


async def test_who_keeps_changing_a_field_wins_after_three_times_until_a_person_speaks(world: World) -> None:
    await settled(world, PLAIN)
    for _ in range(5):
        await world.simulator.human("scale", "app-acme", instances=5)
        await swept_soon(world)
    app = await world.live("services", "app-acme")
    assert app["serviceDetails"]["numInstances"] == 5
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Ready"
    assert "somebody keeps changing numInstances of app" in status.why and "reconciler reconcile acme" in status.you
    assert status.drift == ("app: numInstances 2 -> 5",)
    assert len([w for w in await world.simulator.writes() if w["path"].endswith("/scale")]) == 3

    await asked(world)
    await calm(world)
    assert (await world.live("services", "app-acme"))["serviceDetails"]["numInstances"] == 2
    await no_effort(world)


async def test_a_field_that_render_does_not_change_is_given_up_after_two_times(world: World) -> None:
    await settled(world, PLAIN)
    await world.simulator.fault(fault="unknown_enum", path="/v1/services", field="plan", value="huge")
    before = len(await world.simulator.writes())
    for _ in range(4):
        await swept_soon(world)
    patches = [w for w in (await world.simulator.writes())[before:] if w["method"] == "PATCH"]
    assert len(patches) <= 4, patches
    status = (await world.tenant("acme")).status
    assert status is not None and "plan" in status.why and "did not change it" in status.why, await world.picture()
    await world.simulator.call("DELETE", "/_sim/faults")
    await asked(world)
    await calm(world)
    await no_effort(world)


async def test_group_variables_links_and_domains_are_put_back(world: World) -> None:
    await settled(world, PLAIN)
    human = world.simulator.human
    group = (await world.simulator.truth())["env_groups"][0]["name"]
    await human("group-var-set", group, key="LOG_LEVEL", value="debug")
    await human("group-var-set", group, key="NOISE", value="1")
    await human("domain-remove", "app-acme", name="acme.example.com")
    await human("domain-add", "app-acme", name="other.example.com")
    await asked(world)
    await world.settle("acme", step_s=30.0)
    app = await world.live("services", "app-acme")
    assert app["running"]["env"]["LOG_LEVEL"] == "info"
    assert {one["name"] for one in app["customDomains"]} >= {"acme.example.com", "other.example.com"}
    row = await world.tenant("acme")
    assert row.status is not None
    assert set(row.status.drift) == {"shared: variable NOISE was added", "app: domain other.example.com was added"}
    await human("unlink-group", "app-acme", group=group)
    await swept(world)
    await world.settle("acme", step_s=30.0)
    assert len((await world.live("services", "app-acme"))["envGroups"]) == 1
    assert (await world.live("services", "app-acme"))["running"]["env"]["LOG_LEVEL"] == "info"
    await no_effort(world)


async def test_rules_of_a_static_site_are_put_back_and_foreign_ones_kept(world: World) -> None:
    await settled(world, SITE)
    human = world.simulator.human
    await human("header-set", "site-acme", path="/*", name="X-Frame-Options", value="ALLOW")
    await human("header-set", "site-acme", path="/x", name="X-Other", value="1")
    await human("route-set", "site-acme", source="/a", destination="/evil")
    await human("route-set", "site-acme", source="/z", destination="/y")
    await asked(world)
    await world.settle("acme", step_s=30.0)
    live = await world.live("services", "site-acme")
    assert {(one["path"], one["name"], one["value"]) for one in live["headers"]} == {
        ("/*", "X-Frame-Options", "DENY"),
        ("/x", "X-Other", "1"),
    }
    assert [(one["source"], one["destination"]) for one in live["routes"]] == [("/a", "/b"), ("/z", "/y")]
    row = await world.tenant("acme")
    assert row.status is not None
    assert len(row.status.drift) == 2, row.status.drift
    assert await told(world, "Healed", "site")
    await no_effort(world)


async def test_a_suspended_a_renamed_a_moved_and_a_deleted_service_come_back(world: World) -> None:
    await settled(world, PLAIN)
    human = world.simulator.human
    await human("suspend", "app-acme")
    await human("rename", "jobs-acme", name="stolen")
    await human("env-move", "stolen", environment=None)
    await swept(world)
    await calm(world)
    app, jobs = await world.live("services", "app-acme"), await world.live("services", "jobs-acme")
    assert app["suspended"] == "not_suspended"
    assert jobs["environmentId"] == (await world.simulator.truth())["environments"][0]["id"]
    assert ("app was suspended, not by us and not by a spec", 1) in await told(world, "Drifted", "app")
    assert any("app" in text and "resume" in text for text, _ in await told(world, "Healed", "app"))
    await no_effort(world)

    before = jobs["id"]
    await human("delete", "jobs-acme")
    await swept(world)
    await calm(world)
    assert (await world.live("services", "jobs-acme"))["id"] != before
    drifted = [text for text, _ in await told(world, "Drifted", "jobs")]
    assert any("deleted at Render, not by us" in text for text in drifted), drifted
    assert any("jobs" in text for text, _ in await told(world, "Healed", "jobs"))
    await no_effort(world)
