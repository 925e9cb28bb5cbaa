"""The client against the simulator over real HTTP: one life of every kind, and what goes wrong on the way."""

import asyncio
from datetime import timedelta

import pytest

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Conflict, Denied, Gone, Refused, Throttled, Unavailable, Unknown
from reconciler.core.kinds import DATASTORES, Kind
from reconciler.core.observed import DeployState
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
UPDATES = {
    Kind.WEB: {"plan": "standard", "startCommand": "node .", "buildFilter": None, "preDeployCommand": "",
               "healthCheckPath": "/ok", "maxShutdownDelaySeconds": 90, "name": "web-2"},
    Kind.PRIVATE: {"dockerCommand": "other", "branch": "next", "plan": "pro"},
    Kind.WORKER: {"imagePath": "docker.io/library/redis:7", "dockerCommand": ""},
    Kind.CRON: {"schedule": "5 4 * * *"},
    Kind.STATIC: {"publishPath": "public", "buildCommand": "make all", "autoDeployTrigger": "commit"},
    Kind.POSTGRES: {"plan": "basic_1gb", "diskSizeGB": 20, "ipAllowList": [], "name": "db-2"},
    Kind.KEY_VALUE: {"plan": "standard", "maxmemoryPolicy": "allkeys_lru",
                     "ipAllowList": [{"cidrBlock": "9.9.9.9/32", "description": ""}]},
    Kind.ENV_GROUP: {"name": "group-2"},
    Kind.PROJECT: {"name": "project-2"},
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


async def test_check(client):
    assert await client.check() == client.owner_id


@pytest.mark.parametrize("kind", list(CREATES))
async def test_what_is_created_is_what_is_seen_and_an_update_changes_only_what_it_says(simulator, client, kind):
    made = await create(client, kind)
    observed = made.observed
    assert observed.kind is kind
    assert made.created[0] == observed
    assert made.request_id
    assert made.limits is not None
    for field, value in CREATES[kind].items():
        if field in {"headers", "routes", "environment", "networkIsolationEnabled", "protectedStatus"}:
            continue
        seen = observed.fields[field]
        if field == "databaseName":
            assert seen.startswith(f"{value}_"), "Render appends a suffix"
        elif field == "disk":
            assert {name: seen[name] for name in value} == value
        else:
            assert seen == value, field
    await settle(simulator, client)
    before = await client.get(kind, observed.id)
    assert before.fields == observed.fields
    assert before.created_at == observed.created_at
    [swept] = [item for item in await client.sweep(kind) if item.id == observed.id]
    assert {name: before.fields[name] for name in swept.fields} == dict(swept.fields)
    assert set(before.fields) - set(swept.fields) <= {"parameterOverrides"}
    assert [item.id for item in await client.find(kind, "thing")] == [observed.id]

    updated = await client.send(action(Verb.UPDATE, kind, observed.id, payload=UPDATES[kind]), NOTHING)
    after = await client.get(kind, observed.id)
    expected = dict(before.fields) | {k: v for k, v in UPDATES[kind].items() if k != "name"}
    assert dict(after.fields) == expected
    assert after.name == UPDATES[kind].get("name", "thing")
    assert updated.observed is not None
    assert updated.observed.fields == after.fields

    for environment in made.created[1:]:
        await client.send(action(Verb.DELETE, environment.kind, environment.id), NOTHING)
    await client.send(action(Verb.DELETE, kind, observed.id), NOTHING)
    with pytest.raises(Gone):
        await client.get(kind, observed.id)
    await client.send(action(Verb.DELETE, kind, observed.id), NOTHING)
    assert await client.sweep(kind) == []


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


async def test_size(simulator, client):
    id = (await create(client, Kind.WEB)).observed.id
    await client.send(action(Verb.SCALE, Kind.WEB, id, payload={"numInstances": 4}), NOTHING)
    assert (await client.get(Kind.WEB, id)).fields["numInstances"] == 4
    wanted = {"min": 2, "max": 5, "cpu": None, "memory": 80}
    reply = await client.send(action(Verb.SET_AUTOSCALING, Kind.WEB, id, payload=wanted), NOTHING)
    assert reply.detail.fields == {"autoscaling": wanted}
    assert (await client.get(Kind.WEB, id)).fields["autoscaling"] == wanted
    await client.send(action(Verb.REMOVE_AUTOSCALING, Kind.WEB, id), NOTHING)
    assert (await client.get(Kind.WEB, id)).fields["autoscaling"] is None


async def test_disk(simulator, client):
    id = (await create(client, Kind.WEB, numInstances=1)).observed.id
    await settle(simulator, client)
    wanted = {"name": "data", "mountPath": "/data", "sizeGB": 5}
    reply = await client.send(action(Verb.ADD_DISK, Kind.WEB, id, payload=wanted), NOTHING)
    disk = (await client.get(Kind.WEB, id)).fields["disk"]
    assert reply.detail.fields == {"disk": disk}
    assert disk == wanted | {"id": disk["id"]}
    await client.send(action(Verb.CHANGE_DISK, Kind.WEB, id, payload={"diskId": disk["id"], "sizeGB": 9}), NOTHING)
    assert (await client.get(Kind.WEB, id)).fields["disk"] == disk | {"sizeGB": 9}
    await client.send(action(Verb.REMOVE_DISK, Kind.WEB, id, payload={"diskId": disk["id"]}), NOTHING)
    assert (await client.get(Kind.WEB, id)).fields["disk"] is None


async def test_domains_headers_and_routes(simulator, client):
    id = (await create(client, Kind.STATIC)).observed.id
    detail = await client.detail(Kind.STATIC, id)
    assert detail.headers == (("/*", "X-Frame-Options", "DENY"), ("/api/*", "Cache-Control", "no-store"))
    assert detail.routes == (("redirect", "/old", "/new"), ("rewrite", "/*", "/index.html"))
    assert detail.domains == ()
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
    reply = await client.send(
        action(Verb.SET_HEADERS, Kind.STATIC, id, payload={"headers": [["/x", "A", "1"], ["/", "B", "2"]]}), NOTHING
    )
    assert reply.detail.headers == (("/", "B", "2"), ("/x", "A", "1"))
    reply = await client.send(action(Verb.SET_ROUTES, Kind.STATIC, id, payload={"routes": []}), NOTHING)
    assert reply.detail.routes == ()
    detail = await client.detail(Kind.STATIC, id)
    assert (detail.domains, detail.headers, detail.routes) == ((), (("/", "B", "2"), ("/x", "A", "1")), ())


async def test_env_group(simulator, client):
    service = (await create(client, Kind.WEB)).observed.id
    made = await create(client, Kind.ENV_GROUP)
    group = made.observed.id
    assert texts(made.detail.env) == texts(SECRETS.values)
    reply = await client.send(
        action(Verb.SET_GROUP_VAR, Kind.ENV_GROUP, group), Plaintext(values={"A B": Sensitive("x/y")})
    )
    assert texts(reply.detail.env) == texts(SECRETS.values) | {"A B": "x/y"}
    await client.send(action(Verb.REMOVE_GROUP_VAR, Kind.ENV_GROUP, group, removes=("DEBUG",)), NOTHING)
    await client.send(action(Verb.LINK_GROUP, Kind.ENV_GROUP, group, payload={"serviceId": service}), NOTHING)
    detail = await client.detail(Kind.ENV_GROUP, group)
    assert texts(detail.env) == {"TOKEN": "t0ken", "A B": "x/y"}
    assert texts(detail.files) == texts(SECRETS.files)
    assert detail.fields == {"links": [service]}
    [swept] = await client.sweep(Kind.ENV_GROUP)
    assert swept.fields == {"links": [service]}
    await client.send(action(Verb.UNLINK_GROUP, Kind.ENV_GROUP, group, payload={"serviceId": service}), NOTHING)
    assert (await client.get(Kind.ENV_GROUP, group)).fields == {"links": []}


async def test_project_and_environment(simulator, client):
    project, environment = (await create(client, Kind.PROJECT)).created
    assert (environment.kind, environment.name) == (Kind.ENVIRONMENT, "production")
    assert environment.fields == {
        "projectId": project.id, "networkIsolationEnabled": True, "protectedStatus": "unprotected", "members": []
    }  # fmt: skip
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
    with pytest.raises(Conflict):
        await client.send(action(Verb.DELETE, Kind.ENVIRONMENT, environment.id), NOTHING)


async def test_a_project_whose_environment_cannot_be_read_still_stands(simulator, client):
    simulator.fault("status", method="GET", path="/environments/", status=503)
    project, environment = (await create(client, Kind.PROJECT)).created
    assert environment.name == "production"
    assert environment.fields["projectId"] == project.id
    assert environment.fields["networkIsolationEnabled"] is True
    assert project.fields["environmentIds"] == [environment.id]


@pytest.mark.parametrize("kind", [Kind.WEB, Kind.WORKER, Kind.CRON, Kind.STATIC, Kind.POSTGRES, Kind.KEY_VALUE])
async def test_suspend_and_resume(simulator, client, kind):
    id = (await create(client, kind)).observed.id
    await settle(simulator, client)
    assert (await client.get(kind, id)).suspenders == ()
    await client.send(action(Verb.SUSPEND, kind, id), NOTHING)
    await settle(simulator, client)
    assert (await client.get(kind, id)).suspenders == ("user",)
    [swept] = await client.sweep(kind)
    assert swept.suspenders == ("user",)
    await client.send(action(Verb.RESUME, kind, id), NOTHING)
    await settle(simulator, client)
    assert (await client.get(kind, id)).suspenders == ()


async def test_connections_and_attributes(simulator, client):
    database = (await create(client, Kind.POSTGRES)).observed
    store = (await create(client, Kind.KEY_VALUE)).observed
    await settle(simulator, client)
    secret = texts(await client.connection(Kind.POSTGRES, database.id))
    attributes = database.attributes
    assert secret["connectionString"] == (
        f"postgresql://{attributes['user']}:{secret['password']}@{attributes['host']}/{attributes['database']}"
    )
    assert texts(await client.connection(Kind.KEY_VALUE, store.id)) == {"connectionString": f"redis://{store.id}:6379"}
    detail = await client.detail(Kind.POSTGRES, database.id)
    assert texts(detail.connection) == secret
    assert detail.fields == {"parameterOverrides": {}}
    private = (await create(client, Kind.PRIVATE)).observed
    assert private.attributes["hostport"] == f"{private.attributes['slug']}:10000"
    await client.send(action(Verb.EXPORT, Kind.POSTGRES, database.id), NOTHING)
    with pytest.raises(Refused):
        await client.send(action(Verb.EXPORT, Kind.KEY_VALUE, store.id), NOTHING)


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


async def test_a_name_that_is_taken(simulator, client):
    await create(client, Kind.WEB)
    with pytest.raises(Conflict):
        await create(client, Kind.WORKER)


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
