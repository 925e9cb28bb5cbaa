"""The tables of normalisations of the Render API, one row each, through the client and against the simulator.

Lay the sheet beside it: an id is the section and the row. What we ask for comes back in canonical fields (`says`),
the same from the answer, the next read and the next list; and comparing what was asked with what came back finds
nothing: no normalisation of Render's is ever taken for drift.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from reconciler.core import diff
from reconciler.core.actions import Verb
from reconciler.core.blueprint.plans import PLANS
from reconciler.core.errors import Conflict
from reconciler.core.inventory import Known
from reconciler.core.kinds import Kind
from reconciler.core.observed import KEY_VALUE_PLAN_ALIASES, PLAN_ALIASES, POSTGRES_PLAN_ALIASES, Observed
from reconciler.core.values import Json, Sensitive, digest
from reconciler.ports import Plaintext
from tests.render.conftest import OWNER
from tests.render.test_simulator import NOTHING, action, settle, texts

REPO = "https://github.com/acme/app"
NGINX = "docker.io/library/nginx:latest"
FILTER = {"paths": ["src/**"], "ignoredPaths": []}
TWO = [{"cidrBlock": "9.9.9.9/32", "description": "home"}, {"cidrBlock": "1.1.1.1/32", "description": ""}]
SORTED = [TWO[1], TWO[0]]
IMAGE = {"runtime": "image", "imagePath": NGINX}
NODE = {"runtime": "node", "repo": REPO}
BASE: dict[Kind, dict[str, Json]] = {
    **dict.fromkeys((Kind.WEB, Kind.PRIVATE, Kind.WORKER), IMAGE),
    Kind.CRON: {**IMAGE, "schedule": "0 3 * * *"},
    Kind.STATIC: {"repo": REPO},
    Kind.POSTGRES: {"plan": "basic_256mb", "version": "16"},
    Kind.KEY_VALUE: {"plan": "starter"},
}
SUFFIX = "[a-z0-9]{4}"


@dataclass(frozen=True)
class Row:
    """What is asked at creation (and perhaps in an update after it), and what the observation says then.

    `says` names fields; `@x` is an attribute for references, `.x` a plain property of the observation.
    """

    id: str
    kind: Kind
    ask: dict[str, Json] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    then: dict[str, Json] | None = None


SERVICES = [
    Row("3.4 defaults are spelt out", Kind.WEB, {}, {
        "maxShutdownDelaySeconds": 30, "previews": "off", "renderSubdomainPolicy": "enabled", "ipAllowList": [],
        "maintenanceMode": {"enabled": False, "uri": ""}, "numInstances": 1, "autoscaling": None, "disk": None,
        "plan": "starter", "region": "oregon", ".environment_id": None, ".suspenders": (),
    }),
    Row("3.4 asked in other words for the same", Kind.WEB, {
        "maintenanceMode": {"enabled": False}, "renderSubdomainPolicy": "enabled", "maxShutdownDelaySeconds": 30,
        "preDeployCommand": "", "buildFilter": {"paths": []}, "ipAllowList": [],
    }),
    Row("3.5-01 imagePath nginx", Kind.WORKER, {"imagePath": "nginx"}, {"imagePath": NGINX}),
    Row(
        "3.5-01 imagePath nginx again", Kind.WORKER, {"imagePath": "nginx"},
        {"imagePath": NGINX, ".updated_at": "kept"}, then={"imagePath": "nginx"},
    ),
    Row(
        "3.5-01 imagePath of a user", Kind.WEB, {"imagePath": "acme/shop"}, {"imagePath": "docker.io/acme/shop:latest"}
    ),
    Row("3.5-02 image.ownerId is not echoed", Kind.WEB, {}, {"imagePath": NGINX}),
    Row(
        "3.5-03 no commands beside an image", Kind.WEB, {"dockerCommand": ""},
        {"dockerCommand": "", "dockerContext": "", "dockerfilePath": ""},
    ),
    Row("3.5-04 preDeployCommand", Kind.WEB, {"preDeployCommand": "x"}, {"preDeployCommand": "x"}),
    Row("3.5-04 preDeployCommand never set", Kind.WEB, {}, {"preDeployCommand": ""}),
    Row(
        "3.5-04 preDeployCommand cleared", Kind.WEB, {"preDeployCommand": "x"}, {"preDeployCommand": ""},
        then={"preDeployCommand": ""},
    ),
    Row("3.5-05 previews omitted", Kind.PRIVATE, {}, {"previews": "off"}),
    *(
        Row(f"3.5-06 previews {word}", Kind.STATIC, {"previews": word}, {"previews": word})
        for word in ("automatic", "manual", "off")
    ),
    Row("3.5-07 auto deploy off", Kind.WEB, {"autoDeployTrigger": "off"}, {"autoDeployTrigger": "off"}),
    Row(
        "3.5-07 auto deploy on commit", Kind.WEB, {"autoDeployTrigger": "off"}, {"autoDeployTrigger": "commit"},
        then={"autoDeployTrigger": "commit"},
    ),
    Row("3.5-08 nothing about auto deploy, image", Kind.CRON, {}, {"autoDeployTrigger": "commit"}),
    Row("3.5-09 buildFilter none", Kind.STATIC, {"buildFilter": None}, {"buildFilter": None}),
    Row("3.5-09 buildFilter half said", Kind.STATIC, {"buildFilter": {"paths": ["src/**"]}}, {"buildFilter": FILTER}),
    Row(
        "3.5-09 buildFilter cleared", Kind.STATIC, {"buildFilter": FILTER}, {"buildFilter": None},
        then={"buildFilter": None},
    ),
    Row("3.5-12 rootDir empty", Kind.WEB, {"rootDir": ""}, {"rootDir": ""}),
    Row("3.5-12 rootDir cleared", Kind.WEB, {"rootDir": "app"}, {"rootDir": ""}, then={"rootDir": ""}),
    Row(
        "3.5-13 runtime switched to image", Kind.WEB,
        {**NODE, "imagePath": None, "branch": "main", "buildFilter": FILTER},
        {"repo": "", "branch": "", "buildFilter": None, "imagePath": NGINX, "buildCommand": ""},
        then={"runtime": "image", "imagePath": "nginx"},
    ),
    Row(
        "3.5-14 name changed", Kind.PRIVATE, {}, {".name": "new", "@hostport": "thing:10000", "@host": "thing"},
        then={"name": "new"},
    ),
    Row(
        "3.5-14 name changed", Kind.STATIC, {}, {".name": "new", "@url": "https://thing.onrender.com"},
        then={"name": "new"},
    ),
    Row(
        "3.5-15 PATCH equal to the state", Kind.PRIVATE, {}, {".updated_at": "kept"}, then={**IMAGE, "plan": "starter"}
    ),
    Row("3.5-slugs web", Kind.WEB, {}, {"@host": "thing", "@externalHostname": "thing.onrender.com"}),
    *(
        Row(
            "3.5-slugs suffixed, no address", kind, {},
            {"@slug": re.compile(f"thing-{SUFFIX}"), "@host": None, "@url": None},
        )
        for kind in (Kind.WORKER, Kind.CRON)
    ),
    Row("8.1 a plan by its newer id", Kind.WEB, {"plan": "1c-2g"}, {"plan": "standard"}),
    Row("repo with .git", Kind.WEB, {**NODE, "imagePath": None, "repo": f"{REPO}.git"}, {"repo": f"{REPO}.git"}),
]  # fmt: skip

DATASTORES = [
    Row("3.13.2-02 enableHighAvailability", Kind.POSTGRES, {"plan": "pro_4gb", "highAvailabilityEnabled": True},
        {"highAvailabilityEnabled": True, "diskAutoscalingEnabled": False}),
    Row("3.13.2-03 enableDiskAutoscaling", Kind.POSTGRES, {"diskAutoscalingEnabled": True},
        {"highAvailabilityEnabled": False, "diskAutoscalingEnabled": True}),
    Row("3.13.2 renamed in an update too", Kind.POSTGRES, {}, {"diskAutoscalingEnabled": True},
        then={"diskAutoscalingEnabled": True, "highAvailabilityEnabled": False}),
    Row("3.13.3-01 databaseName", Kind.POSTGRES, {"databaseName": "db_name"},
        {"databaseName": re.compile(f"db_name_{SUFFIX}"), "@database": re.compile(f"db_name_{SUFFIX}")}),
    Row("3.13.3-02 names derived", Kind.POSTGRES, {"databaseName": "", "databaseUser": ""},
        {"databaseName": re.compile(f"thing_{SUFFIX}"), "@user": re.compile(f"thing_{SUFFIX}_user")}),
    Row("3.13.3-03 databaseUser", Kind.POSTGRES, {"databaseUser": "db_user"}, {"@user": "db_user"}),
    Row("3.13.3-04 ipAllowList []", Kind.POSTGRES, {"ipAllowList": []}, {"ipAllowList": []}),
    Row("3.13.3-04 ipAllowList in another order", Kind.POSTGRES, {"ipAllowList": TWO}, {"ipAllowList": SORTED}),
    Row("3.13.3-04 ipAllowList emptied", Kind.POSTGRES, {"ipAllowList": TWO}, {"ipAllowList": []}, {"ipAllowList": []}),
    Row("3.13.3-05 readReplicas none", Kind.POSTGRES, {"readReplicas": []}, {"readReplicas": []}),
    Row("3.13.3-05 readReplicas in another order", Kind.POSTGRES,
        {"plan": "pro_4gb", "readReplicas": [{"name": "r2"}, {"name": "r1"}]}, {"readReplicas": ["r1", "r2"]}),
    Row("3.13.3-06 parameterOverrides {}", Kind.POSTGRES, {"parameterOverrides": {}}),
    Row("3.13.3-07 no environment", Kind.POSTGRES, {}, {".environment_id": None}),
    Row("3.13.3-08 PATCH equal to the state", Kind.POSTGRES, {}, {".updated_at": "moved"},
        then={"plan": "basic_256mb"}),
    Row("3.13.1 connectionPool none", Kind.POSTGRES, {"connectionPool": "none"}, {"connectionPool": "none"}),
    Row("3.14-01 ipAllowList []", Kind.KEY_VALUE, {"ipAllowList": []}, {"ipAllowList": []}),
    Row("3.14-02 no persistenceMode, paid", Kind.KEY_VALUE, {}, {"persistenceMode": "journal_snapshot"}),
    Row("3.14-02 no persistenceMode, free", Kind.KEY_VALUE, {"plan": "free"}, {"persistenceMode": "off"}),
    Row("3.14-03 free to paid without persistenceMode", Kind.KEY_VALUE, {"plan": "free"},
        {"persistenceMode": "journal_snapshot"}, then={"plan": "starter"}),
    Row("3.14-04 maxmemoryPolicy", Kind.KEY_VALUE, {"maxmemoryPolicy": "noeviction"},
        {"maxmemoryPolicy": "noeviction"}),
    Row("3.14-05 PATCH of ipAllowList alone", Kind.KEY_VALUE, {}, {"ipAllowList": SORTED, ".updated_at": "kept"},
        then={"ipAllowList": TWO}),
    Row("8.1 a plan by its newer id", Kind.KEY_VALUE, {"plan": "1g"}, {"plan": "standard"}),
]  # fmt: skip

EMPTY_IN_LISTS = {"parameterOverrides"}
"""What a list does not show (3.13): missing there, not empty."""


def said(seen: Observed, name: str, before: Observed) -> Any:
    if name == ".updated_at":
        assert seen.updated_at is not None and before.updated_at is not None
        return "moved" if seen.updated_at > before.updated_at else "kept"
    if name.startswith("."):
        return getattr(seen, name[1:])
    return seen.attributes.get(name[1:]) if name.startswith("@") else seen.fields[name]


def differences(kind: Kind, asked: dict[str, Json], seen: Observed) -> list[str]:
    """Compare as the plan does, once as drift (we asked for it before) and once as if asked only now."""
    wanted = {name: value for name, value in asked.items() if name not in {"name"} and value is not None}
    applied = {diff.FIELD + name: diff.applied_text(value) for name, value in wanted.items()}
    found = [
        change
        for known in (Known(applied=applied), Known())
        for change in diff.field_changes(kind, wanted, seen.fields, known)
    ]
    return [f"{change.field}: {change.before!r} -> {change.after!r}" for change in found]


@pytest.mark.parametrize("row", [*SERVICES, *DATASTORES], ids=lambda row: f"{row.id} ({row.kind.value})")
async def test_what_is_asked_comes_back_and_is_no_drift(simulator, client, row: Row):
    asked = {**BASE[row.kind], **row.ask}
    made = await client.send(action(Verb.CREATE, row.kind, payload=asked), NOTHING)
    before, answered = await client.get(row.kind, made.observed.id), made.observed
    if row.then is not None:
        simulator.step(5)
        asked |= row.then
        answered = (await client.send(action(Verb.UPDATE, row.kind, before.id, payload=row.then), NOTHING)).observed
    [swept] = [one for one in await client.sweep(row.kind) if one.id == before.id]
    read = await client.get(row.kind, before.id)
    for seen in (answered, read, swept):
        for name, expected in row.says.items():
            value = said(seen, name, before)
            fits = expected.fullmatch(value) if isinstance(expected, re.Pattern) else expected == value
            assert fits, (name, value)
        if "runtime" in (row.then or {}):
            continue  # the switch drops what the other runtime had: what is asked now is checked by `says`
        assert differences(row.kind, asked, seen) == []
    assert read.fields == {**swept.fields, **{name: read.fields[name] for name in EMPTY_IN_LISTS & read.fields.keys()}}


@pytest.mark.parametrize("kind", sorted(PLANS), ids=lambda kind: f"8.1 {kind.value}")
async def test_the_plans_of_the_language_are_the_plans_of_the_api(simulator, client, kind):
    """8.1: what the door lets in under a name, old or new, is created under it and is no drift afterwards."""
    simulator.http.patch(f"{simulator.root}/_sim/settings", json={"limit_create_per_hour": 1000}).raise_for_status()
    aliases = {Kind.POSTGRES: POSTGRES_PLAN_ALIASES, Kind.KEY_VALUE: KEY_VALUE_PLAN_ALIASES}.get(kind, PLAN_ALIASES)
    for number, plan in enumerate([*PLANS[kind], *aliases]):
        seen = await make(client, kind, name=f"n{number}", plan=plan)
        assert differences(kind, {"plan": aliases.get(plan, plan)}, seen) == []


# ---------------------------------------------------------------- what has an endpoint of its own


async def make(client, kind: Kind, plaintext: Plaintext = NOTHING, name: str = "thing", **ask: Json) -> Observed:
    payload = {**BASE.get(kind, {}), **ask}
    return (await client.send(action(Verb.CREATE, kind, payload=payload, name=name), plaintext)).observed


def no_drift(put: dict[str, str], live, prefix: str = diff.ENV) -> bool:
    """Whether a set of variables or files that we put there compares equal with what is read back."""

    def digests(values: dict[str, str]) -> dict[str, str]:
        return {name: digest(b"key", name, text) for name, text in values.items()}

    applied = {prefix + name: mark for name, mark in digests(put).items()}
    return diff.set_change(prefix, digests(put), digests(texts(live)), Known(applied=applied)) == diff.SetChange()


async def test_no_variables_and_files_are_none(client):
    """3.5-10 envVars null, secretFiles null."""
    made = await make(client, Kind.PRIVATE)
    detail = await client.detail(Kind.PRIVATE, made.id)
    assert (detail.env, detail.files) == ({}, {})


async def test_no_rules_are_none_and_rules_are_no_drift(client):
    """3.5-11 headers [], routes null; 3.11 new ids at every PUT."""
    made = await make(client, Kind.STATIC, headers=[], routes=None)
    detail = await client.detail(Kind.STATIC, made.id)
    assert (detail.headers, detail.routes) == ((), ())
    rules = {
        "headers": [["/x", "B", "2"], ["/", "A", "1"]],
        "routes": [["rewrite", "/*", "/i"], ["redirect", "/a", "/b"]],
    }
    for part, verb in (("headers", Verb.SET_HEADERS), ("routes", Verb.SET_ROUTES)):
        for _ in range(2):
            await client.send(action(verb, Kind.STATIC, made.id, payload={part: rules[part]}), NOTHING)
    seen = await client.detail(Kind.STATIC, made.id)
    assert seen.headers == tuple(sorted(tuple(rule) for rule in rules["headers"]))
    assert seen.routes == tuple(tuple(rule) for rule in rules["routes"])
    for prefix, live in ((diff.HEADER, seen.headers), (diff.ROUTE, seen.routes)):
        assert diff.rule_target(prefix, live, live, Known(), strict=False) == live


async def test_variables_come_back_whatever_their_order_number_and_page(client):
    """4: full replacement, request order in the reply, newest first and 20 a page in reads."""
    put = {f"K{at:03}": str(at) for at in range(130)} | {"cluster.name": "é\n", "EMPTY": ""}
    sent = Plaintext(values={key: Sensitive(text) for key, text in put.items()})
    made = await make(client, Kind.WEB, sent)
    stamp, deploy = (await client.get(Kind.WEB, made.id)).updated_at, await client.deploy(made.id)
    assert no_drift(put, (await client.detail(Kind.WEB, made.id)).env)
    reply = await client.send(action(Verb.SET_ENV, Kind.WEB, made.id), sent)
    assert no_drift(put, reply.detail.env)
    assert (await client.get(Kind.WEB, made.id)).updated_at == stamp
    assert await client.deploy(made.id) == deploy, "variables alone never deploy"
    files = {"b.pem": "line\n", "a": ""}
    reply = await client.send(
        action(Verb.SET_FILES, Kind.WEB, made.id),
        Plaintext(files={name: Sensitive(text) for name, text in files.items()}),
    )
    for seen in (reply.detail, await client.detail(Kind.WEB, made.id)):
        assert no_drift(files, seen.files, diff.FILE)


async def test_size_and_disk_come_back_as_asked(client):
    """3.7 autoscaling is echoed and taken away, 10-27 numInstances is left; 3.8 a disk of the API has 1 GB."""
    made = await make(client, Kind.WEB, numInstances=1)
    wanted: dict[str, Json] = {"min": 1, "max": 3, "cpu": 60, "memory": None}
    await client.send(action(Verb.SET_AUTOSCALING, Kind.WEB, made.id, payload=wanted), NOTHING)
    seen = await client.get(Kind.WEB, made.id)
    assert diff.single_change("autoscaling", wanted, seen.fields["autoscaling"], Known()) is None
    assert seen.fields["numInstances"] == 1
    await client.send(action(Verb.REMOVE_AUTOSCALING, Kind.WEB, made.id), NOTHING)
    disk: dict[str, Json] = {"name": "data", "mountPath": "/data", "sizeGB": 5}
    await client.send(action(Verb.ADD_DISK, Kind.WEB, made.id, payload=disk), NOTHING)
    seen = await client.get(Kind.WEB, made.id)
    assert {name: seen.fields["disk"][name] for name in disk} == disk
    assert seen.fields["autoscaling"] is None


async def test_an_env_group_is_the_same_in_every_answer(client):
    """3.15: lists carry neither variables nor files, reads newest first, links short type names and no order."""
    put = {"A": "1", "B": "2"}
    sent = Plaintext(values={key: Sensitive(text) for key, text in put.items()}, files={"f": Sensitive("x")})
    made = await make(client, Kind.ENV_GROUP, sent)
    assert (await client.detail(Kind.ENV_GROUP, made.id)).fields == {"links": []}
    services = [(await make(client, kind, name=kind.name.lower())).id for kind in (Kind.WEB, Kind.CRON, Kind.STATIC)]
    for id in services:
        await client.send(action(Verb.LINK_GROUP, Kind.ENV_GROUP, made.id, payload={"serviceId": id}), NOTHING)
    [swept] = await client.sweep(Kind.ENV_GROUP)
    detail = await client.detail(Kind.ENV_GROUP, made.id)
    assert swept.fields["links"] == detail.fields["links"] == sorted(services)
    assert no_drift(put, detail.env)
    assert no_drift({"f": "x"}, detail.files, diff.FILE)
    assert texts((await client.detail(Kind.WEB, services[0])).env) == {}, "variables of a group are not the service's"
    changed = await client.send(
        action(Verb.SET_GROUP_VAR, Kind.ENV_GROUP, made.id), Plaintext(values={"A": Sensitive("3")})
    )
    assert changed.observed.updated_at == swept.updated_at, "only a rename moves the stamp"
    renamed = await client.send(action(Verb.UPDATE, Kind.ENV_GROUP, made.id, payload={"name": "other"}), NOTHING)
    assert renamed.observed.updated_at > swept.updated_at


async def test_a_project_and_its_environment_are_the_same_in_every_answer(client):
    """3.16: null for no members, no times, `redisIds` and `databasesIds`; PATCH of a project always moves its stamp."""
    asked = {"environment": "production", "networkIsolationEnabled": False, "protectedStatus": "unprotected"}
    project, made = (await client.send(action(Verb.CREATE, Kind.PROJECT, payload=asked), NOTHING)).created
    assert (made.fields["members"], made.created_at, made.updated_at) == ([], None, None)
    assert differences(Kind.ENVIRONMENT, {key: asked[key] for key in list(asked)[1:]}, made) == []
    members = [
        (await make(client, kind, name=kind.name.lower(), environmentId=made.id)).id
        for kind in (Kind.WEB, Kind.POSTGRES, Kind.KEY_VALUE, Kind.ENV_GROUP)
    ]
    [swept] = await client.sweep(Kind.ENVIRONMENT)
    assert swept.fields["members"] == sorted(members)
    same = await client.send(action(Verb.UPDATE, Kind.PROJECT, project.id, payload={"name": "thing"}), NOTHING)
    assert same.observed.updated_at > project.updated_at
    assert same.observed.fields == project.fields


@pytest.mark.parametrize("kind", [*BASE, Kind.ENV_GROUP, Kind.PROJECT], ids=lambda kind: f"1.6 {kind.value}")
async def test_an_instant_is_the_same_with_nine_digits_and_with_six(client, kind):
    for number in range(4):
        made = await make(client, kind, name=f"n{number}")
        read = await client.get(kind, made.id)
        assert (read.created_at, read.updated_at) == (made.created_at, made.updated_at)


# ---------------------------------------------------------------- 10: surprises that a client meets


async def test_the_end_of_a_window_is_seconds_away_and_not_an_epoch(client):
    """10-02, 10-03, 10-04: Ratelimit-Reset; 100 other changes a minute; 20 creates an hour, datastores too."""
    made = await client.send(action(Verb.CREATE, Kind.KEY_VALUE, payload=BASE[Kind.KEY_VALUE]), NOTHING)
    now = client.clock.now()
    assert (made.limits.limit, made.limits.remaining) == (20, 19)
    assert timedelta(0) < made.limits.resets_at - now <= timedelta(hours=1)
    assert (made.limits.resets_at.minute, made.limits.resets_at.second) == (0, 0)
    deleted = await client.send(action(Verb.DELETE, Kind.KEY_VALUE, made.observed.id), NOTHING)
    assert (deleted.limits.limit, deleted.limits.remaining) == (100, 99)


async def test_a_queued_deploy_has_no_id_and_a_superseded_one_is_no_failure(simulator, client):
    """10-06, 10-08, 10-28, 10-29, 10-30."""
    made = await client.send(action(Verb.CREATE, Kind.WEB, payload=BASE[Kind.WEB]), NOTHING)
    assert made.deploy.id.startswith("dep-"), "a create always deploys"
    first = await client.deploy(made.observed.id)
    assert (first.id, first.finished_at, first.state.value) == (made.deploy.id, None, "progressing")
    queued = (await client.send(action(Verb.DEPLOY, Kind.WEB, made.observed.id), NOTHING)).deploy
    assert (queued.id, queued.status) == ("", "queued")
    await settle(simulator, client)
    last = await client.deploy(made.observed.id)
    assert last.state.value == "live" and last.id not in {"", first.id}
    cron = await make(client, Kind.CRON, name="cron")
    assert (await client.send(action(Verb.DEPLOY, Kind.CRON, cron.id), NOTHING)).deploy.state.value == "live"


async def test_a_pair_of_domains_is_told_at_once_and_a_key_value_is_suspended_by_its_status(simulator, client):
    """10-20 an array with the twin; 10-34 no `suspended`; 10-32 names are the workspace's."""
    web = await make(client, Kind.WEB, name="web")
    reply = await client.send(action(Verb.ADD_DOMAIN, Kind.WEB, web.id, payload={"name": "acme.com"}), NOTHING)
    assert {one.name: one.redirect_for for one in reply.detail.domains} == {"acme.com": "", "www.acme.com": "acme.com"}
    cache = await make(client, Kind.KEY_VALUE, name="cache")
    await client.send(action(Verb.SUSPEND, Kind.KEY_VALUE, cache.id), NOTHING)
    assert (await client.get(Kind.KEY_VALUE, cache.id)).suspenders == ("user",)
    with pytest.raises(Conflict):
        await make(client, Kind.CRON, name="web")


async def test_owners_come_in_two_shapes_and_ours_alone_are_listed(client):
    """10-11: `owner` of datastores and projects, `ownerId` of services and groups."""
    kinds = (Kind.WEB, Kind.POSTGRES, Kind.KEY_VALUE, Kind.ENV_GROUP, Kind.PROJECT)
    for kind in kinds:
        await make(client, kind, name=kind.name.lower())
    assert [len(await client.sweep(kind)) for kind in kinds] == [1] * len(kinds)
    assert client.owner_id == OWNER
