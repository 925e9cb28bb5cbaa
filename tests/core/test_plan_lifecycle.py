"""Creation, loss, drift, suspension, deletion and pruning of a whole stack, in the safe order and no other."""

from dataclasses import replace

import pytest

from reconciler.core.actions import Verb, Wait, WaitReason
from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.plan import make_plan
from reconciler.core.spec import DesiredState, DriftPolicy
from tests.core.builders import (
    blueprint,
    database,
    document,
    env_group,
    from_database,
    observed,
    owned,
    service,
    view,
    wait,
)
from tests.core.world import World

RUNNING, SUSPENDED, DELETED = DesiredState.RUNNING, DesiredState.SUSPENDED, DesiredState.DELETED
EVERYTHING = blueprint(
    service("web", env={"DB": from_database("db")}, groups=("shared",)),
    service("job", "cron"),
    service("worker", "worker"),
    service("api", "pserv"),
    service("site", "static"),
    service("cache", "keyvalue"),
    databases=[database()],
    groups=[env_group(A="1")],
)


def up(made=EVERYTHING, **said):
    world = World(made)
    world.converge()
    world.done.clear()
    world.said = said
    return world


def taken(actions):
    return [(str(action.verb), action.component) for action in actions]


def waits(plan):
    return [(one.reason, one.message) for one in plan.waits]


# ---------------------------------------------------------------- creation


def test_a_new_stack_says_what_waits_for_what_in_waves():
    plan = World(EVERYTHING).plan()
    first = {action.component: (action.wave, [one.message for one in action.waits]) for action in plan.actions}
    assert first["@project"] == (0, [])
    assert first["db"] == (1, ["environment"])
    assert first["web"] == (2, ["environment", "postgres db", "env group shared"])
    assert plan.creates == 7
    assert plan.writes == 2
    assert plan.eta_s == 1 + 180 + 180
    assert (plan.usd_before, plan.usd_after) == (0, World(EVERYTHING).plan().usd_after)


def test_a_service_waits_until_its_database_is_available_not_merely_there():
    world = World(EVERYTHING)
    world.round()
    for action in world.plan().actions:
        if action.ready:
            world.apply(action)
    (web,) = [action for action in world.plan().actions if action.component == "web"]
    assert [one.message for one in web.waits] == ["postgres db"]


def test_a_database_with_maintenance_ahead_is_available():
    world = up(blueprint(template=document(databases=[database()])))
    world._see(world.owned["db"], status="maintenance_scheduled")
    world.revises(blueprint(service(env={"DB": from_database("db")}), databases=[database()]))
    assert ("create", "web") in taken(world.converge())


def test_a_missing_secret_creates_nothing_and_says_who_needs_it():
    said = {"KEY": None}
    world = World(blueprint(service(env=said), service("worker", "worker", env=said)))
    plan = world.plan()
    assert plan.actions == ()
    (one,) = plan.waits
    assert (one.message, one.you) == ("secret KEY (web, worker) has no value", "reconciler secret set acme KEY")


def test_a_missing_shared_secret_is_set_on_the_blueprint():
    plan = World(EVERYTHING).plan(missing_secrets={"blueprint:DSN": ("web",)})
    assert plan.waits[0].you == "reconciler secret set --blueprint crm DSN"


def test_a_secret_that_a_running_stack_lacks_holds_back_only_what_needs_it():
    world = up()
    world.revises(blueprint(service("web", env={"KEY": None}), service("new", env={"KEY": None}), service("other")))
    plan = world.plan()
    created = {action.component: action.waits for action in plan.actions if action.verb is Verb.CREATE}
    assert [one.message for one in created["new"]] == ["the values of KEY"]
    assert created["other"] == ()


def test_a_project_that_was_made_without_its_environment_gets_one():
    world = up()
    world.human_deletes("@environment")
    (action,) = [one for one in world.plan().actions if one.component == "@environment"]
    assert action.payload["projectId"] == world.owned["@project"].id
    assert [one for one in world.plan().actions if one.component == "@project"] == []


def test_a_project_whose_name_another_bears_is_a_conflict_with_a_way_out():
    world = World(EVERYTHING)
    world.said = {"conflicts": {"@project": observed(Kind.PROJECT, "@project", id="prj-9")}}
    assert world.converge() == []
    (one,) = world.plan().actions[0].waits
    assert (one.reason, one.message) == (WaitReason.CONFLICT, "project acme (prj-9) exists already and is not ours")
    assert "reconciler reconcile acme" in one.you


def test_while_the_outcome_of_a_create_is_unknown_nothing_is_created_in_its_place():
    open_wait = wait(WaitReason.OPERATION, "create of web-acme got no answer")
    world = up(blueprint(), open={"web": open_wait})
    assert world.plan().waits == (open_wait,)
    fresh = World(blueprint(project=False))
    assert fresh.plan(open={"web": open_wait}).actions[0].waits == (open_wait,)


# ---------------------------------------------------------------- loss


@pytest.mark.parametrize("lost", ["web", "job", "worker", "api", "site", "shared"])
def test_what_bears_no_data_is_made_again_after_two_proofs_of_absence(lost):
    world = up()
    world.human_deletes(lost, looks=1)
    plan = world.plan()
    assert plan.actions == ()
    assert [one.reason for one in plan.waits] == [WaitReason.CONFIRMATION]
    assert "was not found once" in plan.waits[0].message
    world.human_deletes(lost, looks=2)
    plan = world.plan()
    assert plan.drift == (
        f"{lost}: {world.owned[lost].kind} {lost} was deleted at Render, not by us and not by a spec",
    )
    assert plan.actions[0].reason == "deleted behind our back"
    world.converge()
    assert world.plan().empty


@pytest.mark.parametrize("lost", ["db", "cache"])
def test_what_bears_data_is_reported_and_not_made_again_until_the_loss_is_accepted(lost):
    world = up()
    world.human_deletes(lost)
    assert world.converge() == []
    (action,) = [one for one in world.plan().actions if one.component == lost]
    assert [one.reason for one in action.waits] == [WaitReason.DATA_LOSS]
    assert "restore it from a backup" in action.waits[0].you
    assert f'allowDataLoss=["{lost}"]' in action.waits[0].you
    assert world.plan().unhealed
    world.becomes(allow_data_loss=(lost,))
    assert ("create", lost) in taken(world.converge())


def test_a_service_with_a_disk_bears_data_a_cache_that_keeps_none_does_not():
    disk = {"name": "d", "mountPath": "/d"}
    made = blueprint(
        service(disk=disk), service("kv", "keyvalue", persistenceMode="off"), service("toy", "keyvalue", plan="free")
    )
    world = up(made)
    for key in ("web", "kv", "toy"):
        world.human_deletes(key)
    assert {component for _, component in taken(world.converge())} == {"kv", "toy"}


def test_under_report_a_deleted_service_is_reported_only():
    world = up(blueprint(service(), drift=DriftPolicy.REPORT))
    world.human_deletes("web")
    assert world.converge() == []
    (action,) = world.plan().actions
    assert action.waits[0].message.endswith("the Blueprint says drift: report")
    assert world.plan().unhealed == world.plan().drift


def test_a_project_deleted_with_all_it_held_comes_back_with_what_bears_no_data():
    world = up(blueprint(service()))
    for key in world.owned:
        world.human_deletes(key)
    assert taken(world.converge()) == [("create", "@project"), ("create", "web")]


# ---------------------------------------------------------------- drift by policy

HEADER = ("/*", "X-A", "1")
DRIFTS = {
    "field": (lambda w: w.human("web", plan="pro"), {"update", "deploy"}),
    "variable changed": (lambda w: w.human_env("web", A="x"), {"set-env", "deploy"}),
    "variable removed": (lambda w: w.human_env("web", A=None), {"set-env", "deploy"}),
    "file changed": (lambda w: w.human_files("web", f="x"), {"set-files", "deploy"}),
    "domain removed": (lambda w: w.human_domains("web"), {"add-domain"}),
    "headers removed": (lambda w: w.human_rules("site", headers=[]), {"set-headers"}),
    "group variable changed": (lambda w: w.human_env("shared", G="x"), {"set-group-var", "deploy"}),
    "unlinked": (lambda w: w.human("shared", links=[]), {"link-group", "deploy"}),
    "renamed": (lambda w: w.human_renames("web", "x"), {"update"}),
    "group renamed": (lambda w: w.human_renames("shared", "x"), {"update"}),
    "database renamed": (lambda w: w.human_renames("db", "x"), {"update"}),
    "moved out": (lambda w: w.human_moves_out("db"), {"move"}),
    "suspended": (lambda w: w.human_suspends("web"), {"resume"}),
    "isolation": (lambda w: w.human("@environment", protectedStatus="protected"), {"update"}),
    "database plan": (lambda w: w.human("db", plan="basic_1gb"), {"update"}),
}
ADDED = {
    "variable": (lambda w: w.human_env("web", X="x"), {"set-env", "deploy"}),
    "file": (lambda w: w.human_files("web", x="x"), {"set-files", "deploy"}),
    "domain": (lambda w: w.human_domains("web", "a.example.com", "x.example.com"), {"remove-domain"}),
    "header": (lambda w: w.human_rules("site", headers=[HEADER, ("/x", "X-B", "2")]), {"set-headers"}),
    "route": (lambda w: w.human_rules("site", routes=[("rewrite", "/x", "/y")]), {"set-routes"}),
    "group variable": (lambda w: w.human_env("shared", X="x"), {"remove-group-var", "deploy"}),
}


def drifting(policy):
    header = dict(zip(("path", "name", "value"), HEADER, strict=True))
    environment = {
        "name": "live",
        "services": [
            service(plan="starter", env={"A": "1"}, groups=("shared",), domains=["a.example.com"]),
            service("site", "static", headers=[header], routes=[]),
        ],
        "databases": [database()],
        "envVarGroups": [env_group(G="1")],
        "permissions": {"protection": "disabled"},
    }
    template = {"projects": [{"name": "p", "environments": [environment]}]}
    return up(blueprint(template=template, drift=policy, files={"web": {"f": "1"}}))


@pytest.mark.parametrize("policy", [DriftPolicy.HEAL, DriftPolicy.STRICT])
@pytest.mark.parametrize("what", DRIFTS)
def test_what_a_person_changes_is_healed_and_noted(what, policy):
    how, verbs = DRIFTS[what]
    world = drifting(policy)
    how(world)
    plan = world.plan()
    assert len(plan.drift) == 1, plan.drift
    assert plan.unhealed == ()
    assert {verb for verb, _ in taken(world.converge())} == verbs
    plan = world.plan()
    assert plan.empty and not plan.drift


@pytest.mark.parametrize("what", DRIFTS)
def test_under_report_it_is_noted_and_left(what):
    how, _ = DRIFTS[what]
    world = drifting(DriftPolicy.REPORT)
    how(world)
    assert world.converge() == []
    plan = world.plan()
    assert len(plan.drift) == 1
    assert plan.unhealed == plan.drift


@pytest.mark.parametrize("what", ADDED)
@pytest.mark.parametrize("policy", list(DriftPolicy))
def test_what_a_person_adds_is_kept_and_reported_and_removed_only_if_strict(what, policy):
    how, verbs = ADDED[what]
    world = drifting(policy)
    how(world)
    plan = world.plan()
    assert len(plan.drift) == 1
    strict = policy is DriftPolicy.STRICT
    assert plan.unhealed == (() if strict else plan.drift)
    actions = world.converge()
    assert {verb for verb, _ in taken(actions)} == (verbs if strict else set())
    assert {action.reason for action in actions if action.verb is not Verb.DEPLOY} <= {"drift"}
    assert bool(world.plan().drift) is not strict


def test_what_the_spec_names_is_asked_for_even_under_report():
    world = drifting(DriftPolicy.REPORT)
    world.becomes(env={"web": {"A": "2"}})
    assert taken(world.converge()) == [("set-env", "web"), ("deploy", "web")]


# ---------------------------------------------------------------- datastores


def store(kind="cache", **fields):
    if kind == "cache":
        return blueprint(service("cache", "keyvalue", **fields))
    return blueprint(databases=[database(**fields)])


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (store("db", postgresMajorVersion="17"), store("db", postgresMajorVersion="18"), "version of db cannot be"),
        (store("db", databaseName="a"), store("db", databaseName="b"), "databaseName of db cannot be changed"),
        (store("db", region="oregon"), store("db", region="ohio"), "region of db cannot be changed"),
        (store("db", diskSizeGB=20), store("db", diskSizeGB=15), "the disk of db cannot shrink: 20 GB -> 15 GB"),
        (store(plan="standard"), store(plan="starter"), "Render cannot shrink a Key Value: cache standard -> starter"),
        (store(region="oregon"), store(region="ohio"), "region of cache cannot be changed"),
    ],
)
def test_what_render_cannot_undo_is_a_condition_and_not_tried(before, after, told):
    world = up(before)
    world.revises(after)
    assert world.converge() == []
    (one,) = world.plan().waits
    assert one.reason is WaitReason.IMMUTABLE
    assert one.message.startswith(told)
    assert one.you == "put the old value back in the spec"
    world.revises(before)
    assert world.plan().empty


def test_what_somebody_grew_is_reported_because_it_cannot_shrink():
    world = up(store(plan="starter"))
    world.human("cache", plan="pro")
    assert world.converge() == []
    assert world.plan().unhealed == ("cache: Render cannot shrink a Key Value: cache pro -> starter",)
    assert world.plan().waits == ()


def test_growing_says_before_that_there_is_no_way_back():
    world = up(store(plan="starter"))
    world.revises(store(plan="standard"))
    (action,) = world.plan().actions
    assert action.notes == ("restarts, about 1 min down", "ONE WAY, Render cannot shrink it")
    database_world = up(store("db", diskSizeGB=15))
    database_world.revises(store("db", diskSizeGB=20))
    assert database_world.plan().actions[0].notes == ("ONE WAY, a disk cannot shrink",)


def test_all_changes_of_a_datastore_are_one_call():
    world = up(store("db", plan="basic-256mb"))
    world.revises(store("db", plan="basic-1gb", diskSizeGB=20, connectionPool="pgbouncer"))
    (action,) = world.converge()
    assert sorted(action.payload) == ["connectionPool", "diskSizeGB", "plan"]
    assert action.reason == "the spec changed"


# ---------------------------------------------------------------- suspension


def test_a_new_suspended_tenant_creates_nothing():
    world = World(EVERYTHING)
    world.becomes(state=SUSPENDED)
    assert world.plan().empty


def test_services_stop_in_order_and_datastores_once_they_are_down():
    world = up()
    world.becomes(state=SUSPENDED)
    plan = world.plan()
    kinds = [action.kind for action in plan.actions]
    order = [Kind.CRON, Kind.WEB, Kind.STATIC, Kind.WORKER, Kind.PRIVATE, Kind.KEY_VALUE, Kind.POSTGRES]
    assert kinds == order
    assert all(action.ready for action in plan.actions if action.kind in SERVICES)
    assert {one.message for action in plan.actions[-2:] for one in action.waits} == {
        "cron job job",
        "web service web",
        "static site site",
        "worker worker",
        "private service api",
    }
    assert [component for _, component in taken(world.converge())][-2:] == ["cache", "db"]
    assert plan.usd_after < plan.usd_before


def test_resuming_goes_the_other_way_and_changes_wait_for_it():
    world = up()
    world.becomes(state=SUSPENDED)
    world.converge()
    world.becomes(state=RUNNING, env={"web": {"A": "2"}})
    plan = world.plan()
    assert {action.verb for action in plan.actions} == {Verb.RESUME}
    assert [action.component for action in plan.actions if action.ready] == ["db"]
    assert plan.drift == (), "resumed because its spec says so"
    components = [component for verb, component in taken(world.converge()) if verb == "resume"]
    assert components == ["db", "cache", "api", "worker", "site", "web", "job"]
    assert world.running["web"]["A"] == "2"


def test_an_accepted_suspend_or_resume_is_given_time_before_it_is_asked_again():
    world = up(blueprint())
    world.becomes(state=SUSPENDED)
    world.round()
    world._see(world.owned["web"], suspenders=())
    assert waits(world.plan()) == [(WaitReason.SUSPENDED, "web service web to stop")]
    world.step(minutes=3)
    assert taken(world.round()) == [("suspend", "web")]
    world.becomes(state=RUNNING)
    world.round()
    world._see(world.owned["web"], suspenders=("user",))
    world.owned["web"].known.applied["state"] = "suspended"
    assert waits(world.plan()) == [(WaitReason.SUSPENDED, "web service web to resume")]


@pytest.mark.parametrize("by", [("billing",), ("admin", "user")])
def test_a_suspension_by_render_is_reported_and_not_fought(by):
    world = up()
    world.human_suspends("web", by=by)
    world.becomes(env={"web": {"A": "2"}})
    assert world.converge() == []
    (one,) = world.plan().waits
    assert one.message == f"Render suspended web ({by[0]})"
    assert "settle it with Render" in one.you
    world.becomes(state=SUSPENDED)
    assert "web" not in [action.component for action in world.plan().actions]


def test_suspension_needs_no_spec_that_compiles():
    plan = make_plan(view(None, owned(), state=SUSPENDED))
    assert taken(plan.actions) == [("suspend", "web")]
    assert make_plan(view(None, owned())).empty, "an invalid spec changes nothing that stands"


def test_while_an_operation_is_open_its_component_is_not_suspended():
    open_wait = wait(WaitReason.OPERATION, "update may still be under way")
    (action,) = make_plan(view(None, owned(), state=SUSPENDED, open={"web": open_wait})).actions
    assert action.waits == (open_wait,)


# ---------------------------------------------------------------- deletion


def test_a_deleted_tenant_is_suspended_and_kept_and_can_come_back():
    world = up()
    world.becomes(state=DELETED)
    assert {verb for verb, _ in taken(world.converge())} == {"suspend"}
    assert len(world.owned) == 10
    world.becomes(state=RUNNING)
    world.converge()
    assert world.plan().empty


def test_the_purge_goes_services_datastores_groups_project_environment():
    world = up()
    world.becomes(state=DELETED)
    world.said = {"purge": True}
    assert [action.component for action in world.plan().actions if action.ready] == [
        "job",
        "api",
        "site",
        "web",
        "worker",
    ]
    components = [component for _, component in world_deletes(world)]
    assert set(components[:5]) == {"job", "api", "site", "web", "worker"}
    assert set(components[5:7]) == {"cache", "db"}
    assert components[7:] == ["shared", "@project", "@environment"]
    assert world.plan().empty


def test_what_is_to_be_forgotten_is_left_alone_while_an_effect_is_open():
    world = up()
    world.becomes(state=DELETED)
    wait = Wait(reason=WaitReason.CONFIRMATION, message="no answer yet", component="web")
    world.said = {"purge": True, "leave": True, "open": {"web": wait}}
    plan = world.plan()
    assert plan.actions == () and waits(plan) == [(WaitReason.CONFIRMATION, "no answer yet")]


def world_deletes(world):
    return [one for one in taken(world.converge()) if one[0] == "delete"]


def test_the_export_resumes_the_database_asks_once_and_nothing_is_deleted_before_it_is_there():
    world = up()
    world.becomes(state=DELETED)
    world.converge()
    world.said = {"purge": True, "export": True}
    assert taken(world.round()) == [("resume", "db")]
    world._see(world.owned["db"], suspenders=("user",), status="suspended")
    assert world.plan().actions == (), "resuming takes its time"
    world._see(world.owned["db"], suspenders=(), status="creating")
    assert waits(world.plan()) == [(WaitReason.DEPENDENCY, "postgres db to come up for its export")]
    world.step()
    assert taken(world.converge()) == [("export", "db")]
    assert waits(world.plan()) == [(WaitReason.DEPENDENCY, "the export of postgres db")]
    world.said |= {"exported": True}
    assert world_deletes(world)
    assert not world.owned


def test_an_export_cannot_be_had_of_a_database_that_render_suspended():
    world = up()
    world.human_suspends("db", by=("billing",))
    world.becomes(state=DELETED)
    world.said = {"purge": True, "export": True}
    assert world.converge() == []
    assert world.plan().waits[0].message == "Render suspended db (billing)"


def test_a_stack_without_a_database_has_nothing_to_export():
    world = up(blueprint())
    world.becomes(state=DELETED)
    world.said = {"purge": True, "export": True}
    world.converge()
    assert not world.owned


def test_what_was_never_seen_can_be_purged_too():
    unseen = replace(owned(), observed=None)
    (action,) = make_plan(view(None, unseen, state=DELETED, purge=True)).actions
    assert (action.verb, action.usd_before, action.usd_after) == (Verb.DELETE, None, None)


# ---------------------------------------------------------------- pruning


def test_what_the_blueprint_no_longer_lists_goes_but_never_its_data():
    world = up()
    world.revises(blueprint(service("site", "static")))
    actions = world.converge()
    assert sorted(one for verb, one in taken(actions) if verb == "delete") == ["api", "job", "shared", "web", "worker"]
    found = world.plan().waits
    assert {one.component for one in found} == {"db", "cache"}
    assert {one.reason for one in found} == {WaitReason.DATA_LOSS}
    world.said = {"allow_data_loss": frozenset({"db", "cache"})}
    assert sorted(taken(world.converge())) == [("delete", "cache"), ("delete", "db")]


def test_a_service_with_a_disk_is_not_pruned_without_a_word():
    world = up(blueprint(service(disk={"name": "d", "mountPath": "/d"}), service("b", "worker")))
    world.revises(blueprint(service("b", "worker")))
    assert world.converge() == []
    assert world.plan().waits[0].message.endswith("deleting it would lose its data")
