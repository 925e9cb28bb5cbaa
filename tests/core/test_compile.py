"""Blueprint + tenant -> Stack: names, defaults, layers, sources, addresses; and all that is refused, at once."""

import pytest

from reconciler.core.compile import check, compile_stack
from reconciler.core.errors import Invalid
from reconciler.core.kinds import ENVIRONMENT, PROJECT, Kind
from reconciler.core.spec import Param, ParamType, Ready, Source, Tier
from reconciler.core.values import Live, SecretRef
from tests.core.builders import (
    GENERATED,
    REPO,
    SHARED,
    blueprint,
    database,
    document,
    env_group,
    from_database,
    from_service,
    service,
    stack_of,
    tenant,
    variables,
)

NODE = {"runtime": "node", "buildCommand": "make", "startCommand": "run"}
HOSTILE = "Acme; rm -rf /"


def problems(*services, who=None, **spec):
    """Every problem of compiling, as lines."""
    with pytest.raises(Invalid) as caught:
        stack_of(*services, who=who, **spec)
    return [str(problem) for problem in caught.value.problems]


def only_problem(*services, **spec):
    found = problems(*services, **spec)
    assert len(found) == 1, found
    return found[0]


def env_of(stack, key="web"):
    return {name: value for name, value in stack.resources[key].env.items() if not name.startswith("TENANT_")}


# ---------------------------------------------------------------- the shape of a stack


def test_every_tenant_gets_a_project_with_one_environment_and_everything_is_created_in_it():
    stack = stack_of(service(), databases=[database()])
    assert list(stack.resources) == [PROJECT, ENVIRONMENT, "db", "web"]
    assert stack.resources[PROJECT].name == "acme"
    assert stack.resources[ENVIRONMENT].name == "production"
    assert all(ENVIRONMENT in stack.resources[key].after for key in ("db", "web"))


def test_the_project_can_be_switched_off():
    stack = stack_of(service(), project=False)
    assert list(stack.resources) == ["web"]
    assert stack.resources["web"].after == frozenset()


def test_names_services_and_what_every_service_knows_of_its_tenant():
    stack = stack_of(service(), databases=[database()], who=tenant(display_name="Acme, Inc."))
    assert (stack.resources["web"].name, stack.resources["db"].name) == ("web-acme", "db-acme")
    assert stack.resources["web"].env == {"TENANT_SLUG": ("acme",), "TENANT_NAME": ("Acme, Inc.",)}
    assert stack.resources["db"].env == {}


def test_what_a_template_says_of_its_tenant_wins_over_what_we_would_say():
    assert stack_of(service(env={"TENANT_NAME": "x"})).resources["web"].env["TENANT_NAME"] == ("x",)


def test_plans_nobody_named_are_defaults_sent_once_and_not_owned():
    stack = stack_of(service(), databases=[{"name": "db"}])
    assert "plan" not in stack.resources["web"].fields
    assert stack.resources["web"].defaults == {"plan": "starter"}
    assert stack.resources["db"].defaults == {"plan": "basic_256mb", "version": "18"}


def test_scaling_becomes_autoscaling_with_its_minimum_as_the_first_count():
    one = service(scaling={"minInstances": 2, "maxInstances": 3, "targetCPUPercent": 70})
    resource = stack_of(one).resources["web"]
    assert resource.fields["autoscaling"] == {"min": 2, "max": 3, "cpu": 70, "memory": None}
    assert resource.defaults["numInstances"] == 2
    assert "scaling" not in resource.fields


def test_rules_domains_and_the_hook_leave_the_fields():
    site = service(
        "site",
        "static",
        headers=[{"path": "/*", "name": "X-A", "value": "b"}],
        routes=[{"type": "rewrite", "source": "/*", "destination": "/i.html"}],
        domains=["a.example.com"],
    )
    stack = stack_of(site, service(initialDeployHook="seed"), who=tenant(domains={"site": ("b.example.com",)}))
    resource = stack.resources["site"]
    assert resource.headers == (("/*", "X-A", "b"),)
    assert resource.routes == (("rewrite", "/*", "/i.html"),)
    assert resource.domains == ("a.example.com", "b.example.com")
    assert not {"headers", "routes", "domains"} & resource.fields.keys()
    assert stack.resources["web"].initial_deploy_hook == "seed"
    assert stack.resources["web"].headers is None


def test_the_environments_switches_are_the_environments_fields():
    template = {
        "projects": [
            {
                "name": "p",
                "environments": [
                    {
                        "name": "live",
                        "services": [service()],
                        "networking": {"isolation": "enabled"},
                        "permissions": {"protection": "disabled"},
                    }
                ],
            }
        ]
    }
    fields = stack_of(template=template).resources[ENVIRONMENT].fields
    assert fields == {"networkIsolationEnabled": True, "protectedStatus": "unprotected"}


def test_the_entrypoint_is_the_one_named_or_the_only_public_one():
    assert stack_of(service()).entrypoint == "web"
    assert stack_of(service(), service("site", "static")).entrypoint == ""
    named = stack_of(service(), service("site", "static"), entrypoint="site", ready=Ready(path="/up", within_s=60))
    assert (named.entrypoint, named.ready_path, named.ready_within_s) == ("site", "/up", 60)


# ---------------------------------------------------------------- layers


def test_the_layers_lie_in_this_order_template_blueprint_tier_overrides_tenant():
    one = service(env={"A": "template", "B": "template", "C": "template"}, plan="starter")
    stack = stack_of(
        one,
        env={"*": {"B": "blueprint", "C": "blueprint"}},
        tiers={"pro": Tier(patch={"web": {"plan": "standard", "numInstances": 2}})},
        who=tenant(tier="pro", overrides={"web": {"plan": "pro"}}, env={"web": {"C": "tenant"}}),
    )
    assert env_of(stack) == {"A": ("template",), "B": ("blueprint",), "C": ("tenant",)}
    assert (stack.resources["web"].fields["plan"], stack.resources["web"].fields["numInstances"]) == ("pro", 2)


def test_a_region_overrides_every_region_but_a_static_sites():
    stack = stack_of(
        service(region="oregon"),
        service("site", "static"),
        databases=[database()],
        groups=[env_group(A="1")],
        who=tenant(region="frankfurt"),
    )
    regions = {key: one.fields.get("region") for key, one in stack.resources.items() if not key.startswith("@")}
    assert regions == {"db": "frankfurt", "shared": None, "web": "frankfurt", "site": None}


@pytest.mark.parametrize(
    ("source", "fields", "commit"),
    [
        (Source(repo=REPO, branch="main"), {"repo": REPO, "branch": "main"}, ""),
        (Source(repo=REPO, commit="4f2a9c1"), {"repo": REPO, "autoDeployTrigger": "off"}, "4f2a9c1"),
    ],
)
def test_services_that_name_no_code_take_the_blueprints_source(source, fields, commit):
    resource = stack_of(service(**NODE), source=source).resources["web"]
    assert fields.items() <= resource.fields.items()
    assert resource.commit == commit


def test_an_image_of_the_blueprint_replaces_all_that_belongs_to_a_build():
    one = service(**NODE, buildFilter={"paths": ["a/**"]})
    fields = stack_of(one, source=Source(image="acme/app:2")).resources["web"].fields
    assert fields == {"runtime": "image", "imagePath": "docker.io/acme/app:2"}


@pytest.mark.parametrize("repo", [REPO, f"{REPO}.git", f"{REPO}/", "https://github.com/Acme/CRM"])
def test_a_pinned_commit_is_the_commit_of_every_service_of_that_repository_however_it_is_spelled(repo):
    stack = stack_of(service(repo=repo, **NODE), source=Source(repo=REPO, commit="4f2a9c1"))
    resource = stack.resources["web"]
    assert (resource.commit, resource.fields["autoDeployTrigger"]) == ("4f2a9c1", "off")


def test_a_pinned_commit_says_nothing_about_another_repository_an_image_or_a_datastore():
    stack = stack_of(
        service(repo="https://github.com/acme/other", **NODE),
        service("pulled"),
        databases=[database()],
        source=Source(repo=REPO, commit="4f2a9c1"),
    )
    assert {one.commit for one in stack.resources.values()} == {""}


def test_a_service_without_any_code_is_refused():
    found = only_problem(service(**NODE))
    assert found.startswith("services[0]: names neither repo nor image")
    assert "spec.source" in found
    assert "neither repo nor image" in only_problem(
        {"type": "web", "name": "site", "runtime": "static"}, source=Source(image="acme/app")
    )


# ---------------------------------------------------------------- addresses inside fields


def test_an_address_inside_a_field_waits_for_the_component_it_names():
    one = service(healthCheckPath="/up/${host.api}")
    before = compile_stack(blueprint(one, service("api")), 1, tenant())
    assert "healthCheckPath" not in before.resources["web"].fields
    assert "api" in before.resources["web"].after
    after = stack_of(one, service("api"), live={("api", "externalHostname"): "api.example.com"})
    assert after.resources["web"].fields["healthCheckPath"] == "/up/api.example.com"


def test_expressions_reach_into_lists_and_mappings():
    one = service(**NODE, repo=REPO, buildFilter={"paths": ["${params.folder}/**", "${host.api}"]})
    params = {"folder": Param(default="src")}
    known = {("api", "externalHostname"): "a"}
    fields = stack_of(one, service("api"), params=params, live=known).resources["web"].fields
    assert fields["buildFilter"] == {"paths": ["src/**", "a"]}
    assert "buildFilter" not in stack_of(one, service("api"), params=params).resources["web"].fields


def test_a_field_cannot_hold_its_own_address_and_two_cannot_hold_each_others():
    assert any("its own address" in one for one in problems(service(healthCheckPath="/${host.web}")))
    circle = [service(healthCheckPath="/${host.api}"), service("api", healthCheckPath="/${host.web}")]
    assert "need each other" in only_problem(*circle)


# ---------------------------------------------------------------- secret files


def test_secret_files_hold_text_secrets_and_addresses_and_wait_for_what_they_name():
    stack = stack_of(
        service(env={"KEY": None}),
        service("search", "pserv"),
        files={"web": {"app.ini": "host=${host.search}\nkey=${secrets.KEY}"}},
        secrets={"KEY": GENERATED},
    )
    resource = stack.resources["web"]
    assert resource.files == {"app.ini": ("host=", Live("search", "host"), "\nkey=", SecretRef("KEY"))}
    assert "search" in resource.after
    assert stack.secrets == {SecretRef("KEY"): ("web",)}


def test_secret_files_that_name_each_others_services_are_a_circle_nobody_can_build():
    found = only_problem(
        service("a", "pserv"), service("b", "pserv"), files={"a": {"f": "${host.b}"}, "b": {"f": "${host.a}"}}
    )
    assert "a and b need each other" in found or "b and a need each other" in found


def test_a_secret_file_cannot_hold_the_address_of_its_own_service():
    assert "need each other" in only_problem(service(), files={"web": {"f": "${host.web}"}})


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"who": tenant(tier="gold"), "tiers": {"pro": Tier()}}, 'spec.tier: crm has no tier "gold"; it has pro'),
        ({"who": tenant(tier="gold")}, 'spec.tier: crm has no tier "gold"; it has none'),
        ({"tiers": {"pro": Tier()}}, "spec.tier: crm needs a tier; it has pro"),
        ({"who": tenant(params={"x": 1})}, "spec.params.x: crm has no such parameter; it has: none"),
        ({"who": tenant(env={"x": {}})}, 'spec.env.x: no such component, found "x"; it has: web'),
        ({"who": tenant(env={"db": {}}), "databases": [database()]}, "spec.env.db: a postgres has no env variables"),
        ({"who": tenant(overrides={"x": {}})}, 'spec.overrides.x: no such component, found "x"; it has: web'),
        ({"who": tenant(overrides={"web": {"plam": "pro"}})}, "spec.overrides.web.plam: unknown field"),
        ({"who": tenant(domains={"x": ("a.b",)})}, 'spec.domains.x: no such component, found "x"'),
        ({"who": tenant(domains={"db": ("a.b",)}), "databases": [database()]}, "a postgres has no custom domains"),
        ({"files": {"x": {"a": "b"}}}, 'spec: no such component, found "x"; it has: web'),
        ({"entrypoint": "db", "databases": [database()]}, "spec.entrypoint: names no web service or static site"),
        ({"naming": "{tenant}", "databases": [database()]}, "spec.naming: two components would get the same live name"),
        ({"env": {"web": {"A": "${tenant.nam}"}}}, "unknown name in ${tenant.}"),
    ],
)
def test_what_is_wrong_with_a_spec_is_one_message_with_its_place(spec, told):
    assert told in only_problem(service(), **spec)


def test_data_of_a_component_that_left_the_blueprint_may_be_allowed_to_go():
    stack = stack_of(service(), who=tenant(allow_data_loss=("web", "db")))
    assert [str(one) for one in stack.warnings] == [
        'spec.allowDataLoss: names no component of the Blueprint, found "db"; '
        "right while one that left it is deleted; remove the name afterwards"
    ]


@pytest.mark.parametrize(("length", "fits"), [(59, True), (60, False)])
def test_a_host_name_has_at_most_63_characters(length, fits):
    who = tenant("t" * length)
    if fits:
        assert len(stack_of(service(), who=who).resources["web"].name) == 63
    else:
        assert "64 characters, a host name has at most 63" in only_problem(service(), who=who)


def test_only_services_have_host_names():
    assert stack_of(
        databases=[database("d" * 30)], template=document(databases=[database("d" * 30)]), who=tenant("t" * 40)
    )


def test_a_group_that_is_not_there_names_the_groups_that_are():
    found = only_problem(service(groups=("other",)), groups=[env_group(A="1")])
    assert "services[0].envVars.fromGroup.other: fromGroup names no group" in found
    assert "define it under envVarGroups, or name one that is there: shared" in found


def test_everything_wrong_is_reported_at_once_and_once():
    found = problems(service(env={"A": "${params.x}", "B": "${url.y}"}), who=tenant(tier="gold", params={"z": 1}))
    assert len(found) == len(set(found)) == 4


# ---------------------------------------------------------------- shells


@pytest.mark.parametrize("field", ["buildCommand", "startCommand", "preDeployCommand", "initialDeployHook"])
def test_words_of_a_customer_that_a_shell_would_read_are_refused_in_commands(field):
    one = service(**{**NODE, "repo": REPO, field: "run --name ${tenant.displayName}"})
    assert "a shell would interpret" in only_problem(one, who=tenant(display_name=HOSTILE))
    assert stack_of(one, who=tenant(display_name="acme"))


def test_parameters_in_commands_are_held_to_the_same():
    one = service(runtime="docker", repo=REPO, dockerCommand="run ${params.title} ${params.n}")
    params = {"title": Param(), "n": Param(type=ParamType.INTEGER)}
    assert "params.title" in only_problem(one, params=params, who=tenant(params={"title": "$(id)", "n": 3}))
    stack = stack_of(one, params=params, who=tenant(params={"title": "fine", "n": 3}))
    assert stack.resources["web"].fields["dockerCommand"] == "run fine 3"


def test_an_escaped_expression_is_the_shells_own_and_nobody_elses():
    one = service(**{**NODE, "repo": REPO, "startCommand": "run $${tenant.displayName} ${PORT:-1}"})
    fields = stack_of(one, who=tenant(display_name=HOSTILE)).resources["web"].fields
    assert fields["startCommand"] == "run ${tenant.displayName} ${PORT:-1}"


def test_the_same_words_are_harmless_in_a_variable():
    stack = stack_of(service(env={"A": "${tenant.displayName}"}), who=tenant(display_name=HOSTILE))
    assert env_of(stack) == {"A": (HOSTILE,)}


# ---------------------------------------------------------------- check


def test_a_blueprint_is_checked_for_every_tier_and_environment_without_a_tenant():
    live, test = ({"name": name, "services": [service()]} for name in ("live", "test"))
    template = {"projects": [{"name": "p", "environments": [live, test]}]}
    good = blueprint(template=template, tiers={"pro": Tier(patch={"web": {"plan": "pro"}})})
    assert check(good) == ()
    bad = blueprint(
        template=template,
        params={"size": Param(required=True, enum=("s", "m")), "seats": Param(type=ParamType.INTEGER, required=True)},
        tiers={"pro": Tier(patch={"wep": {}}), "max": Tier(patch={"web": {"plan": "huge!"}})},
    )
    found = [str(problem) for problem in check(bad)]
    assert len(found) == 2, found
    assert "spec.tiers.pro.patch.wep" in found[0]
    assert "spec.tiers.max.patch.web.plan" in found[1]


def test_a_tenant_chooses_one_of_several_environments():
    one, two = ({"name": name, "services": [service(name)]} for name in ("live", "test"))
    made = blueprint(template={"projects": [{"name": "p", "environments": [one, two]}]})
    assert "test" in compile_stack(made, 1, tenant(environment="test")).resources
    with pytest.raises(Invalid):
        compile_stack(made, 1, tenant())


# ---------------------------------------------------------------- secrets


def test_a_stack_names_every_secret_who_uses_it_and_which_we_make_ourselves():
    said = {"ONE": None, "ALL": None, "OWN": None, "MADE": {"generateValue": True}}
    stack = stack_of(
        service(env=said),
        service("worker", "worker", env={"ONE": None, "MADE": from_service("web", copy="MADE")}),
        secrets={"OWN": GENERATED, "ALL": SHARED},
    )
    one, shared, own, made = SecretRef("ONE"), SecretRef("ALL", shared=True), SecretRef("OWN"), SecretRef("web/MADE")
    assert stack.secrets == {
        one: ("web", "worker"),
        shared: ("web",),
        own: ("web",),
        made: ("web", "worker"),
    }
    assert stack.generate == {own: 20, made: 0}


def test_references_become_holes_that_name_the_live_object():
    env = {"DB": from_database("db"), "PORT": from_database("db", "port"), "API": from_service("api", "hostport")}
    stack = stack_of(service(env=env), service("api"), databases=[database()])
    expected = {"DB": (Live("db", "connectionString"),), "PORT": ("5432",), "API": (Live("api", "hostport"),)}
    assert env_of(stack) == expected
    assert {"db", "api"} <= stack.resources["web"].after


def test_every_other_dollar_brace_belongs_to_a_shell():
    assert env_of(stack_of(service(env=variables(A="${HOME}/x ${NOPE.x}")))) == {"A": ("${HOME}/x ${NOPE.x}",)}


def test_kinds_keep_their_kind():
    sorts = {"web": Kind.WEB, "pserv": Kind.PRIVATE, "worker": Kind.WORKER, "cron": Kind.CRON, "static": Kind.STATIC}
    stack = stack_of(*(service(f"x-{sort}", sort) for sort in sorts), service("kv", "keyvalue"))
    kinds = {key: one.kind for key, one in stack.resources.items() if not key.startswith("@")}
    assert kinds == {"kv": Kind.KEY_VALUE} | {f"x-{sort}": kind for sort, kind in sorts.items()}
