"""Domains, headers, routes, disks, groups and secrets: edits reach Render and the instances, and then it is quiet."""

from reconciler.core.values import Sensitive
from tests.engine.documents import FULL, tenant
from tests.engine.following import assert_still, follow
from tests.engine.world import ACTOR, World, env_of

PARTS = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: parts}
spec:
  template:
    envVarGroups:
      - {name: shared, envVars: [{key: LEVEL, value: info}]}
      - {name: extra, envVars: [{key: EXTRA, value: "1"}]}
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter,
         envVars: [{fromGroup: shared}, {key: OWN, sync: false}, {key: ALL, sync: false}]}
      - {type: worker, name: jobs, runtime: image, image: {url: docker.io/acme/jobs:1}, plan: starter,
         envVars: [{fromGroup: shared}, {key: ALL, sync: false}]}
  entrypoint: app
  secrets: {OWN: {perTenant: true}, ALL: {shared: true}}
  rollout: {step: 10}
"""
BARE = "apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {name: %s}\nspec: {blueprint: parts}\n"


def domains(live) -> set[str]:
    return {one["name"] for one in live["customDomains"]}


async def test_domains_with_their_twins_headers_and_routes_follow_the_spec(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")

    added = await follow(
        world, world.detail("bolt", domains={"site": ["acme.com"], "backend": ["api.acme.com"]}), "bolt"
    )
    assert sorted(added.writes) == [
        "POST services/backend-bolt/custom-domains",
        "POST services/site-bolt/custom-domains",
    ], "a domain needs no deploy"
    assert domains(added.live("services", "site-bolt")) == {"acme.com", "www.acme.com"}, "Render adds the twin"
    assert domains(added.live("services", "backend-bolt")) == {"bolt.example.com", "api.acme.com"}
    assert added.said("Changed", "domain acme.com") and added.said("Changed", "domain api.acme.com")
    await assert_still(world)

    removed = await follow(world, world.detail("bolt", domains={}), "bolt")
    assert domains(removed.live("services", "site-bolt")) == set(), "the twin leaves with its sibling"
    assert domains(removed.live("services", "backend-bolt")) == {"bolt.example.com"}
    assert removed.said("Changed", "domain acme.com added -> removed")
    await assert_still(world)

    rules = {
        "headers": [
            {"path": "/*", "name": "X-Frame-Options", "value": "SAMEORIGIN"},
            {"path": "/a", "name": "Cache-Control", "value": "no-store"},
        ],
        "routes": [{"type": "redirect", "source": "/old", "destination": "/new"}],
    }
    changed = await follow(world, world.detail("bolt", overrides={"site": rules}), "bolt")
    assert sorted(changed.writes) == ["PUT services/site-bolt/headers", "PUT services/site-bolt/routes"]
    site = changed.live("services", "site-bolt")
    assert sorted(one["value"] for one in site["headers"]) == ["SAMEORIGIN", "no-store"]
    assert [one["source"] for one in site["routes"]] == ["/old"]
    await assert_still(world)

    none = await follow(world, world.detail("bolt", overrides={"site": {"headers": [], "routes": []}}), "bolt")
    site = none.live("services", "site-bolt")
    assert (site["headers"], site["routes"]) == ([], [])
    await assert_still(world)


async def test_a_disk_is_added_and_grown_never_shrunk_and_removed_only_with_a_word(world: World) -> None:
    await world.apply(FULL)
    await world.apply(tenant("bolt", "full"))
    await world.settle("bolt")
    name = "search-bolt"

    grown = await follow(world, world.detail("bolt", overrides={"search": {"disk": {"sizeGB": 8}}}), "bolt")
    assert grown.count("PATCH disks/.*") == 1 and len(grown.writes) == 1
    assert grown.live("services", name)["disk"]["sizeGB"] == 8
    assert grown.said("Changed", "private service search", "disk.sizeGB 5 -> 8")
    await assert_still(world)

    shrunk = await follow(world, world.detail("bolt", overrides={"search": {"disk": {"sizeGB": 6}}}), "bolt")
    assert shrunk.writes == []
    status = (await world.tenant("bolt")).status
    assert status is not None and "the disk of search cannot shrink: 8 GB -> 6 GB" in status.why
    assert status.you == "write sizeGB: 8 or more" and shrunk.said("Immutable", "cannot shrink")
    assert await world.quiet(300) == []

    gone = await follow(world, world.detail("bolt", overrides={"search": {"disk": None}}), "bolt")
    assert gone.writes == []
    status = (await world.tenant("bolt")).status
    assert status is not None and "removing the disk of search would lose its data" in status.why
    assert status.you == "reconciler apply bolt --set 'allowDataLoss=[\"search\"]'"
    assert gone.said("DataLoss", "disk of search")
    assert await world.quiet(300) == []

    allowed = await follow(world, world.detail("bolt", allowDataLoss=["search"]), "bolt")
    assert allowed.count("DELETE disks/.*") == 1 and allowed.live("services", name)["disk"] is None
    assert allowed.count("POST services/search-bolt/deploys") <= 1
    await assert_still(world)

    added = await follow(world, world.detail("bolt", overrides={}, allowDataLoss=[]), "bolt")
    assert added.count("POST disks") == 1 and added.live("services", name)["disk"]["sizeGB"] == 5
    await assert_still(world)


async def test_secrets_groups_and_links_reach_every_user_with_one_deploy(world: World) -> None:
    await world.apply(PARTS)
    await world.apply(BARE % "acme")
    await world.settle("acme", phase="Blocked")
    status = (await world.tenant("acme")).status
    assert status is not None and "secret OWN (app) has no value" in status.why
    assert "Nothing was created, nothing costs money" in status.why
    assert (await world.simulator.truth())["services"] == []

    async def secret(scope: str, owner: str, key: str, value: str) -> None:
        await world.registry.set_secret(scope, owner, key, Sensitive(value), ACTOR)

    await secret("tenant", "acme", "OWN", "own-1")
    await world.settle("acme", phase="Blocked")
    status = (await world.tenant("acme")).status
    assert status is not None and status.you == "reconciler secret set --blueprint parts ALL"
    await secret("blueprint", "parts", "ALL", "all-1")
    await world.settle("acme")
    await assert_still(world)

    own = await follow(world, secret("tenant", "acme", "OWN", "own-2"), "acme")
    assert own.writes == ["PUT services/app-acme/env-vars", "POST services/app-acme/deploys"]
    assert own.live("services", "app-acme")["running"]["env"]["OWN"] == "own-2"
    assert own.said("Changed", "variable OWN") and not any("own-2" in text for _, text in own.events)

    shared = await follow(world, secret("blueprint", "parts", "ALL", "all-2"), "acme")
    assert sorted(shared.writes) == [
        "POST services/app-acme/deploys", "POST services/jobs-acme/deploys",
        "PUT services/app-acme/env-vars", "PUT services/jobs-acme/env-vars",
    ]  # fmt: skip
    await assert_still(world)

    await _groups(world)


async def _groups(world: World) -> None:
    """Edits of a Blueprint's groups: a variable, a link more, a link less."""
    await world.apply(PARTS.replace("LEVEL, value: info", "LEVEL, value: debug"))
    group = await follow(world, world.step(1), "acme", revision=2)
    assert sorted(group.writes) == [
        "POST services/app-acme/deploys", "POST services/jobs-acme/deploys",
        "PUT env-groups/shared-acme/env-vars/LEVEL",
    ]  # fmt: skip
    await assert_still(world)

    linked = PARTS.replace("[{fromGroup: shared}, {key: OWN", "[{fromGroup: shared}, {fromGroup: extra}, {key: OWN")
    await world.apply(linked)
    link = await follow(world, world.step(1), "acme", revision=3)
    assert link.count("POST env-groups/extra-acme/services/app-acme") == 1
    assert link.writes.count("POST services/app-acme/deploys") == 1, "with LEVEL back at info, still one deploy each"
    assert link.live("services", "app-acme")["running"]["env"]["EXTRA"] == "1"
    await assert_still(world)

    jobs_line = "acme/jobs:1}, plan: starter,\n         envVars: ["
    await world.apply(linked.replace(f"{jobs_line}{{fromGroup: shared}}, ", jobs_line))
    unlink = await follow(world, world.step(1), "acme", revision=4)
    assert sorted(unlink.writes) == [
        "DELETE env-groups/shared-acme/services/jobs-acme", "POST services/jobs-acme/deploys",
    ]  # fmt: skip
    jobs = unlink.live("services", "jobs-acme")
    assert "LEVEL" not in jobs["running"]["env"] and env_of(jobs)["ALL"] == "all-2"
    assert unlink.said("Changed", "env group shared linked -> not linked")
    await assert_still(world)
