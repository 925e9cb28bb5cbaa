"""Matching a stack to live objects: by name and project, by a person's word, and never by guessing between two."""

from dataclasses import replace

import pytest

from reconciler.core.adoption.match import Holder, Picture, Standing, match_stack
from reconciler.core.adoption.rows import UNCHECKED, row_of
from reconciler.core.adoption.secrets import places, read_back, taken_out
from reconciler.core.compile import compile_stack
from reconciler.core.errors import Invalid
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Observed
from reconciler.core.plan import make_plan
from reconciler.core.plan.create import COMMIT_MARK
from reconciler.core.plan.lifecycle import STATE_MARK
from reconciler.core.spec import DesiredState, SecretSort, SecretSource, Source, TenantSpec
from reconciler.core.values import Live, SecretRef, Sensitive
from tests.core.builders import GENERATED, NOW, REPO, blueprint, database, env_group, service, stack_of, view


def seen(id, kind=Kind.WEB, name="", home=None, **fields):
    return Observed(id=id, kind=kind, name=name or id, fields=fields, environment_id=home, seen_at=NOW)


def project(id="prj-1", name="acme", home="evm-1", inner="production"):
    return [seen(id, Kind.PROJECT, name), seen(home, Kind.ENVIRONMENT, inner, projectId=id)]


def picture(*objects, holders=None, ourselves=()):
    return Picture({one.id: one for one in objects}, holders or {}, frozenset(ourselves))


WEB_AND_DB = stack_of(service("web"), databases=[database("db")])
WEB, DB = seen("srv-1", name="web-acme", home="evm-1"), seen("dpg-1", Kind.POSTGRES, "db-acme", "evm-1")


def standings(matched):
    return {key: str(one.standing) for key, one in matched.matches.items()}


@pytest.mark.parametrize("wide", [True, False])
def test_names_inside_the_tenants_own_project_are_proof(wide):
    stray = seen("srv-9", name="theirs", home="evm-1")
    matched = match_stack(WEB_AND_DB, picture(*project(), WEB, DB, stray), {}, wide=wide)
    assert {key: one.id for key, one in matched.found.items()} == {
        "@project": "prj-1", "@environment": "evm-1", "web": "srv-1", "db": "dpg-1"
    }  # fmt: skip
    assert matched.strays == (stray,)


def test_a_project_of_another_name_is_found_by_what_lies_in_it():
    objects = [*project(name="Acme Production"), WEB, DB]
    assert match_stack(WEB_AND_DB, picture(*objects), {}).found["@project"].name == "Acme Production"


def test_a_project_of_its_name_without_its_objects_gives_way_to_the_one_that_has_them():
    objects = [*project("prj-2", home="evm-2"), *project(name="Acme Production"), WEB, DB]
    assert match_stack(WEB_AND_DB, picture(*objects), {}).found["@project"].id == "prj-1"


def test_an_empty_project_of_its_name_is_its_own():
    matched = match_stack(WEB_AND_DB, picture(*project()), {})
    assert set(matched.found) == {"@project", "@environment"}
    assert standings(matched)["web"] == "missing"


def test_of_two_projects_of_its_name_the_one_with_its_objects_counts_and_without_any_neither():
    two = [*project(), *project("prj-2", home="evm-2")]
    assert match_stack(WEB_AND_DB, picture(*two, WEB), {}).found["@project"].id == "prj-1"
    matched = match_stack(WEB_AND_DB, picture(*two), {})
    assert matched.matches["@project"].standing is Standing.AMBIGUOUS and len(matched.matches["@project"].others) == 2
    assert matched.matches["@environment"].standing is Standing.MISSING


def test_names_spread_evenly_over_two_projects_decide_nothing():
    objects = [*project("prj-1", "one"), *project("prj-2", "two", "evm-2"), WEB, replace(DB, environment_id="evm-2")]
    assert standings(match_stack(WEB_AND_DB, picture(*objects), {}))["@environment"] == "missing"


def test_what_lies_outside_the_project_is_told_to_a_fleet_and_taken_for_a_person():
    objects = [*project(), WEB, replace(DB, environment_id=None)]
    match = match_stack(WEB_AND_DB, picture(*objects), {}).matches["db"]
    assert match.standing is Standing.ELSEWHERE and match.others == (replace(DB, environment_id=None),)
    match = match_stack(WEB_AND_DB, picture(*objects), {}, wide=True).matches["db"]
    assert match.standing is Standing.FOUND and "outside" in match.note


def test_two_of_one_name_are_left_to_a_person():
    twin = replace(DB, id="dpg-2")
    matched = match_stack(WEB_AND_DB, picture(*project(), WEB, DB, twin), {})
    assert matched.matches["db"].standing is Standing.AMBIGUOUS and matched.matches["db"].others == (DB, twin)
    chosen = match_stack(WEB_AND_DB, picture(*project(), WEB, DB, twin), {}, chosen={"db": "dpg-2"})
    assert chosen.found["db"] == twin


def test_without_a_project_of_their_own_names_alone_are_proof():
    stack = stack_of(service("web"), project=False)
    matched = match_stack(stack, picture(replace(WEB, environment_id="evm-7")), {})
    assert set(matched.found) == {"web"} and matched.found["web"].id == "srv-1" and matched.strays == ()


def test_a_persons_word_names_an_object_by_id_or_by_name_and_the_project_too():
    other = seen("srv-5", name="the-old-shop", home="evm-1")
    objects = [*project(name="Old"), other, seen("wrk-1", Kind.WORKER, "jobs", "evm-1")]
    for word in ("srv-5", "the-old-shop"):
        assert match_stack(WEB_AND_DB, picture(*objects), {}, chosen={"web": word}).found["web"] == other
    wrong = match_stack(WEB_AND_DB, picture(*objects), {}, chosen={"web": "wrk-1"}).matches["web"]
    assert wrong.standing is Standing.AMBIGUOUS and wrong.note == "wrk-1 is a worker"
    for chosen in ({"@project": "Old"}, {"@environment": "evm-1"}):
        assert match_stack(WEB_AND_DB, picture(*objects), {}, chosen=chosen).found["@environment"].id == "evm-1"
    assert match_stack(WEB_AND_DB, picture(*objects), {}, chosen={"@environment": "gone"}, wide=True).found == {}


def test_the_only_one_left_of_its_kind_is_taken_for_a_person_and_never_of_two():
    stack = stack_of(service("web"), service("api"), databases=[database("db")])
    inside = [seen("srv-5", name="shop", home="evm-1"), seen("dpg-5", Kind.POSTGRES, "data", "evm-1")]
    matched = match_stack(stack, picture(*project(), *inside), {}, wide=True)
    assert set(matched.found) == {"@project", "@environment", "db"}, "shop could be either web service"
    assert "keeps its name data" in matched.matches["db"].note
    named = [*inside, seen("srv-6", name="api", home="evm-1")]
    matched = match_stack(stack, picture(*project(), *named), {}, wide=True)
    assert matched.found["api"].id == "srv-6" and matched.found["web"].id == "srv-5"
    assert "web" not in match_stack(stack, picture(*project(), *named), {}).found


def test_what_somebody_else_has_is_taken_and_what_the_operator_runs_on_is_its_own():
    held = picture(*project(), WEB, DB, holders={"srv-1": Holder(tenant="bolt", component="app")}, ourselves={"dpg-1"})
    matched = match_stack(WEB_AND_DB, held, {})
    assert matched.matches["web"].note == "belongs to bolt as its app"
    assert matched.matches["db"].standing is Standing.OURSELVES
    assert set(matched.found) == {"@project", "@environment"}
    project_held = picture(*project(), WEB, DB, holders={"prj-1": Holder(tenant="bolt", component="@project")})
    assert match_stack(WEB_AND_DB, project_held, {}).matches["@project"].standing is Standing.TAKEN
    home_held = picture(*project(), WEB, DB, holders={"evm-1": Holder(tenant="bolt", component="@environment")})
    assert match_stack(WEB_AND_DB, home_held, {}).matches["@environment"].standing is Standing.MISSING


def test_what_is_ours_stays_ours_and_a_row_without_its_object_is_told():
    owned = {
        "@project": Owned(component="@project", kind=Kind.PROJECT, id="prj-1", name="acme"),
        "@environment": Owned(component="@environment", kind=Kind.ENVIRONMENT, id="evm-1", name="production"),
        "db": Owned(component="db", kind=Kind.POSTGRES, id="dpg-9", name="db-acme"),
    }
    matched = match_stack(WEB_AND_DB, picture(*project(), WEB, DB), owned)
    assert standings(matched) == {"@project": "owned", "@environment": "owned", "db": "gone", "web": "found"}
    lost = {"@project": Owned(component="@project", kind=Kind.PROJECT, id="prj-8", name="acme")}
    assert standings(match_stack(WEB_AND_DB, picture(*project()), lost))["@project"] == "gone"
    held = {"@project": owned["@project"]}
    assert match_stack(WEB_AND_DB, picture(*project(), WEB), held).found["@environment"].id == "evm-1"


def test_a_service_of_another_kind_that_has_the_name_is_told():
    note = match_stack(WEB_AND_DB, picture(*project(), seen("wrk-1", Kind.WORKER, "web-acme")), {}).matches["web"].note
    assert note == "wrk-1 has the name and is a worker"


# ---------------------------------------------------------------- rows


def test_a_row_of_what_was_there_claims_nothing_as_written_and_is_looked_at_soon():
    stack = stack_of(
        service("web"), service("job", "cron", runtime="node", repo=REPO, startCommand="x"),
        source=Source(repo=REPO, commit="4f2a9c1"),
    )  # fmt: skip
    row = row_of(stack.resources["web"], WEB, DesiredState.RUNNING, NOW)
    assert (row.id, row.known.applied, row.known.checked_at, row.known.hook_done) == ("srv-1", {}, UNCHECKED, True)
    cron = row_of(stack.resources["job"], seen("crn-1", Kind.CRON), DesiredState.RUNNING, NOW)
    assert cron.known.applied == {COMMIT_MARK: "4f2a9c1"}
    off = replace(WEB, suspenders=("user",))
    assert row_of(stack.resources["web"], off, DesiredState.SUSPENDED, NOW).known.applied == {STATE_MARK: "suspended"}
    assert row_of(stack.resources["web"], off, DesiredState.RUNNING, NOW).known.applied == {}


# ---------------------------------------------------------------- secrets

A, B = SecretRef("A"), SecretRef("B")


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ((A,), "s3cret", (A, "s3cret")),
        (("x-", A, "-y"), "x-s3cret-y", (A, "s3cret")),
        ((Live("db", "host"), ":", A), "dpg-1:s3cret", (A, "s3cret")),
        ((Live("db", "nothing"), A), "dpg-1:s3cret", None),
        (("x-", A), "y-s3cret", None),
        (("x-", A), "x-", None),
        ((A, "-y"), "s3cret-z", None),
        ((A, B), "s3cret", None),
        (("plain",), "plain", None),
        ((A,), "", None),
    ],
)
def test_a_secret_is_read_out_of_what_stands_around_it(value, text, found):
    assert taken_out(value, text, {Live("db", "host"): "dpg-1"}.get) == found


def test_few_places_hold_all_secrets_and_those_who_disagree_are_named():
    stack = stack_of(
        service("api", env={"A": {"sync": False}, "B": {"sync": False}, "C": {"generateValue": True}}),
        service("web", env={"A": {"sync": False}, "G": "plain"}),
        groups=[env_group("shared", D="${secrets.D}")],
        secrets={"A": GENERATED, "B": SecretSource(sort=SecretSort.SHARED)},
        files={"web": {"key.pem": "${secrets.pem}", "both": "${secrets.A}"}},
    )
    every = set(stack.secrets)
    env, files = places(stack, every, stack.resources)
    assert (env, files) == ({"api", "shared"}, {"web"})
    assert places(stack, {A}, {"web"}) == ({"web"}, frozenset()) and places(stack, every, ()) == (set(), set())
    texts = {
        "api": {"A": Sensitive("one"), "B": Sensitive("two"), "C": Sensitive("three")},
        "web": {"A": Sensitive("other"), "G": Sensitive("plain")},
    }
    back = read_back(stack, texts, {"web": {"key.pem": Sensitive("pem")}}, lambda hole: None)
    found = {ref.name: text.reveal() for ref, text in back.found.items()}
    assert found == {"A": "one", "B": "two", "api/C": "three", "pem": "pem"}
    assert back.split == {A: ("api", "web")}


def test_live_names_of_a_tenant_win_and_may_repeat_over_kinds_only():
    spec = blueprint(service("web"), service("api"), databases=[database("db")])
    who = TenantSpec(name="acme", blueprint="crm", names={"web": "shop", "db": "shop"})
    stack = compile_stack(spec, 1, who)
    assert {key: one.name for key, one in stack.resources.items() if not key.startswith("@")} == {
        "web": "shop", "db": "shop", "api": "api-acme"
    }  # fmt: skip
    for names, said in (
        ({"web": "shop", "api": "shop"}, "same live name"),
        ({"nobody": "x"}, "spec.names.nobody: no such component"),
        ({"web": "api-acme"}, "same live name"),
    ):
        with pytest.raises(Invalid, match=said):
            compile_stack(spec, 1, replace(who, names=names))


def test_a_blueprint_may_leave_out_the_tenants_own_variables():
    assert "TENANT_SLUG" in stack_of(service("web")).resources["web"].env
    assert stack_of(service("web"), tenant_variables=False).resources["web"].env == {}


def test_what_was_taken_over_is_looked_at_before_anything_is_planned_for_it():
    stack = stack_of(service("web", env={"MODE": "live"}), project=False)
    row = row_of(stack.resources["web"], WEB, DesiredState.RUNNING, NOW)
    plan = make_plan(view(stack, row))
    assert plan.actions == () and [wait.message for wait in plan.waits] == ["a close look at what was taken over"]
    looked = replace(row, known=replace(row.known, checked_at=NOW))
    assert [action.verb for action in make_plan(view(stack, looked)).actions] != []


def test_a_commit_that_render_shows_as_live_needs_no_deploy():
    node = {"runtime": "node", "repo": REPO, "startCommand": "x", "buildCommand": "y"}
    stack = stack_of(
        service("web", **node), project=False, source=Source(repo=REPO, commit="4f2a9c1"), tenant_variables=False
    )
    live = replace(WEB, fields={**node, "autoDeployTrigger": "off"})
    row = row_of(stack.resources["web"], live, DesiredState.RUNNING, NOW)

    def planned(commit, status="live"):
        deploy = Deploy(id="dep-1", status=status, commit=commit)
        return make_plan(view(stack, replace(row, known=replace(row.known, checked_at=NOW, deploy=deploy))))

    assert planned("4f2a9c1" + "0" * 33).actions == ()
    assert planned("4f2a9c1" + "0" * 33).settled["web"].applied[COMMIT_MARK] == "4f2a9c1"
    assert [action.reason for action in planned("b" * 40).actions] == ["a new commit"]
    assert [action.reason for action in planned("4f2a9c1" + "0" * 33, "build_failed").actions] == ["a new commit"]
