"""What the drift tests share: Blueprints that a person can meddle with, and hands to let the operator find out."""

from tests.engine.documents import tenant
from tests.engine.world import ACTOR, World

SWEEP_S = 900.0

PLAIN = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: plain}
spec:
  template:
    envVarGroups:
      - {name: shared, envVars: [{key: LOG_LEVEL, value: info}]}
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter, numInstances: 2,
         healthCheckPath: /up, domains: ["${tenant.name}.example.com"],
         envVars: [{fromGroup: shared}, {key: MODE, value: live}, {key: COLOUR, value: blue}]}
      - {type: worker, name: jobs, runtime: python, buildCommand: make, startCommand: python -m jobs,
         envVars: [{key: SIDE, value: left}]}
  source: {repo: "https://github.com/acme-inc/plain", branch: main}
  entrypoint: app
  ready: {path: /up, within: 15m}
  drift: heal
"""

SITE = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: site}
spec:
  template:
    services:
      - type: web
        name: site
        runtime: static
        buildCommand: make
        staticPublishPath: dist
        headers: [{path: /*, name: X-Frame-Options, value: DENY}]
        routes: [{type: rewrite, source: /a, destination: /b}]
  source: {repo: "https://github.com/acme-inc/site", branch: main}
  entrypoint: site
  ready: {path: /, within: 15m}
  drift: heal
"""

DATA = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: data}
spec:
  template:
    databases:
      - {name: db, plan: basic-256mb, postgresMajorVersion: "17", diskSizeGB: 10, ipAllowList: []}
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - {type: pserv, name: search, runtime: image, image: {url: docker.io/acme/search:2}, plan: starter,
         disk: {name: files, mountPath: /data, sizeGB: 5}}
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter, healthCheckPath: /up,
         envVars: [{key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}},
                   {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}]}
  entrypoint: app
  ready: {path: /up, within: 15m}
  drift: heal
"""


async def settled(world: World, blueprint: str, name: str = "acme", *, policy: str = "heal", **spec: object) -> None:
    """Bring one tenant of a Blueprint up under a drift policy."""
    words = blueprint.split("metadata: {name: ", 1)[1].split("}", 1)[0]
    await world.apply(blueprint.replace("drift: heal", f"drift: {policy}"))
    await world.apply(tenant(name, words, tier=None, **spec).replace("  tier: null\n", ""))
    await world.settle(name, step_s=30.0)


async def swept(world: World) -> None:
    """Let the time of a sweep pass, and everybody do what then is due."""
    await world.step(SWEEP_S)
    while await world.turn():
        pass


async def swept_soon(world: World) -> None:
    """Sweep at once, although none is due, and let everybody do what follows for two minutes."""
    await world.turn()
    await world.workers[0].sweeper.sweep()
    for _ in range(4):
        while await world.turn():
            pass
        await world.step(30.0)


async def asked(world: World, name: str = "acme") -> None:
    """Say `reconcile`, and let the pass run."""
    await world.registry.reconcile(name, ACTOR)
    await world.turn()


async def calm(world: World, name: str = "acme", *, within_s: float = 7200.0, step_s: float = 30.0) -> None:
    """Run until the tenant is Ready, in sync and without drift."""

    async def there() -> bool:
        status = (await world.tenant(name)).status
        return status is not None and [one.status for one in status.conditions] == ["True", "True", "False"]

    await world.run(there, within_s=within_s, step_s=step_s)


async def conditions(world: World, name: str = "acme") -> dict[str, tuple[str, str, str]]:
    """Answer each condition as (status, reason, message)."""
    status = (await world.tenant(name)).status
    assert status is not None
    return {str(one.type): (one.status, str(one.reason), one.message) for one in status.conditions}


async def told(world: World, reason: str, component: str = "", name: str = "acme") -> list[tuple[str, int]]:
    """Answer messages and counts of a tenant's events of a reason, about a component if one is named."""
    events = await world.registry.events(name, limit=500)
    return [(one.message, one.count) for one in events if one.reason == reason and component in ("", one.component)]


async def no_effort(world: World) -> None:
    """Assert that nothing is written any more, whoever asks, and that nobody was throttled."""
    assert await world.quiet() == []
    assert (await world.simulator.truth())["throttled"] == 0
