"""What an edit of a tenant does to its services: one PATCH and one deploy each, visible in events, quiet afterwards."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.engine.documents import FULL, ONE_WEB, tenant
from tests.engine.following import assert_still, follow
from tests.engine.world import World, env_of


async def test_a_tier_change_up_and_down_moves_plans_instances_prices_and_ledger(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")
    small = (await world.tenant("bolt")).status
    assert small is not None and small.monthly_usd is not None

    up = await follow(world, world.change("bolt", tier="big"), "bolt")
    assert sorted(up.writes) == [
        "PATCH key-value/cache-bolt",
        "PATCH postgres/db-bolt",
        "PATCH services/backend-bolt",
        "POST services/backend-bolt/deploys",
        "POST services/backend-bolt/scale",
    ]
    assert up.live("postgres", "db-bolt")["plan"] == "basic_1gb"
    backend = up.live("services", "backend-bolt")
    assert (backend["serviceDetails"]["plan"], backend["runningInstances"]) == ("standard", 2)
    assert up.said("Changed", "web service backend", "plan starter -> standard")
    assert up.said("Changed", "postgres db", "plan basic_256mb -> basic_1gb")
    assert up.said("Available", "Ready after")
    big = (await world.tenant("bolt")).status
    assert big is not None and big.monthly_usd == big.monthly_usd_desired
    # db +13, cache +22 (Render API 8.2: 10 -> 32), backend 2 x 25 instead of 7; asked of the ledger as well
    rates = {row.key: row.usd_per_month for row in await _rates(world)}
    assert sum(rates.values(), Decimal()) == big.monthly_usd > small.monthly_usd
    assert rates["bolt/backend"] == 2 * Decimal(25)
    await assert_still(world)

    down = await follow(world, world.change("bolt", tier="small"), "bolt")
    assert sorted(down.writes) == [
        "PATCH postgres/db-bolt",
        "PATCH services/backend-bolt",
        "POST services/backend-bolt/deploys",
        "POST services/backend-bolt/scale",
    ]
    status = (await world.tenant("bolt")).status
    assert status is not None and status.phase == "Ready"
    assert "Render cannot shrink a Key Value: cache standard -> starter" in status.why
    assert status.you.startswith("put the old value back")
    assert status.conditions[1].reason == "Immutable" and down.said("Immutable", "cannot shrink")
    assert {row.key: row.usd_per_month for row in await _rates(world)}["bolt/cache"] == rates["bolt/cache"]
    sent = await world.quiet(400)
    assert sent == []


async def _rates(world: World):
    now = await world.now()
    return await world.registry.costs("component", now - timedelta(days=1), now)


async def test_words_of_a_spec_reach_the_service_with_one_write_and_one_deploy_each(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")
    backend, deploy = "services/backend-bolt", "POST services/backend-bolt/deploys"

    param = await follow(world, world.change("bolt", params={"theme": "dark"}), "bolt")
    assert param.writes == [f"PUT {backend}/env-vars", deploy]
    assert param.live("services", "backend-bolt")["running"]["env"]["THEME"] == "dark"
    assert param.said("Changed", "web service backend", "variable THEME")
    assert not any("dark" in text for _, text in param.events), "values of variables are never told"

    env = await follow(world, world.detail("bolt", env={"*": {"FLAG": "1"}, "jobs": {"ONLY": "x"}}), "bolt")
    users = ("backend", "jobs", "nightly", "search", "site")
    assert sorted(env.writes) == sorted(
        [f"PUT services/{one}-bolt/env-vars" for one in users] + [f"POST services/{one}-bolt/deploys" for one in users]
    )
    assert env_of(env.live("services", "jobs-bolt")).items() >= {"FLAG": "1", "ONLY": "x"}.items()
    assert await _drift_free(world)

    removed = await follow(world, world.detail("bolt", env={}), "bolt")
    assert len(removed.writes) == 10
    assert "FLAG" not in env_of(removed.live("services", "site-bolt"))
    assert removed.said("Changed", "worker jobs", "variable ONLY set -> removed")

    group = await follow(world, world.detail("bolt", env={"shared": {"LOG_LEVEL": "debug", "MORE": "1"}}), "bolt")
    assert group.count("PUT env-groups/shared-bolt/env-vars/.*") == 2
    assert sorted(one for one in group.writes if "deploys" in one) == [deploy, "POST services/jobs-bolt/deploys"]
    assert group.live("services", "backend-bolt")["running"]["env"]["LOG_LEVEL"] == "debug"

    back = await follow(world, world.detail("bolt", env={}), "bolt")
    assert back.count("DELETE env-groups/shared-bolt/env-vars/MORE") == 1
    assert back.count("POST .*deploys") == 2
    await assert_still(world)

    both = world.change("bolt", params={"theme": "red"}, tier="big")
    coalesced = await follow(world, both, "bolt")
    assert coalesced.count(f"PATCH {backend}") == 1 and coalesced.writes.count(deploy) == 1
    assert coalesced.count(f"PUT {backend}/env-vars") == 1
    await assert_still(world)


async def _drift_free(world: World) -> bool:
    status = (await world.tenant("bolt")).status
    return status is not None and status.conditions[2].status == "False"


async def test_plugins_come_and_go_and_reach_only_their_components(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")
    before = (await world.live("services", "backend-bolt"))["serviceDetails"]["envSpecificDetails"]
    plugin = {"repo": "https://github.com/acme/plug", "ref": "v1", "components": ["backend", "jobs"]}

    added = await follow(world, world.detail("bolt", plugins=[plugin]), "bolt")
    assert sorted(added.writes) == sorted(
        f"{what}-bolt{tail}"
        for one in ("backend", "jobs")
        for what, tail in (
            (f"PATCH services/{one}", ""),
            (f"PUT services/{one}", "/env-vars"),
            (f"POST services/{one}", "/deploys"),
        )
    )
    live = added.live("services", "backend-bolt")
    assert "https://github.com/acme/plug" in live["serviceDetails"]["envSpecificDetails"]["dockerCommand"]
    assert live["running"]["env"]["CUSTOM_PLUGINS_PATH"]
    assert added.said("Changed", "worker jobs", "buildCommand")
    await assert_still(world)

    gone = await follow(world, world.detail("bolt", plugins=[]), "bolt")
    live = gone.live("services", "backend-bolt")
    assert live["serviceDetails"]["envSpecificDetails"] == before
    assert "CUSTOM_PLUGINS_PATH" not in env_of(live)
    assert len(gone.writes) == 6

    await world.detail("bolt", plugins=[{**plugin, "components": ["search"]}])
    await world.run(lambda: _is(world, "bolt", "Invalid"))
    status = (await world.tenant("bolt")).status
    assert status is not None and "search" in status.why and "cannot take a plugin" in status.why
    assert "spec.plugins[0].components" in status.why
    assert await world.quiet(300) == []
    await follow(world, world.detail("bolt", plugins=[]), "bolt")
    await assert_still(world)


async def _is(world: World, name: str, phase: str) -> bool:
    row = await world.tenant(name)
    return row.fresh and row.status is not None and row.status.phase == phase


async def test_overrides_scale_image_schedule_and_autoscaling_follow_the_spec(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full", displayName="Bolt"))
    await world.settle("bolt")

    async def override(**patch: object):
        return await follow(world, world.detail("bolt", overrides=patch), "bolt")

    scaled = await override(backend={"numInstances": 3})
    assert scaled.writes == ["POST services/backend-bolt/scale"], "a count needs no deploy"
    assert scaled.live("services", "backend-bolt")["runningInstances"] == 3

    image = await override(search={"image": {"url": "docker.io/acme/search:3"}}, nightly={"schedule": "30 4 * * *"})
    assert sorted(image.writes) == [
        "PATCH services/nightly-bolt",
        "PATCH services/search-bolt",
        "POST services/backend-bolt/scale",
        "POST services/search-bolt/deploys",
    ], "a schedule needs no deploy"
    assert image.live("services", "search-bolt")["running"]["image"].endswith("acme/search:3")
    assert image.live("services", "nightly-bolt")["serviceDetails"]["schedule"] == "30 4 * * *"
    assert image.said("Changed", "cron job nightly", "schedule 0 3 * * * -> 30 4 * * *")
    await assert_still(world)

    scaling = {"minInstances": 2, "maxInstances": 4, "targetCPUPercent": 60}
    auto = await override(backend={"numInstances": None, "scaling": scaling}, jobs={"scaling": {"maxInstances": 5}})
    assert (
        "PUT services/backend-bolt/autoscaling" in auto.writes and "PUT services/jobs-bolt/autoscaling" in auto.writes
    )
    assert auto.count("POST .*/deploys") == 1, "search goes back to its own image, autoscaling needs no deploy"
    await assert_still(world)

    fixed = await override(jobs={"scaling": None, "numInstances": 2})
    assert "DELETE services/backend-bolt/autoscaling" in fixed.writes
    assert "DELETE services/jobs-bolt/autoscaling" in fixed.writes
    assert fixed.live("services", "jobs-bolt")["runningInstances"] == 2
    assert fixed.live("services", "backend-bolt")["runningInstances"] == 1
    await assert_still(world)

    named = await follow(world, world.change("bolt", display_name="Bolt & Sons"), "bolt")
    assert named.count("PUT services/[a-z]*-bolt/env-vars") == 5 and named.count("POST .*/deploys") == 5
    assert env_of(named.live("services", "site-bolt"))["TENANT_NAME"] == "Bolt & Sons"
    await assert_still(world)


async def test_a_region_cannot_change_once_something_is_built(world: World) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme", region="frankfurt"))
    await world.settle("acme")
    assert (await world.live("services", "app-acme"))["serviceDetails"]["region"] == "frankfurt"
    with pytest.raises(Exception, match="region of tenant 'acme' cannot change"):
        await world.change("acme", region="oregon")
    # An edit of the Blueprint that names another region is told as Immutable and not tried.
    await world.apply(ONE_WEB.replace("plan: starter,", "plan: starter, region: ohio,"))
    await world.settle("acme")
    await assert_still(world)
    await world.apply(tenant("beta"))
    await world.settle("beta")
    await world.apply(ONE_WEB.replace("plan: starter,", "plan: standard, region: virginia,"))
    edit = await follow(world, world.step(1), "beta", revision=3)
    assert edit.live("services", "app-beta")["serviceDetails"]["region"] == "ohio"
    status = (await world.tenant("beta")).status
    assert status is not None and status.conditions[1].reason == "Immutable"
    assert "region of app cannot be changed once it is built: ohio -> virginia" in status.why
    assert "delete the tenant" in status.you
    assert await world.quiet(300) == []
