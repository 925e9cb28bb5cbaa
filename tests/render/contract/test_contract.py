"""The contract with Render's API: what the operator's client may rely on, whoever answers.

Written against `ports.Render` alone. Each test borrows its objects and leaves them as it found them, so that few are
made where they cost something; targets: tests/render/contract/conftest.py.
"""

import contextlib
from dataclasses import replace

import pytest

from reconciler.core.actions import Verb
from reconciler.core.errors import Conflict, Gone, Refused
from reconciler.core.kinds import Kind
from reconciler.core.observed import DeployState
from reconciler.core.values import Sensitive
from reconciler.ports import Plaintext
from tests.render.contract.targets import CARRY_SECRETS, CREATES, FILES, LATER, NOTHING, VARIABLES

UPDATES = {
    Kind.WEB: {"startCommand": "", "dockerCommand": "nginx", "healthCheckPath": "", "maxShutdownDelaySeconds": 90},
    Kind.PRIVATE: {"branch": "next", "buildFilter": None, "dockerCommand": "run", "plan": "standard"},
    Kind.WORKER: {"startCommand": "node .", "preDeployCommand": "", "autoDeployTrigger": "off", "rootDir": "app"},
    Kind.CRON: {"schedule": "5 4 2 1 *", "imagePath": "docker.io/library/nginx:stable"},
    Kind.STATIC: {"publishPath": "dist", "buildCommand": "echo", "autoDeployTrigger": "commit"},
    Kind.POSTGRES: {"ipAllowList": []},
    Kind.KEY_VALUE: {
        "maxmemoryPolicy": "allkeys_lru", "ipAllowList": [{"cidrBlock": "203.0.113.7/32", "description": "home"}]
    },
    Kind.ENV_GROUP: {},
    Kind.PROJECT: {},
}  # fmt: skip
NEVER_WAS = {
    Kind.CRON: "crn-00000000000000000000", Kind.POSTGRES: "dpg-00000000000000000000-a",
    Kind.KEY_VALUE: "red-00000000000000000000", Kind.ENV_GROUP: "evg-00000000000000000000",
    Kind.PROJECT: "prj-00000000000000000000", Kind.ENVIRONMENT: "evm-00000000000000000000",
}  # fmt: skip
NOT_IN_FIELDS = {"headers", "routes", "environment", "networkIsolationEnabled", "protectedStatus"}


def of_kinds(*kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.value.replace(" ", "-"))


ALL = of_kinds(*CREATES)
DATASTORES = of_kinds(Kind.POSTGRES, Kind.KEY_VALUE)
SLEEPERS = of_kinds(Kind.WEB, Kind.PRIVATE, Kind.WORKER, Kind.CRON, Kind.STATIC, Kind.POSTGRES, Kind.KEY_VALUE)


def texts(values):
    return {name: value.reveal() for name, value in values.items()}


def sensitive(values):
    return {name: Sensitive(text) for name, text in values.items()}


def shown(target, values):
    return {name: target.shown(text) for name, text in values.items()}


def subset(whole, part):
    return {name: whole[name] for name in part}


@contextlib.contextmanager
def if_the_plan_has_it(target, feature):
    """Skip where a workspace's plan lacks a feature; only Render itself has such."""
    try:
        yield
    except target.lacking as error:
        pytest.skip(f"the workspace has no {feature}: {error}")


async def up(target, made):
    """Wait until an object works, so that it can be changed in every way."""
    client = target.client
    if made.kind in (Kind.POSTGRES, Kind.KEY_VALUE):
        await target.until(lambda: client.get(made.kind, made.id), lambda found: found.status == "available")
    elif made.kind in CARRY_SECRETS - {Kind.ENV_GROUP}:
        await target.until(lambda: client.deploy(made.id), lambda found: found.state is not DeployState.PROGRESSING)


async def test_the_key_sees_its_workspace(target):
    assert await target.client.check() == target.client.owner_id


@ALL
async def test_what_is_created_is_what_is_seen(target, kind):
    client = target.client
    async with target.borrow(kind) as made:
        reply, observed = made.reply, made.observed
        assert (observed.kind, observed.name) == (kind, target.name(kind.name.lower().replace("_", "-")))
        assert reply.created[0] == observed
        assert reply.request_id
        assert reply.limits is not None
        assert 0 <= reply.limits.remaining < reply.limits.limit
        for field, value in CREATES[kind].items():
            if field in NOT_IN_FIELDS:
                continue
            told = observed.fields[field]
            if field == "databaseName":
                assert told.startswith(f"{value}_"), "Render appends a suffix"
            else:
                assert (subset(told, value) if field == "disk" else told) == value, field
        await up(target, made)
        seen = await client.get(kind, made.id)
        assert seen.fields == observed.fields
        assert seen.created_at == observed.created_at
        [swept] = [item for item in await client.sweep(kind) if item.id == made.id]
        assert subset(seen.fields, swept.fields) == dict(swept.fields)
        assert set(seen.fields) - set(swept.fields) <= {"parameterOverrides"}
        assert [item.id for item in await client.find(kind, observed.name)] == [made.id]
        assert await client.find(kind, f"{observed.name}-2") == []


@of_kinds(*sorted(CARRY_SECRETS))
async def test_variables_and_files_are_there_from_the_start(target, kind):
    async with target.borrow(kind) as made:
        detail = await target.client.detail(kind, made.id)
        assert texts(detail.env) == shown(target, VARIABLES)
        assert texts(detail.files) == shown(target, FILES)


@ALL
async def test_an_update_changes_only_what_it_says(target, kind):
    client = target.client
    async with target.borrow(kind) as made:
        await up(target, made)
        before = await client.get(kind, made.id)
        payload = {**UPDATES[kind], "name": f"{before.name}-renamed"}
        reply = await client.send(made.do(Verb.UPDATE, payload=payload), NOTHING)
        after = await client.get(kind, made.id)
        assert dict(after.fields) == dict(before.fields) | UPDATES[kind]
        assert after.name == f"{before.name}-renamed"
        assert reply.observed is not None
        assert reply.observed.fields == after.fields
        back = {name: before.fields[name] for name in UPDATES[kind]} | {"name": before.name}
        await client.send(made.do(Verb.UPDATE, payload=back), NOTHING)
        assert (await client.get(kind, made.id)).fields == before.fields


async def test_variables_and_files_are_merged_into_what_is_there(target):
    client = target.client
    later = {key: LATER[key] for key in ("TOKEN", "ADDED")}
    files = {name: LATER[name] for name in ("key.pem", "b.txt")}
    async with target.borrow(Kind.WEB) as made:
        set_env = made.do(Verb.SET_ENV, removes=("NEVER_THERE",))
        reply = await client.send(set_env, Plaintext(values=sensitive(later)))
        assert texts(reply.detail.env) == shown(target, VARIABLES | later)
        reply = await client.send(made.do(Verb.SET_FILES), Plaintext(files=sensitive(files)))
        assert texts(reply.detail.files) == shown(target, FILES | files)
        detail = await client.detail(Kind.WEB, made.id)
        assert texts(detail.env) == shown(target, VARIABLES | later)
        assert texts(detail.files) == shown(target, FILES | files)
        reply = await client.send(made.do(Verb.SET_ENV, removes=("ADDED",)), Plaintext(values=sensitive(VARIABLES)))
        assert texts(reply.detail.env) == shown(target, VARIABLES)
        reply = await client.send(made.do(Verb.SET_FILES, removes=("b.txt",)), Plaintext(files=sensitive(FILES)))
        assert texts(reply.detail.files) == shown(target, FILES)


async def test_a_deploy_is_started_and_ends(target):
    client = target.client
    async with target.borrow(Kind.WEB) as made:
        await up(target, made)
        before = await client.deploy(made.id)
        assert before.id.startswith("dep-")
        assert before.finished_at >= before.created_at
        started = (await client.send(made.do(Verb.DEPLOY, payload={"clearCache": "clear"}), NOTHING)).deploy
        assert started.state in {DeployState.PROGRESSING, DeployState.LIVE}
        ended = await target.until(
            lambda: client.deploy(made.id),
            lambda found: found.id != before.id and found.state is not DeployState.PROGRESSING,
        )
        assert started.id in {ended.id, ""}
        assert ended.state is DeployState.LIVE
        assert await client.failure(made.id, before.created_at) is None


async def test_instances_are_scaled(target):
    client = target.client
    async with target.borrow(Kind.WEB) as made:
        await up(target, made)
        for count in (2, 1):
            await client.send(made.do(Verb.SCALE, payload={"numInstances": count}), NOTHING)
            assert (await client.get(Kind.WEB, made.id)).fields["numInstances"] == count


async def test_autoscaling_is_set_and_removed(target):
    client = target.client
    wanted = {"min": 1, "max": 2, "cpu": 60, "memory": None}
    async with target.borrow(Kind.WEB) as made:
        with if_the_plan_has_it(target, "autoscaling"):
            reply = await client.send(made.do(Verb.SET_AUTOSCALING, payload=wanted), NOTHING)
        assert reply.detail.fields == {"autoscaling": wanted}
        assert (await client.get(Kind.WEB, made.id)).fields["autoscaling"] == wanted
        await client.send(made.do(Verb.REMOVE_AUTOSCALING), NOTHING)
        assert (await client.get(Kind.WEB, made.id)).fields["autoscaling"] is None


async def test_a_disk_is_added_grown_and_removed(target):
    client = target.client
    wanted = {"name": "data", "mountPath": "/data", "sizeGB": 1}
    async with target.borrow(Kind.WEB) as made:
        await up(target, made)
        reply = await client.send(made.do(Verb.ADD_DISK, payload=wanted), NOTHING)
        disk = (await client.get(Kind.WEB, made.id)).fields["disk"]
        assert reply.detail.fields == {"disk": disk}
        assert disk == {**wanted, "id": disk["id"]}
        grown = await client.send(made.do(Verb.CHANGE_DISK, payload={"diskId": disk["id"], "sizeGB": 2}), NOTHING)
        assert grown.detail.fields == {"disk": {**disk, "sizeGB": 2}}
        assert (await client.get(Kind.WEB, made.id)).fields["disk"] == {**disk, "sizeGB": 2}
        with pytest.raises(Refused):
            await client.send(made.do(Verb.CHANGE_DISK, payload={"diskId": disk["id"], "sizeGB": 1}), NOTHING)
        await client.send(made.do(Verb.REMOVE_DISK, payload={"diskId": disk["id"]}), NOTHING)
        assert (await client.get(Kind.WEB, made.id)).fields["disk"] is None


@of_kinds(Kind.WEB, Kind.STATIC)
async def test_a_domain_is_added_and_removed(target, kind):
    client, name = target.client, target.name("shop.example.com")
    async with target.borrow(kind) as made:
        added = await client.send(made.do(Verb.ADD_DOMAIN, payload={"name": name}), NOTHING)
        assert [domain.name for domain in added.detail.domains] == [name]
        assert [domain.name for domain in (await client.detail(kind, made.id)).domains] == [name]
        await client.send(made.do(Verb.REMOVE_DOMAIN, payload={"name": name}), NOTHING)
        assert (await client.detail(kind, made.id)).domains == ()


async def test_headers_and_routes_are_replaced_as_a_whole(target):
    client = target.client
    async with target.borrow(Kind.STATIC) as made:
        detail = await client.detail(Kind.STATIC, made.id)
        headers, routes = CREATES[Kind.STATIC]["headers"], CREATES[Kind.STATIC]["routes"]
        assert detail.headers == tuple(tuple(rule) for rule in headers)
        assert detail.routes == tuple(tuple(rule) for rule in routes)
        other = {"headers": [["/x", "A", "1"], ["/", "B", "2"]], "routes": list(reversed(routes))}
        reply = await client.send(made.do(Verb.SET_HEADERS, payload={"headers": other["headers"]}), NOTHING)
        assert reply.detail.headers == (("/", "B", "2"), ("/x", "A", "1"))
        reply = await client.send(made.do(Verb.SET_ROUTES, payload={"routes": other["routes"]}), NOTHING)
        assert reply.detail.routes == tuple(tuple(rule) for rule in other["routes"])
        detail = await client.detail(Kind.STATIC, made.id)
        assert (detail.headers, detail.routes) == ((("/", "B", "2"), ("/x", "A", "1")), reply.detail.routes)
        await client.send(made.do(Verb.SET_HEADERS, payload={"headers": []}), NOTHING)
        await client.send(made.do(Verb.SET_ROUTES, payload={"routes": []}), NOTHING)
        detail = await client.detail(Kind.STATIC, made.id)
        assert (detail.headers, detail.routes) == ((), ())
        await client.send(made.do(Verb.SET_HEADERS, payload={"headers": headers}), NOTHING)
        await client.send(made.do(Verb.SET_ROUTES, payload={"routes": routes}), NOTHING)


async def test_variables_of_a_group_are_set_and_removed_one_at_a_time(target):
    client = target.client
    async with target.borrow(Kind.ENV_GROUP) as made:
        later = {"ADDED": LATER["ADDED"]}
        reply = await client.send(made.do(Verb.SET_GROUP_VAR), Plaintext(values=sensitive(later)))
        assert texts(reply.detail.env) == shown(target, VARIABLES | later)
        await client.send(made.do(Verb.REMOVE_GROUP_VAR, removes=("ADDED",)), NOTHING)
        detail = await client.detail(Kind.ENV_GROUP, made.id)
        assert texts(detail.env) == shown(target, VARIABLES)
        assert texts(detail.files) == shown(target, FILES)


async def test_a_group_is_linked_and_unlinked(target):
    client = target.client
    async with target.borrow(Kind.ENV_GROUP) as group, target.borrow(Kind.WEB) as web:
        await client.send(group.do(Verb.LINK_GROUP, payload={"serviceId": web.id}), NOTHING)
        assert (await client.get(Kind.ENV_GROUP, group.id)).fields == {"links": [web.id]}
        [swept] = [item for item in await client.sweep(Kind.ENV_GROUP) if item.id == group.id]
        assert swept.fields == {"links": [web.id]}
        own = await client.detail(Kind.WEB, web.id)
        assert texts(own.env) == shown(target, VARIABLES), "a group's variables are not the service's"
        await client.send(group.do(Verb.UNLINK_GROUP, payload={"serviceId": web.id}), NOTHING)
        assert (await client.get(Kind.ENV_GROUP, group.id)).fields == {"links": []}


async def test_a_project_brings_its_environment_and_objects_move_into_it(target):
    """The one test that changes what it borrowed: nothing can be moved out of an environment but by deletion."""
    client = target.client
    async with target.borrow(Kind.PROJECT) as project, target.borrow(Kind.ENV_GROUP) as group:
        [environment] = [one for one in project.reply.created if one.kind is Kind.ENVIRONMENT]
        assert environment.name == CREATES[Kind.PROJECT]["environment"]
        seen = await client.get(Kind.ENVIRONMENT, environment.id)
        assert seen.fields == {
            "projectId": project.id, "networkIsolationEnabled": False, "protectedStatus": "unprotected", "members": []
        }  # fmt: skip
        assert environment.id in [one.id for one in await client.sweep(Kind.ENVIRONMENT)]
        assert (await client.get(Kind.ENV_GROUP, group.id)).environment_id is None
        move = replace(
            project.do(Verb.MOVE, payload={"resourceIds": [group.id]}), kind=Kind.ENVIRONMENT, id=environment.id
        )
        moved = await client.send(move, NOTHING)
        assert moved.observed.fields["members"] == [group.id]
        assert (await client.get(Kind.ENV_GROUP, group.id)).environment_id == environment.id
        with pytest.raises(Conflict):
            await client.send(replace(move, verb=Verb.DELETE, payload={}), NOTHING)
        assert (await client.get(Kind.ENVIRONMENT, environment.id)).fields["members"] == [group.id]


@DATASTORES
async def test_a_datastore_tells_how_it_is_reached(target, kind):
    async with target.borrow(kind) as made:
        await up(target, made)
        secret = texts(await target.client.connection(kind, made.id))
        if kind is Kind.KEY_VALUE:
            assert secret == {"connectionString": f"redis://{made.id}:6379"}
            return
        known = (await target.client.get(kind, made.id)).attributes
        assert secret["connectionString"] == (
            f"postgresql://{known['user']}:{secret['password']}@{made.id}/{known['database']}"
        )
        assert secret["password"]


@SLEEPERS
async def test_what_is_suspended_says_so_and_comes_back(target, kind):
    client = target.client
    async with target.borrow(kind) as made:
        await up(target, made)
        for verb, suspenders in ((Verb.SUSPEND, ("user",)), (Verb.RESUME, ())):
            await client.send(made.do(verb), NOTHING)
            await target.until(
                lambda: client.get(kind, made.id), lambda found, wanted=suspenders: found.suspenders == wanted
            )
            [swept] = [item for item in await client.sweep(kind) if item.id == made.id]
            assert swept.suspenders == suspenders


async def test_a_name_that_is_taken_is_refused(target):
    async with target.borrow(Kind.WEB) as made:
        with pytest.raises((Conflict, Refused)):
            await target.create(Kind.WEB)
        assert [item.id for item in await target.client.find(Kind.WEB, made.observed.name)] == [made.id]


async def test_bad_input_is_refused_and_changes_nothing(target):
    client = target.client
    async with target.borrow(Kind.WEB) as made:
        before = await client.get(Kind.WEB, made.id)
        for bad in ({"plan": "no-such-plan"}, {"maxShutdownDelaySeconds": 100_000}):
            with pytest.raises(Refused) as caught:
                await client.send(made.do(Verb.UPDATE, payload=bad), NOTHING)
            assert caught.value.message
            assert 400 <= caught.value.status < 500
        with pytest.raises(Refused):
            await client.send(made.do(Verb.UPDATE, payload={"region": "ohio"}), NOTHING)
        with pytest.raises(Refused):
            await client.send(made.do(Verb.SCALE, payload={"numInstances": 0}), NOTHING)
        assert (await client.get(Kind.WEB, made.id)).fields == before.fields


async def test_what_never_was_is_gone(target):
    for kind in (*CREATES, Kind.ENVIRONMENT):
        with pytest.raises(Gone):
            await target.client.get(kind, NEVER_WAS.get(kind, "srv-00000000000000000000"))


@ALL
async def test_what_is_deleted_is_gone(target, kind):
    client = target.client
    async with target.borrow(kind) as made:
        for environment in made.reply.created[1:]:
            inner = replace(made.do(Verb.DELETE), kind=environment.kind, id=environment.id)
            await client.send(inner, NOTHING)
        await client.send(made.do(Verb.DELETE), NOTHING)
        with pytest.raises(Gone):
            await client.get(kind, made.id)
        assert await client.find(kind, made.observed.name) == []
        await client.send(made.do(Verb.DELETE), NOTHING)  # again: what is not there counts as deleted
        target.forget(made)
