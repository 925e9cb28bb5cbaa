"""What is planned for a service that exists: one PATCH, one deploy, and only what the spec names."""

from dataclasses import replace

import pytest

from reconciler.core.actions import Verb, WaitReason
from reconciler.core.kinds import Bucket
from reconciler.core.observed import Domain
from reconciler.core.spec import DriftPolicy, Source
from tests.core.builders import REPO, blueprint, env_group, from_service, observed, service, tenant
from tests.core.world import World

NODE = {"runtime": "node", "repo": REPO, "buildCommand": "make", "startCommand": "run"}
SCALING = {"minInstances": 2, "maxInstances": 4, "targetCPUPercent": 70}
DISK = {"name": "data", "mountPath": "/data", "sizeGB": 10}
HEADER, OTHER = ("/*", "X-A", "1"), ("/*", "X-B", "2")
ROUTE, NEWER = ("rewrite", "/a", "/b"), ("rewrite", "/c", "/d")


def up(*services, **spec):
    """A world in which these services stand, quiet."""
    world = World(blueprint(*services, **spec))
    world.converge()
    world.done.clear()
    assert world.plan().empty
    return world


def verbs(actions):
    return [str(action.verb) for action in actions]


def after(world, *services, **spec):
    """The actions that an edit of the Blueprint leads to."""
    world.revises(blueprint(*services, **spec))
    return world.converge()


def waits(world):
    return [(wait.reason, wait.message) for wait in world.plan().waits]


# ---------------------------------------------------------------- one change, one PATCH, one deploy


def test_all_changed_fields_go_into_one_patch_and_one_deploy():
    world = up(service(plan="starter", healthCheckPath="/a"))
    actions = after(world, service(plan="standard", healthCheckPath="/b"))
    assert verbs(actions) == ["update", "deploy"]
    assert dict(actions[0].payload) == {"plan": "standard", "healthCheckPath": "/b"}
    assert actions[0].needs_deploy
    assert (actions[0].usd_before, actions[0].usd_after) == (7, 25)


def test_a_field_variable_and_file_share_one_deploy():
    world = up(service(env={"A": "1"}), files={"web": {"f": "1"}})
    actions = after(world, service(env={"A": "2"}, plan="standard"), files={"web": {"f": "2"}})
    assert verbs(actions) == ["update", "set-env", "set-files", "deploy"]


def test_what_render_applies_at_once_deploys_nothing():
    world = up(service(env={"A": "1"}, numInstances=1))
    assert verbs(after(world, service(env={"A": "1"}, numInstances=2, maintenanceMode={"enabled": True}))) == [
        "update",
        "scale",
    ]


def test_prices_of_a_plan_and_a_count_that_change_together_add_up():
    world = up(service(plan="starter", numInstances=1))
    world.revises(blueprint(service(plan="standard", numInstances=2)))
    plan = world.plan()
    assert (plan.usd_before, plan.usd_after) == (7, 50)


@pytest.mark.parametrize("kind", ["cron", "web"])
def test_each_kind_spends_its_own_budget(kind):
    world = up(service("x", kind, plan="starter"))
    world.revises(blueprint(service("x", kind, plan="standard")))
    assert world.plan().actions[0].bucket is (Bucket.CRON if kind == "cron" else Bucket.SERVICE)


# ---------------------------------------------------------------- variables


def test_a_change_of_variables_is_one_put_of_what_differs():
    world = up(service(env={"A": "1", "B": "1", "C": "1"}))
    put, deploy = after(world, service(env={"A": "2", "B": "1", "D": "1"}))
    assert (sorted(put.values), put.removes, deploy.verb) == (["A", "D"], ("C",), Verb.DEPLOY)
    assert [(one.field, one.after) for one in put.changes] == [
        ("variable A", "as in the spec"),
        ("variable D", "as in the spec"),
        ("variable C", "removed"),
    ]
    assert put.reason == "the spec changed"


def test_a_variable_whose_secret_lost_its_value_stays_as_it_is():
    world = up(service(env={"A": "1"}))
    world.revises(blueprint(service(env={"A": "2", "KEY": None})))
    world.gives(KEY="k")
    world.converge()
    world.secrets.clear()
    world.becomes(overrides={"web": {"plan": "pro"}})
    assert world.converge() == [], "nothing goes out without its secret"
    assert world.env[world.owned["web"].id]["KEY"] == "k"
    assert (WaitReason.SECRET, "secret KEY (web) has no value") in waits(world)


def test_a_secret_file_whose_value_is_unknown_stays_as_it_is():
    world = up(service(), files={"web": {"f": "as it was"}})
    world.revises(blueprint(service(), service("api"), files={"web": {"f": "${host.api}"}}))
    world.said = {"conflicts": {"api": observed(component="api", id="foreign")}}
    assert world.converge() == []
    assert world.files[world.owned["web"].id] == {"f": "as it was"}
    assert (WaitReason.DEPENDENCY, "the values of secret files") in waits(world)
    world.said = {}
    assert verbs(world.converge()) == ["create", "set-files", "deploy"]


def test_a_late_variable_is_set_once_the_circle_is_closed_and_deployed_once():
    one = service("a", env={"B": from_service("b", "hostport")})
    two = service("b", env={"A": from_service("a", "hostport")})
    world = World(blueprint(one, two))
    world.converge()
    assert world.deploys == {"a": 2, "b": 1}
    assert world.running["a"]["B"] == "b-acme:10000"
    assert world.running["b"]["A"] == "a-acme:10000"


def test_nothing_deploys_while_a_late_value_is_still_unknown():
    one = service("a", env={"B": from_service("b", "hostport"), "X": "1"})
    two = service("b", env={"A": from_service("a", "hostport")})
    world = World(blueprint(one, two))
    world.said = {"conflicts": {"b": observed(component="b", id="foreign")}}
    world.converge()
    assert set(world.owned) == {"@project", "@environment", "a"}
    world.becomes(env={"a": {"X": "2"}})
    assert verbs(world.converge()) == ["set-env"]
    assert (WaitReason.DEPENDENCY, "the values of B") in waits(world)
    world.said = {}
    world.converge()
    assert world.deploys["a"] == 2
    assert (world.running["a"]["X"], world.running["a"]["B"]) == ("2", "b-acme:10000")


# ---------------------------------------------------------------- env groups


def test_the_first_create_carries_group_variables_then_the_link_then_the_copies_go_without_a_deploy():
    world = World(blueprint(service(groups=("shared",), env={"OWN": "1"}), groups=[env_group(A="1", OWN="group")]))
    actions = [action for action in world.converge() if action.component == "web"]
    assert verbs(actions) == ["create", "link-group", "set-env"]
    create, link, removal = actions
    assert {"A", "OWN"} <= set(create.values)
    assert create.values["OWN"] == ("1",), "a service's own variable wins"
    assert not link.needs_deploy
    assert (removal.removes, removal.needs_deploy) == (("A",), False)
    assert world.deploys == {"web": 1}
    assert world.running["web"]["A"] == "1"


def test_of_two_groups_the_newer_wins_from_the_first_deploy_on():
    groups = [env_group("one", A="1"), env_group("two", A="2")]
    world = World(blueprint(service(groups=("one", "two")), groups=groups))
    world.converge()
    assert world.running["web"]["A"] == "2"


def test_a_group_variable_changes_once_and_its_services_deploy_once_afterwards():
    world = up(service(groups=("shared",)), groups=[env_group(A="1", B="1")])
    actions = after(world, service(groups=("shared",)), groups=[env_group(A="2", C="3")])
    assert verbs(actions) == ["set-group-var", "set-group-var", "remove-group-var", "deploy"]
    assert (world.deploys["web"], world.running["web"]["A"], "B" in world.running["web"]) == (2, "2", False)


def test_the_deploy_of_a_change_waits_for_the_group_it_uses():
    world = up(service(groups=("shared",), plan="starter"), groups=[env_group(A="1")])
    world.revises(blueprint(service(groups=("shared",), plan="standard"), groups=[env_group(A="2")]))
    assert sorted(verbs(world.round())) == ["set-group-var", "update"]
    assert verbs(world.converge()) == ["deploy"]


def test_a_group_variable_that_closes_a_circle_comes_after_its_services():
    world = World(blueprint(service(groups=("shared",)), groups=[env_group(URL="${url.web}", A="1")]))
    world.converge()
    assert world.running["web"]["URL"] == "https://web-acme.onrender.com"
    assert world.deploys["web"] == 2
    assert world.plan().empty


def test_a_group_variable_whose_secret_lost_its_value_stays():
    world = World(blueprint(service(groups=("shared",)), groups=[env_group(KEY=None)]))
    world.gives(KEY="k")
    world.converge()
    world.secrets.clear()
    assert world.converge() == []
    assert world.env[world.owned["shared"].id] == {"KEY": "k"}


def test_a_group_that_is_not_named_any_more_is_unlinked_deleted_and_the_service_deployed():
    world = up(service(groups=("shared",)), groups=[env_group(A="1")])
    assert verbs(after(world, service())) == ["unlink-group", "delete", "deploy"]
    assert "A" not in world.running["web"]
    assert world.plan().empty


def test_a_group_that_somebody_unlinked_before_it_was_no_longer_named_needs_no_call():
    world = up(service(groups=("shared",)), groups=[env_group(A="1")])
    world.human("shared", links=[])
    assert after(world, service(), groups=[env_group(A="1")]) == []


def test_a_new_link_to_a_group_needs_a_deploy():
    world = up(service(), groups=[env_group(A="1")])
    assert verbs(after(world, service(groups=("shared",)), groups=[env_group(A="1")])) == ["link-group", "deploy"]


# ---------------------------------------------------------------- commits


def test_a_pinned_commit_is_deployed_once_after_the_create_and_once_when_it_changes():
    pinned = Source(repo=REPO, commit="aaa1111")
    world = World(blueprint(service(**NODE), source=pinned))
    deploys = [action for action in world.converge() if action.verb is Verb.DEPLOY]
    assert [dict(action.payload) for action in deploys] == [{"commitId": "aaa1111"}]
    (deploy,) = after(world, service(**NODE), source=Source(repo=REPO, commit="bbb2222"))
    assert (deploy.payload["commitId"], deploy.reason) == ("bbb2222", "a new commit")
    assert [(one.before, one.after) for one in deploy.changes] == [("aaa1111", "bbb2222")]
    assert world.converge() == []


def test_a_cron_jobs_commit_cannot_be_chosen_so_a_new_one_deploys_its_branch_once():
    world = up(service("x", "cron", **NODE), source=Source(repo=REPO, commit="aaa1111"))
    assert world.deploys == {"x": 1}
    (deploy,) = after(world, service("x", "cron", **NODE), source=Source(repo=REPO, commit="bbb2222"))
    assert (deploy.verb, dict(deploy.payload)) == (Verb.DEPLOY, {})
    assert world.converge() == []


def test_a_change_and_a_new_commit_are_one_deploy():
    world = up(service(plan="starter", **NODE), source=Source(repo=REPO, commit="aaa1111"))
    actions = after(world, service(plan="standard", **NODE), source=Source(repo=REPO, commit="bbb2222"))
    assert verbs(actions) == ["update", "deploy"]


def test_the_initial_hook_runs_once_after_the_first_deploy():
    world = World(blueprint(service(initialDeployHook="seed")))
    actions = world.converge()
    assert verbs(actions)[-1] == "run-job"
    assert actions[-1].payload == {"startCommand": "seed"}
    assert world.converge() == []


# ---------------------------------------------------------------- size


def test_autoscaling_comes_changes_and_goes():
    world = up(service(numInstances=1))
    (on,) = after(world, service(scaling=SCALING))
    assert (on.verb, on.payload) == (Verb.SET_AUTOSCALING, {"min": 2, "max": 4, "cpu": 70, "memory": None})
    assert (on.usd_before, on.usd_after) == (7, 14)
    (changed,) = after(world, service(scaling={**SCALING, "maxInstances": 5}))
    assert changed.verb is Verb.SET_AUTOSCALING
    (off,) = after(world, service())
    assert (off.verb, off.usd_before, off.usd_after) == (Verb.REMOVE_AUTOSCALING, 14, 7)
    assert world.plan().empty


def test_from_autoscaling_back_to_a_count_takes_both_calls():
    world = up(service(scaling=SCALING))
    assert verbs(after(world, service(numInstances=3))) == ["remove-autoscaling", "scale"]


def test_with_autoscaling_on_the_running_count_is_not_ours():
    world = up(service(scaling=SCALING))
    world.human("web", numInstances=4)
    assert world.plan().empty


def test_autoscaling_somebody_turned_on_takes_a_named_count_away_and_is_drift():
    world = up(service(numInstances=2))
    world.human("web", autoscaling={"min": 1, "max": 9, "cpu": 50, "memory": None})
    assert verbs(world.converge()) == ["remove-autoscaling"]
    told = up(service(numInstances=2), drift=DriftPolicy.REPORT)
    told.human("web", autoscaling={"min": 1, "max": 9, "cpu": 50, "memory": None})
    assert told.converge() == []
    assert told.plan().unhealed == ("web: autoscaling none -> 1 to 9 at cpu 50 %",)
    other = up(service())
    other.human("web", autoscaling={"min": 1, "max": 9, "cpu": 50, "memory": None}, numInstances=4)
    assert other.plan().empty, "neither is named by the spec"


def test_a_count_that_somebody_set_first_is_ours_from_then_on():
    world = up(service(numInstances=1), drift=DriftPolicy.REPORT)
    world.human("web", numInstances=2)
    assert after(world, service(numInstances=2), drift=DriftPolicy.REPORT) == []
    world.human("web", numInstances=3)
    assert world.converge() == []
    assert world.plan().drift == ("web: numInstances 2 -> 3",)


# ---------------------------------------------------------------- disks


def test_a_disk_is_attached_with_one_deploy_and_grown_without():
    world = up(service())
    assert verbs(after(world, service(disk=DISK))) == ["add-disk", "deploy"]
    (grown,) = after(world, service(disk={**DISK, "sizeGB": 20}))
    assert (grown.verb, grown.payload) == (Verb.CHANGE_DISK, {"diskId": "dsk-1", "sizeGB": 20})
    assert grown.usd_after - grown.usd_before == world.view().book.rates["disk_gb_month"] * 10
    assert verbs(after(world, service(disk={**DISK, "sizeGB": 20, "mountPath": "/x"}))) == ["change-disk", "deploy"]


def test_a_disk_cannot_shrink_and_says_so():
    world = up(service(disk=DISK))
    assert after(world, service(disk={**DISK, "sizeGB": 5})) == []
    (wait,) = world.plan().waits
    assert (wait.reason, wait.message) == (WaitReason.IMMUTABLE, "the disk of web cannot shrink: 10 GB -> 5 GB")
    assert wait.you == "write sizeGB: 10 or more"


def test_a_disk_that_somebody_grew_is_reported_and_kept():
    world = up(service(disk=DISK))
    world.human("web", disk={"id": "dsk-1", **DISK, "sizeGB": 50})
    assert world.converge() == []
    assert world.plan().unhealed == ("web: disk.sizeGB 10 -> 50; Render cannot shrink it",)


def test_a_disk_that_is_no_longer_named_stays_until_the_tenant_allows_its_loss():
    world = up(service(disk=DISK))
    assert after(world, service()) == []
    (wait,) = world.plan().waits
    assert (wait.reason, wait.message) == (WaitReason.DATA_LOSS, "removing the disk of web would lose its data")
    assert "allowDataLoss" in wait.you
    world.becomes(allow_data_loss=("web",))
    (removed,) = world.converge()
    assert (removed.verb, removed.notes) == (Verb.REMOVE_DISK, ("its data is lost",))
    assert world.plan().empty


def test_a_disk_that_somebody_deleted_is_not_replaced_by_an_empty_one():
    world = up(service(disk=DISK))
    world.human("web", disk=None)
    assert world.converge() == []
    plan = world.plan()
    assert plan.unhealed == ("web: its disk was deleted at Render",)
    assert [wait.reason for wait in plan.waits] == [WaitReason.DATA_LOSS]
    world.becomes(allow_data_loss=("web",))
    assert verbs(world.converge()) == ["add-disk", "deploy"]


def test_a_disk_that_nobody_named_is_not_ours():
    world = up(service())
    world.human("web", disk={"id": "dsk-9", **DISK})
    assert world.plan().empty


# ---------------------------------------------------------------- what cannot change


def test_a_region_cannot_change_once_it_is_built_whoever_moved_it():
    world = up(service(region="oregon", plan="starter"))
    world.becomes(region="frankfurt")
    assert world.converge() == []
    (wait,) = world.plan().waits
    assert wait.reason is WaitReason.IMMUTABLE
    assert wait.message == "region of web cannot be changed once it is built: oregon -> frankfurt"


def test_the_rest_of_an_edit_goes_through_beside_what_cannot_change():
    world = up(service(region="oregon", plan="starter"))
    assert verbs(after(world, service(region="frankfurt", plan="standard"))) == ["update", "deploy"]


def test_a_component_cannot_become_another_kind():
    world = up(service("x", "web"))
    assert after(world, service("x", "worker")) == []
    (wait,) = world.plan().waits
    assert wait.message == "x cannot turn from web service into worker"
    assert wait.you == "give the new worker another name in the Blueprint"


def test_a_new_naming_renames_and_is_no_drift():
    world = up(service())
    (renamed,) = after(world, service(), naming="{tenant}-{component}")
    assert (renamed.payload, renamed.reason) == ({"name": "acme-web"}, "the spec changed")
    assert world.plan().empty


# ---------------------------------------------------------------- domains


def test_domains_are_added_and_those_no_longer_named_removed():
    world = up(service(domains=["a.example.com"]))
    actions = after(world, service(domains=["b.example.com"]))
    assert [(a.verb, a.payload["name"]) for a in actions] == [
        (Verb.ADD_DOMAIN, "b.example.com"),
        (Verb.REMOVE_DOMAIN, "a.example.com"),
    ]
    assert actions[0].bucket is Bucket.DOMAIN


@pytest.mark.parametrize(("ours", "twin"), [("example.com", "www.example.com"), ("www.example.com", "example.com")])
def test_the_twin_that_render_adds_is_neither_drift_nor_left_behind(ours, twin):
    world = up(service(domains=[ours]))
    world._know(world.owned["web"], domains=(Domain(name=ours), Domain(name=twin, redirect_for=ours)))
    assert world.plan().empty and not world.plan().drift
    actions = after(world, service())
    assert [action.payload["name"] for action in actions] == [twin, ours]
    assert world.plan().empty and not world.plan().drift


# ---------------------------------------------------------------- headers and routes


def site(**rules):
    headers = [dict(zip(("path", "name", "value"), rule, strict=True)) for rule in rules.get("headers", ())]
    routes = [dict(zip(("type", "source", "destination"), rule, strict=True)) for rule in rules.get("routes", ())]
    said = {word: entries for word, entries in (("headers", headers), ("routes", routes)) if word in rules}
    return service("site", "static", **said)


def test_rules_are_sent_as_whole_lists_and_nothing_deploys():
    world = up(site(headers=[HEADER], routes=[ROUTE]))
    actions = after(world, site(headers=[HEADER, OTHER], routes=[NEWER, ROUTE]))
    assert verbs(actions) == ["set-headers", "set-routes"]
    assert actions[0].payload == {"headers": [list(HEADER), list(OTHER)]}
    assert actions[1].payload == {"routes": [list(NEWER), list(ROUTE)]}


def test_rules_that_are_no_longer_named_go_and_foreign_ones_stay():
    world = up(site(headers=[HEADER]))
    world.human_rules("site", headers=[HEADER, OTHER])
    assert world.plan().drift == ("site: header:/* X-B was added",)
    (action,) = after(world, site())
    assert action.payload == {"headers": [list(OTHER)]}
    assert action.reason == "the spec changed"
    assert world.converge() == []


def test_the_order_of_headers_means_nothing_that_of_routes_does():
    world = up(site(headers=[HEADER, OTHER], routes=[ROUTE, NEWER]))
    world.human_rules("site", headers=[OTHER, HEADER])
    assert world.plan().empty and not world.plan().drift
    world.human_rules("site", routes=[NEWER, ROUTE])
    (action,) = world.converge()
    assert (action.verb, action.reason) == (Verb.SET_ROUTES, "drift")


def test_rules_on_a_site_that_names_none_are_reported_and_removed_only_if_strict():
    world = up(site())
    world.human_rules("site", routes=[ROUTE])
    assert world.converge() == []
    assert world.plan().drift == ("site: route:/a was added",)
    strict = up(site(), drift=DriftPolicy.STRICT)
    strict.human_rules("site", routes=[ROUTE])
    (action,) = strict.converge()
    assert (action.payload, action.reason) == ({"routes": []}, "drift")


# ---------------------------------------------------------------- what stops


def test_an_update_that_changes_nothing_twice_stops_and_names_the_field():
    world = up(service(plan="starter"))
    world.dead_writes = frozenset({"plan"})
    updates = [one for one in after(world, service(plan="standard")) if one.verb is Verb.UPDATE]
    assert len(updates) == 2
    (wait,) = world.plan().waits
    assert wait.reason is WaitReason.GUARD
    assert wait.message == "Render accepted plan of web 2 times and did not change it"
    assert "reconciler reconcile acme" in wait.you


def test_another_value_is_a_new_question():
    world = up(service(plan="starter"))
    world.dead_writes = frozenset({"plan"})
    after(world, service(plan="standard"))
    world.dead_writes = frozenset()
    assert verbs(after(world, service(plan="pro"))) == ["update", "deploy"]
    assert world.plan().empty


def test_a_name_that_render_will_not_take_stops_too():
    world = up(service())
    world.dead_writes = frozenset({"name"})
    assert len(after(world, service(), naming="x-{component}-{tenant}")) == 2


def interfere(world, how, times=6):
    """Let somebody change something back every few minutes; answer how often it was healed."""
    healed = 0
    for _ in range(times):
        how(world)
        healed += any(action.reason == "drift" for action in world.converge())
        world.step(minutes=4)
    how(world)
    return healed


MEDDLING = {
    "plan": (lambda w: w.human("web", plan="pro"), "plan"),
    "count": (lambda w: w.human("web", numInstances=7), "numInstances"),
    "variable": (lambda w: w.human_env("web", A="x"), "variable A"),
    "file": (lambda w: w.human_files("web", f="x"), "secret file f"),
    "domain": (lambda w: w.human_domains("web"), "domain a.example.com"),
    "group variable": (lambda w: w.human_env("shared", G="x"), "variable G"),
    "suspension": (lambda w: w.human_suspends("web"), "state"),
    "membership": (lambda w: w.human_moves_out("web"), "web environment"),
    "name": (lambda w: w.human_renames("web", "other"), "name"),
    "link": (lambda w: w.human("shared", links=[]), "env group shared"),
    "headers": (lambda w: w.human_rules("site", headers=[]), "headers"),
    "routes": (lambda w: w.human_rules("site", routes=[]), "routes"),
}


@pytest.mark.parametrize("what", MEDDLING)
def test_healed_three_times_within_an_hour_it_stops_and_says_that_somebody_interferes(what):
    how, name = MEDDLING[what]
    one = service(plan="starter", numInstances=1, env={"A": "1"}, groups=("shared",), domains=["a.example.com"])
    world = up(
        one,
        site(headers=[HEADER], routes=[ROUTE]),
        groups=[env_group(G="1")],
        files={"web": {"f": "1"}},
    )
    assert interfere(world, how) == 3
    plan = world.plan()
    messages = [wait.message for wait in plan.waits]
    assert any(f"somebody keeps changing {name} of " in one for one in messages), messages
    assert plan.unhealed
    world.step(hours=1)
    assert any(action.reason == "drift" for action in world.converge()), "an hour later it is tried again"


def test_what_comes_back_now_and_then_is_healed_for_ever():
    world = up(service(plan="starter"))
    for _ in range(6):
        world.human("web", plan="pro")
        assert "update" in verbs(world.converge())
        world.step(minutes=25)


def test_a_live_object_nobody_has_seen_yet_is_left_alone():
    world = up(service(plan="starter"))
    world.owned["web"] = replace(world.owned["web"], observed=None)
    world.revises(blueprint(service(plan="pro")))
    assert [one for one in world.plan().actions if one.component == "web"] == []


def test_tenants_own_words_change_only_their_own_stack():
    world = up(service(env={"A": "1"}))
    world.tenant = tenant(env={"web": {"A": "2"}})
    assert verbs(world.converge()) == ["set-env", "deploy"]
