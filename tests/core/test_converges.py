"""Any stack converges: random small Blueprints are brought up, changed and taken down on a Render in memory."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core import resolve
from reconciler.core.actions import Verb
from reconciler.core.kinds import DATASTORES, SERVICES, Kind
from reconciler.core.observed import Observed
from reconciler.core.plan import make_plan
from reconciler.core.spec import DesiredState, DriftPolicy, Source
from reconciler.core.values import SecretRef
from tests.core.builders import (
    NOW,
    REPO,
    blueprint,
    database,
    env_group,
    from_database,
    from_service,
    group_link,
    service,
    tenant,
    variables,
)
from tests.core.world import World

MANY = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SORTS = ("web", "pserv", "worker", "cron", "static")


@st.composite
def references(draw, names, stores):
    """One variable: a text, a secret, or a reference that may close a circle."""
    sorts = dict(names)
    addressed = [name for name, sort in names if sort in ("web", "pserv")]
    public = [name for name, sort in names if sort in ("web", "static")]
    choices = [st.just("text"), st.just(None), st.just({"generateValue": True}), st.just("${tenant.name}-x")]
    if stores["db"]:
        choices.append(st.sampled_from(["connectionString", "host", "port"]).map(lambda p: from_database("db", p)))
    if stores["cache"]:
        choices.append(st.just(from_service("cache", "connectionString", sort="keyvalue")))
    if addressed:
        choices.append(st.sampled_from(addressed).map(lambda n: from_service(n, "hostport", sort=sorts[n])))
        choices.append(st.sampled_from(addressed).map(lambda n: "http://${host." + n + "}/x"))
    if public:
        choices.append(st.sampled_from(public).map(lambda n: "${url." + n + "}"))
    return draw(st.one_of(choices))


@st.composite
def blueprints(draw):
    """A small Blueprint of every kind, with references, groups, sizes and rules."""
    count = draw(st.integers(1, 4))
    names = [(f"s{index}", draw(st.sampled_from(SORTS))) for index in range(count)]
    stores = {"db": draw(st.booleans()), "cache": draw(st.booleans())}
    grouped = draw(st.booleans())
    services = []
    for name, sort in names:
        said = draw(st.dictionaries(st.sampled_from(["A", "B", "C"]), references(names, stores), max_size=3))
        links = [group_link("shared")] if grouped and draw(st.booleans()) else []
        services.append(service(name, sort, env=[*links, *variables(**said)], **draw(sizes(sort))))
    if stores["cache"]:
        services.append(service("cache", "keyvalue", plan="starter"))
    shared = draw(st.dictionaries(st.sampled_from(["A", "G"]), references(names, stores), max_size=2))
    shared = {name: one for name, one in shared.items() if one is None or isinstance(one, str)}
    databases = [database(databaseName="app", ipAllowList=[], readReplicas=[{"name": "r1"}])] if stores["db"] else []
    return blueprint(
        *services,
        databases=databases,
        groups=[env_group("shared", **shared)] if grouped else [],
        source=Source(repo=REPO, commit="4f2a9c1") if draw(st.booleans()) else Source(),
        project=draw(st.booleans()),
        drift=draw(st.sampled_from(DriftPolicy)),
    )


@st.composite
def sizes(draw, sort):
    """Fields of one service that its sort can have."""
    said = {}
    if sort in ("web", "pserv", "worker"):
        scaled = draw(st.sampled_from([{}, {"numInstances": 2}, SCALING, {"disk": DISK}]))
        said |= {"plan": draw(st.sampled_from(["starter", "standard", "pro"]))} | scaled
    if sort == "static":
        said |= draw(st.sampled_from([{}, {"headers": [HEADER], "routes": [ROUTE]}]))
    if sort in ("web", "static"):
        said |= draw(st.sampled_from([{}, {"domains": ["crm.example.com"]}, {"ipAllowList": []}]))
    if sort != "static" and draw(st.booleans()):
        said |= {"runtime": "node", "repo": REPO, "buildCommand": "make", "startCommand": "run"}
    return said


SCALING = {"scaling": {"minInstances": 1, "maxInstances": 3, "targetCPUPercent": 70}}
DISK = {"name": "data", "mountPath": "/data", "sizeGB": 5}
HEADER = {"path": "/*", "name": "X-Frame-Options", "value": "DENY"}
ROUTE = {"type": "rewrite", "source": "/*", "destination": "/index.html"}


def told(made, **spec):
    """A world in which every secret has a value."""
    world = World(made, tenant(**spec))
    for ref in world.stack().secrets:
        world.secrets.setdefault(ref, f"secret {ref.name}")
    return world


def assert_quiet(world):
    plan = world.plan()
    assert [(one.verb, one.component, one.changes, one.waits) for one in plan.actions] == []
    assert (plan.waits, plan.drift, plan.settled) == ((), (), {})


def wanted_env(world, key, stack):
    """What the instances of a service must run with: its groups' variables, then its own."""
    resource = stack.resources[key]
    merged = {}
    for group in resource.groups:
        merged |= stack.resources[group].env
    return {name: text.reveal() for name, text in resolve.plaintext({**merged, **resource.env}, world.lookup).items()}


@MANY
@given(blueprints())
def test_a_stack_comes_up_with_the_environment_it_asks_for_and_then_nothing_is_planned(made):
    world = told(made)
    actions = world.converge()
    stack = world.stack()
    assert set(world.owned) == set(stack.resources)
    assert_quiet(world)
    for key, resource in stack.resources.items():
        if resource.kind in SERVICES:
            assert world.running[key] == wanted_env(world, key, stack)
    created = [action.component for action in actions if action.verb is Verb.CREATE]
    assert len(created) == len(set(created)), "nothing is created twice"


@MANY
@given(blueprints())
def test_only_late_values_a_late_group_and_a_pinned_commit_need_a_second_deploy(made):
    world = told(made)
    late = {key for key, one in world.stack().resources.items() if one.late_env}
    world.converge()
    stack = world.stack()
    for key, resource in stack.resources.items():
        if resource.kind in SERVICES:
            pinned = bool(resource.commit) and resource.kind is not Kind.CRON
            twice = key in late or bool(late & set(resource.groups)) or pinned
            assert world.deploys[key] <= 1 + twice, (key, world.deploys)


@MANY
@given(blueprints(), st.randoms(use_true_random=False))
def test_the_order_of_mappings_does_not_change_a_plan(made, chance):
    world = told(made)
    for _ in range(2):
        view = world.view()
        shuffled = [*view.owned.items()]
        chance.shuffle(shuffled)
        assert make_plan(replace(view, owned=dict(shuffled))) == make_plan(view)
        world.round()


@MANY
@given(blueprints())
def test_no_secret_and_no_plaintext_of_a_variable_is_in_a_plan(made):
    world = told(made)
    world.secrets = {ref: f"pl4int3xt-{ref.name}" for ref in world.secrets}
    for _ in range(6):
        plan = world.plan()
        assert "pl4int3xt" not in repr(plan)
        assert "connectionString of" not in repr(plan)
        world.round()


@MANY
@given(blueprints(), st.data())
def test_a_foreign_object_of_a_wanted_name_is_never_touched(made, data):
    world = told(made)
    key = data.draw(st.sampled_from(sorted(world.stack().resources)))
    if key == "@environment":
        return
    resource = world.stack().resources[key]
    foreign = Observed(id="foreign-1", kind=resource.kind, name=resource.name, fields={}, seen_at=NOW)
    world.said = {"conflicts": {key: foreign}}
    actions = world.converge()
    assert key not in world.owned
    assert "foreign-1" not in {action.id for action in actions}
    blocked = [action for action in world.plan().actions if action.component == key]
    assert [wait.reason for action in blocked for wait in action.waits] == ["Conflict"]


@MANY
@given(blueprints(), blueprints(), st.sets(st.sampled_from(["s0", "s1", "s2", "s3", "db", "cache"])))
def test_no_edit_and_no_loss_deletes_or_replaces_data_unless_the_tenant_allows_it(before, after, gone):
    world = told(before)
    world.converge()
    bearing = {row.id for row in world.owned.values() if row.kind in DATASTORES or row.observed.fields.get("disk")}
    kinds = {key: row.kind for key, row in world.owned.items()}
    same = [one for one in world.owned if one in gone]
    for key in same:
        world.human_deletes(key)
    lost = {key for key in same if world.owned[key].id in bearing}
    world.revises(after)
    for ref in world.stack().secrets:
        world.secrets.setdefault(ref, "secret")
    actions = world.converge()
    for action in actions:
        if action.verb in (Verb.DELETE, Verb.REMOVE_DISK):
            assert action.id not in bearing, (action.verb, action.component)
    recreated = {action.component for action in actions if action.verb is Verb.CREATE} & lost
    assert not {
        key for key in recreated if world.stack().resources[key].kind is kinds[key] and kinds[key] in DATASTORES
    }


@MANY
@given(blueprints(), blueprints())
def test_from_any_revision_to_any_other_everything_that_may_change_settles(before, after):
    world = told(before)
    world.converge()
    world.revises(after)
    for ref in world.stack().secrets:
        world.secrets.setdefault(ref, "secret")
    world.converge()
    world.converge()
    assert not [action for action in world.plan().actions if action.ready]


@MANY
@given(blueprints())
def test_suspended_it_stops_running_it_comes_back_purged_nothing_is_left(made):
    world = told(made)
    world.converge()
    world.becomes(state=DesiredState.SUSPENDED)
    world.converge()
    asleep = [row for row in world.owned.values() if row.kind in SERVICES | DATASTORES]
    assert all(row.observed.suspenders == ("user",) for row in asleep)
    assert world.plan().empty
    world.becomes(state=DesiredState.RUNNING)
    world.converge()
    assert_quiet(world)
    world.becomes(state=DesiredState.DELETED)
    world.said = {"purge": True}
    world.converge()
    assert not world.owned
    assert world.plan().empty


@MANY
@given(blueprints())
def test_after_an_adoption_that_forgot_everything_a_deep_check_is_enough_to_be_quiet(made):
    world = told(made)
    world.converge()
    for key in world.owned:
        world.forgets(key)
    world.converge()
    assert_quiet(world)


@pytest.mark.parametrize("name", ["A", "B"])
def test_a_secret_that_is_missing_creates_nothing(name):
    world = World(blueprint(service(env={"A": None, "B": None})))
    world.gives(**{"A": "x", "B": "y"})
    del world.secrets[SecretRef(name)]
    assert world.converge() == []
    assert not world.owned
