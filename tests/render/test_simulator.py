"""The client against the simulator over real HTTP: what it takes a person, a fault or a full limit to see.

What any answering Render must do is in the contract suite (tests/render/contract).
"""

import asyncio
from datetime import timedelta

import pytest

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Conflict, Denied, Refused, Throttled, Unavailable, Unknown
from reconciler.core.kinds import DATASTORES, Kind
from reconciler.core.observed import DeployState, Part
from reconciler.core.values import Sensitive
from reconciler.ports import Plaintext
from reconciler.render.calls import Hooks
from reconciler.render.clock import SimulatedClock

NOTHING = Plaintext()
IMAGE = {"runtime": "image", "imagePath": "docker.io/library/nginx:latest", "plan": "starter", "region": "frankfurt"}
NATIVE = {
    "runtime": "node", "repo": "https://github.com/render-examples/express-hello-world", "branch": "main",
    "buildCommand": "npm ci", "startCommand": "npm start", "plan": "starter", "region": "oregon",
}  # fmt: skip
DOCKER = {
    "runtime": "docker", "repo": "https://github.com/render-examples/express-hello-world", "branch": "main",
    "dockerCommand": "run", "dockerContext": ".", "dockerfilePath": "./Dockerfile", "plan": "starter", "region": "ohio",
}  # fmt: skip
COMMON = {"autoDeployTrigger": "off", "rootDir": "app"}
CREATES = {
    Kind.WEB: NATIVE | COMMON | {
        "numInstances": 2, "healthCheckPath": "/health", "preDeployCommand": "migrate", "maxShutdownDelaySeconds": 60,
        "buildFilter": {"paths": ["src/**"], "ignoredPaths": ["docs/**"]}, "previews": "off",
        "maintenanceMode": {"enabled": False, "uri": ""}, "renderSubdomainPolicy": "enabled",
    },
    Kind.PRIVATE: DOCKER | COMMON | {"numInstances": 1, "disk": {"name": "data", "mountPath": "/data", "sizeGB": 5}},
    Kind.WORKER: IMAGE | {
        "dockerCommand": "work", "numInstances": 1, "autoscaling": {"min": 1, "max": 3, "cpu": 60, "memory": None}
    },
    Kind.CRON: IMAGE | {"schedule": "0 3 * * *", "dockerCommand": "clean"},
    Kind.STATIC: COMMON | {
        "repo": NATIVE["repo"], "branch": "main", "buildCommand": "make", "publishPath": "out",
        "headers": [["/*", "X-Frame-Options", "DENY"], ["/api/*", "Cache-Control", "no-store"]],
        "routes": [["redirect", "/old", "/new"], ["rewrite", "/*", "/index.html"]],
    },
    Kind.POSTGRES: {
        "plan": "basic_256mb", "region": "frankfurt", "version": "16", "databaseName": "crm", "databaseUser": "crm",
        "diskSizeGB": 15, "highAvailabilityEnabled": False, "diskAutoscalingEnabled": True,
        "ipAllowList": [{"cidrBlock": "1.2.3.4/32", "description": "office"}],
    },
    Kind.KEY_VALUE: {
        "plan": "starter", "region": "frankfurt", "maxmemoryPolicy": "noeviction", "persistenceMode": "snapshot",
        "ipAllowList": [],
    },
    Kind.ENV_GROUP: {},
    Kind.PROJECT: {"environment": "production", "networkIsolationEnabled": True, "protectedStatus": "unprotected"},
}  # fmt: skip
SECRETS = Plaintext(
    values={"TOKEN": Sensitive("t0ken"), "DEBUG": Sensitive("1")}, files={"key.pem": Sensitive("line 1\nline 2\n")}
)


def action(verb, kind, id="", name="thing", **more):
    return Action(verb=verb, component="thing", kind=kind, name=name, id=id, **more)


async def create(client, kind, plaintext=None, **payload):
    carries = kind not in DATASTORES and kind not in {Kind.PROJECT, Kind.ENVIRONMENT}
    plaintext = plaintext or (SECRETS if carries else NOTHING)
    made = action(Verb.CREATE, kind, payload={**CREATES[kind], **payload})
    reply = await client.send(made, plaintext)
    assert reply.observed is not None
    return reply


def texts(values):
    return {name: value.reveal() for name, value in values.items()}


async def settle(simulator, client, seconds=400):
    """Let deploys and databases come up."""
    simulator.step(seconds)
    assert await client.clock.refresh()


@pytest.mark.parametrize("kind", [Kind.WEB, Kind.WORKER, Kind.CRON, Kind.STATIC])
async def test_deploys(simulator, client, kind):
    made = await create(client, kind)
    assert made.deploy is not None
    assert made.deploy.id.startswith("dep-")
    await settle(simulator, client)
    first = await client.deploy(made.observed.id)
    assert (first.id, first.state) == (made.deploy.id, DeployState.LIVE)
    started = (await client.send(action(Verb.DEPLOY, kind, made.observed.id), NOTHING)).deploy
    assert started.state in {DeployState.PROGRESSING, DeployState.LIVE}
    if started.state is DeployState.PROGRESSING:
        queued = (
            await client.send(action(Verb.DEPLOY, kind, made.observed.id, payload={"clearCache": True}), NOTHING)
        ).deploy
        assert (queued.id, queued.status) == ("", "queued")
    await settle(simulator, client, 1000)
    assert (await client.deploy(made.observed.id)).state is DeployState.LIVE


async def test_variables_and_files_are_merged_into_what_is_there(simulator, client):
    id = (await create(client, Kind.WEB)).observed.id
    simulator.human("env-set", id, key="FOREIGN", value="stays")
    some = Plaintext(values={f"K{at:03}": Sensitive(str(at)) for at in range(150)} | {"TOKEN": Sensitive("new")})
    reply = await client.send(action(Verb.SET_ENV, Kind.WEB, id, removes=("DEBUG",)), some)
    stands = texts(reply.detail.env)
    assert stands == {"FOREIGN": "stays", "TOKEN": "new"} | {f"K{at:03}": str(at) for at in range(150)}
    reply = await client.send(
        action(Verb.SET_FILES, Kind.WEB, id, removes=("gone",)), Plaintext(files={"b.txt": Sensitive("é\x00")})
    )
    assert texts(reply.detail.files) == {"key.pem": "line 1\nline 2\n", "b.txt": "é\x00"}
    detail = await client.detail(Kind.WEB, id)
    assert texts(detail.env) == stands
    assert texts(detail.files) == texts(reply.detail.files)
    await client.send(action(Verb.SET_ENV, Kind.WEB, id, removes=tuple(stands)), NOTHING)
    assert texts((await client.detail(Kind.WEB, id)).env) == {}


async def test_a_part_is_asked_for_by_its_name(simulator, client):
    id = (await create(client, Kind.WEB)).observed.id
    await client.send(action(Verb.ADD_DOMAIN, Kind.WEB, id, payload={"name": "shop.acme.io"}), NOTHING)
    for part, name in ((Part.VARIABLE, "TOKEN"), (Part.FILE, "key.pem"), (Part.DOMAIN, "shop.acme.io")):
        assert await client.has(id, part, name)
        assert not await client.has(id, part, "none.acme.io")


async def test_an_apex_domain_brings_its_twin_and_is_verified(simulator, client):
    id = (await create(client, Kind.STATIC)).observed.id
    added = await client.send(action(Verb.ADD_DOMAIN, Kind.STATIC, id, payload={"name": "acme.example"}), NOTHING)
    assert [domain.name for domain in added.detail.domains] == ["acme.example", "www.acme.example"]
    simulator.verify(id, "acme.example")
    await settle(simulator, client)
    domains = (await client.detail(Kind.STATIC, id)).domains
    assert [(domain.name, domain.verified, domain.redirect_for) for domain in domains] == [
        ("acme.example", True, ""),
        ("www.acme.example", True, "acme.example"),
    ]
    for name in ("acme.example", "www.acme.example"):
        await client.send(action(Verb.REMOVE_DOMAIN, Kind.STATIC, id, payload={"name": name}), NOTHING)
    assert (await client.detail(Kind.STATIC, id)).domains == ()


async def test_a_second_environment_and_what_is_made_inside_one(simulator, client):
    project, environment = (await create(client, Kind.PROJECT)).created
    second = await client.send(
        action(Verb.CREATE, Kind.ENVIRONMENT, name="staging", payload={"projectId": project.id}), NOTHING
    )
    assert second.observed.fields["projectId"] == project.id
    assert sorted(item.id for item in await client.sweep(Kind.ENVIRONMENT)) == sorted(
        [environment.id, second.observed.id]
    )
    inside = (await create(client, Kind.KEY_VALUE, environmentId=environment.id)).observed
    outside = (await create(client, Kind.WEB)).observed
    assert (inside.environment_id, outside.environment_id) == (environment.id, None)
    moved = await client.send(
        action(Verb.MOVE, Kind.ENVIRONMENT, environment.id, payload={"resourceIds": [outside.id]}), NOTHING
    )
    assert moved.observed.fields["members"] == sorted([inside.id, outside.id])
    assert (await client.get(Kind.WEB, outside.id)).environment_id == environment.id
    await client.send(action(Verb.DELETE, Kind.WEB, outside.id), NOTHING)
    assert (await client.get(Kind.ENVIRONMENT, environment.id)).fields["members"] == [inside.id]


async def test_a_project_whose_environment_cannot_be_read_still_stands(simulator, client):
    simulator.fault("status", method="GET", path="/environments/", status=503)
    project, environment = (await create(client, Kind.PROJECT)).created
    assert environment.name == "production"
    assert environment.fields["projectId"] == project.id
    assert environment.fields["networkIsolationEnabled"] is True
    assert project.fields["environmentIds"] == [environment.id]


async def test_an_export_and_what_a_deep_check_of_a_database_tells(simulator, client):
    database = (await create(client, Kind.POSTGRES)).observed
    store = (await create(client, Kind.KEY_VALUE)).observed
    await settle(simulator, client)
    detail = await client.detail(Kind.POSTGRES, database.id)
    assert texts(detail.connection) == texts(await client.connection(Kind.POSTGRES, database.id))
    assert detail.fields == {"parameterOverrides": {}}
    await client.send(action(Verb.EXPORT, Kind.POSTGRES, database.id), NOTHING)
    with pytest.raises(Refused):
        await client.send(action(Verb.EXPORT, Kind.KEY_VALUE, store.id), NOTHING)


async def test_a_private_service_is_reached_by_name_and_port(simulator, client):
    private = (await create(client, Kind.PRIVATE)).observed
    assert private.attributes["hostport"] == f"{private.attributes['slug']}:10000"


async def test_replicas(simulator, client):
    database = (await create(client, Kind.POSTGRES, readReplicas=["reader-b", "reader-a"])).observed
    assert database.fields["readReplicas"] == ["reader-a", "reader-b"]
    await settle(simulator, client)
    assert [item.id for item in await client.sweep(Kind.POSTGRES)] == [database.id]
    await client.send(action(Verb.UPDATE, Kind.POSTGRES, database.id, payload={"readReplicas": ["reader-a"]}), NOTHING)
    assert (await client.get(Kind.POSTGRES, database.id)).fields["readReplicas"] == ["reader-a"]


async def test_run_job(simulator, client):
    id = (await create(client, Kind.WEB)).observed.id
    await settle(simulator, client)
    reply = await client.send(action(Verb.RUN_JOB, Kind.WEB, id, payload={"startCommand": "seed"}), NOTHING)
    assert reply.detail.fields["job"]["id"].startswith("job-")


async def test_failure_is_told_until_the_server_is_back(simulator, client):
    made = (await create(client, Kind.WEB)).observed
    await settle(simulator, client)
    since = client.clock.now()
    await settle(simulator, client, 1)
    assert await client.failure(made.id, since) is None
    simulator.human("crash", made.id)
    await settle(simulator, client, 10)
    assert (await client.failure(made.id, since)).startswith("server failed")
    assert await client.failure(made.id, client.clock.now() + timedelta(seconds=1)) is None
    simulator.human("recover", made.id)
    await settle(simulator, client, 60)
    assert await client.failure(made.id, since) is None


async def test_probe(simulator, client):
    made = (await create(client, Kind.WEB)).observed
    url = made.attributes["url"]
    assert await client.probe(f"{url}/health") == 502
    await settle(simulator, client)
    assert await client.probe(f"{url}/health") == 200
    await client.send(action(Verb.SUSPEND, Kind.WEB, made.id), NOTHING)
    await settle(simulator, client)
    assert await client.probe(url) == 503
    assert await client.probe("https://nobody-here.onrender.com/") == 404


async def test_an_unknown_registry_credential_is_refused_before_anything_is_created(simulator, client):
    with pytest.raises(Refused, match='named "ghcr"'):
        await create(client, Kind.WORKER, registryCredential="ghcr")
    assert await client.sweep(Kind.WEB) == []


async def test_a_create_whose_answer_is_lost_is_unknown_and_can_be_found(simulator, client):
    for fault in ("reset", "malformed_json"):
        simulator.fault(fault, method="POST", path="/services$", count=1)
        made = action(Verb.CREATE, Kind.WEB, name=f"web-{fault}", payload=CREATES[Kind.WEB])
        with pytest.raises(Unknown):
            await client.send(made, SECRETS)
        [found] = await client.find(Kind.WEB, f"web-{fault}")
        assert found.fields["startCommand"] == "npm start"


@pytest.mark.parametrize(("status", "error"), [(400, Refused), (402, Denied), (409, Conflict), (503, Unknown)])
async def test_faults_become_what_to_do(simulator, client, status, error):
    simulator.fault("status", method="POST", path="/services$", status=status)
    with pytest.raises(error):
        await create(client, Kind.WEB)


async def test_strange_answers_are_read_all_the_same(simulator, client):
    made = (await create(client, Kind.WEB)).observed
    simulator.fault("extra_fields", method="GET")
    simulator.fault("list_duplicate", method="GET")
    assert [item.id for item in await client.sweep(Kind.WEB)] == [made.id]


async def test_reads_fail_as_unavailable_and_recover(simulator, client):
    id = (await create(client, Kind.WEB)).observed.id
    simulator.fault("reset", method="GET", path="/services/", count=2)
    assert (await client.get(Kind.WEB, id)).id == id
    simulator.fault("status", method="GET", path="/services/", status=503, count=3)
    with pytest.raises(Unavailable):
        await client.get(Kind.WEB, id)


async def test_the_limit_of_creates_is_learned_and_told(simulator, make_client):
    simulator.step(3600)
    learned = []
    clock = SimulatedClock(simulator.url, refresh_s=0.02)
    await clock.start()
    hooks = Hooks(learned=lambda bucket, live_id, limits: learned.append((bucket, live_id, limits)))
    async with make_client(simulator.url, client_clock=clock, hooks=hooks) as client:
        for at in range(20):
            made = action(Verb.CREATE, Kind.KEY_VALUE, name=f"cache-{at}", payload=CREATES[Kind.KEY_VALUE])
            await client.send(made, NOTHING)
        await asyncio.sleep(0)
        assert [limits.remaining for _, _, limits in learned] == list(range(19, -1, -1))
        with pytest.raises(Throttled) as caught:
            await create(client, Kind.WEB)
        assert caught.value.bucket == "create"
        assert (caught.value.until.minute, caught.value.until.second) == (0, 0)
        assert timedelta(0) < caught.value.until - clock.now() <= timedelta(hours=1)
        simulator.step((caught.value.until - clock.now()).total_seconds() + 1)
        assert await clock.refresh()
        await create(client, Kind.WEB)
    await clock.stop()
