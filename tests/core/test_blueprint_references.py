"""Variables of every form, references between components, projects and their environments."""

import pytest

from reconciler.core.blueprint import environments, normalise
from reconciler.core.errors import Invalid
from reconciler.core.template import Asked, FromDatabase, FromService, Generated, Literal

WEB = {"type": "web", "name": "web", "runtime": "node"}
CACHE = {"type": "keyvalue", "name": "cache"}
DB = {"name": "db", "plan": "basic-256mb"}


def service(**fields):
    return {"services": [{**WEB, **fields}]}


def problems_of(document, **options):
    with pytest.raises(Invalid) as caught:
        normalise(document, **options)
    return [(problem.path, str(problem)) for problem in caught.value.problems]


def only_problem(document, **options):
    problems = problems_of(document, **options)
    assert len(problems) == 1, problems
    return problems[0]


# ---------------------------------------------------------------- variables


def env_of(*entries, document=None):
    return normalise({**service(envVars=list(entries)), **(document or {})}).components["web"].env


@pytest.mark.parametrize(
    ("entry", "form"),
    [
        ({"value": "x"}, Literal("x")),
        ({"value": 1}, Literal("1")),
        ({"value": 3.5}, Literal("3.5")),
        ({"value": True}, Literal("true")),
        ({"value": False}, Literal("false")),
        ({"value": None}, Literal("")),
        ({"value": "x", "sync": True}, Literal("x")),
        ({"value": "x", "generateValue": False}, Literal("x")),
        ({"generateValue": True}, Generated()),
        ({"sync": False}, Asked()),
        ({"fromDatabase": {"name": "db", "property": "connectionString"}}, FromDatabase("db", "connectionString")),
        ({"fromService": {"name": "x", "type": "pserv", "property": "hostport"}}, FromService("x", "hostport")),
        (
            {"fromService": {"name": "x", "type": "redis", "property": "connectionString"}},
            FromService("x", "connectionString"),
        ),
        ({"fromService": {"name": "x", "type": "worker", "envVarKey": "TOKEN"}}, FromService("x", "", "TOKEN")),
        (
            {"fromService": {"name": "x", "type": "web", "envVarKey": "RENDER_EXTERNAL_URL"}},
            FromService("x", "", "RENDER_EXTERNAL_URL"),
        ),
    ],
)
def test_every_form_of_a_variable_is_read(entry, form):
    assert env_of({"key": "A.b-C_1", **entry}) == {"A.b-C_1": form}


def test_groups_are_linked_once_in_order():
    document = service(envVars=[{"fromGroup": "b"}, {"fromGroup": "a"}, {"fromGroup": "b"}])
    assert normalise(document).components["web"].groups == ("b", "a")


def test_variables_may_be_absent():
    assert env_of() == {}
    assert normalise(service(envVars=None)).components["web"].env == {}


@pytest.mark.parametrize(
    ("entry", "path", "says"),
    [
        ({"value": "x"}, "", "has neither key nor fromGroup"),
        ({}, "", "found an empty mapping"),
        ("A=1", "", "must be a mapping"),
        (None, "", "must be a mapping, found nothing"),
        ({"key": "1A", "value": "x"}, ".key", "is not the name of a variable"),
        ({"key": ["A"], "value": "x"}, ".key", "is not the name of a variable, found a list"),
        ({"key": "A"}, "", "has no value"),
        ({"key": "A", "value": "x", "sync": False}, "", "has several sources: value, sync"),
        ({"key": "A", "value": ["x"]}, ".value", "must be text, found a list"),
        ({"key": "A", "sync": "no"}, ".sync", "must be true or false"),
        ({"key": "A", "valeu": "x", "value": "y"}, ".valeu", 'did you mean "value"?'),
        ({"key": "A", "fromDatabase": {"name": "db"}}, ".fromDatabase.property", "is required"),
        ({"key": "A", "fromDatabase": {"name": "db", "property": "url"}}, ".fromDatabase.property", "use one of"),
        ({"key": "A", "fromDatabase": "db"}, ".fromDatabase", "must be a mapping"),
        ({"key": "A", "fromService": {"name": "x", "property": "host"}}, ".fromService.type", "is required"),
        ({"key": "A", "fromService": {"name": "x", "type": "web"}}, ".fromService", "add one"),
        (
            {"key": "A", "fromService": {"name": "x", "type": "web", "property": "host", "envVarKey": "B"}},
            ".fromService",
            "keep one",
        ),
        (
            {"key": "A", "fromService": {"name": "x", "type": "worker", "property": "host"}},
            ".fromService.property",
            "has no address",
        ),
        (
            {"key": "A", "fromService": {"name": "x", "type": "web", "property": "connectionString"}},
            ".fromService.property",
            "is not a known property",
        ),
        (
            {"key": "A", "fromService": {"name": "x", "type": "web", "envVarKey": "RENDER_GIT_COMMIT"}},
            ".fromService.envVarKey",
            "exists at run time only",
        ),
        ({"fromGroup": "g", "key": "A"}, ".key", "cannot stand beside fromGroup"),
        ({"fromGroup": ""}, ".fromGroup", "must be the name of a group"),
    ],
)
def test_a_wrong_variable_is_refused_by_path(entry, path, says):
    found = problems_of(service(envVars=[entry]))
    assert (f"services[0].envVars[0]{path}", True) in [(one, says in text) for one, text in found], found


def test_a_key_set_twice_is_refused():
    path, text = only_problem(service(envVars=[{"key": "A", "value": 1}, {"key": "A", "value": 2}]))
    assert path == "services[0].envVars[1].key"
    assert 'is set twice here, found "A"' in text


def test_a_group_holds_values_only():
    def group(entry):
        return {"envVarGroups": [{"name": "g", "envVars": [entry]}]}

    assert normalise(group({"key": "A", "value": 5})).components["g"].env == {"A": Literal("5")}
    assert normalise(group({"key": "A", "generateValue": True})).components["g"].env == {"A": Generated()}
    asked = normalise(group({"key": "A", "sync": False}))
    assert asked.components["g"].env == {"A": Asked()}
    assert [one.path for one in asked.warnings] == ["envVarGroups[0].envVars[0].sync"]
    reference = {"key": "A", "fromDatabase": {"name": "db", "property": "host"}}
    assert "a group holds values only" in only_problem(group(reference))[1]
    assert "a group cannot link a group" in only_problem(group({"fromGroup": "h"}))[1]


# ---------------------------------------------------------------- references and keys


def test_a_reference_must_name_the_type_of_its_target():
    entry = {"key": "A", "fromService": {"name": "cache", "type": "web", "property": "host"}}
    document = {"services": [{**WEB, "envVars": [entry]}, CACHE]}
    path, text = only_problem(document)
    assert path == "services[0].envVars[0].fromService.type"
    assert '"cache" is a key value, found "web"; write keyvalue' in text


def test_a_run_time_variable_can_be_copied_if_its_target_sets_it():
    source = {**WEB, "name": "source", "envVars": [{"key": "RENDER_REGION", "value": "x"}]}
    entry = {"key": "A", "fromService": {"name": "source", "type": "web", "envVarKey": "RENDER_REGION"}}
    assert normalise({"services": [{**WEB, "envVars": [entry]}, source]}).components["web"].env


def test_references_to_what_the_file_does_not_define_are_left_to_the_compiler():
    entries = [
        {"fromGroup": "nowhere"},
        {"key": "A", "fromDatabase": {"name": "nowhere", "property": "host"}},
        {"key": "B", "fromService": {"name": "nowhere", "type": "web", "property": "host"}},
    ]
    component = normalise(service(envVars=entries)).components["web"]
    assert component.groups == ("nowhere",)
    assert len(component.env) == 2


def test_components_that_share_a_name_get_keys_of_their_own_and_references_follow():
    entries = [{"fromGroup": "web"}, {"key": "A", "fromDatabase": {"name": "web", "property": "host"}}]
    template = normalise(
        {
            "envVarGroups": [{"name": "web"}],
            "databases": [{"name": "web"}, {"name": "web-db"}, {"name": "web-db-2"}, {"name": "db"}],
            "services": [{**WEB, "envVars": entries}],
        }
    )
    assert list(template.components) == ["web-group", "web-db-3", "web-db", "web-db-2", "db", "web"]
    assert template.components["web"].groups == ("web-group",)
    assert template.components["web"].env == {"A": FromDatabase("web-db-3", "host")}
    assert template.components["web-db-3"].path == "databases[0]"


# ---------------------------------------------------------------- projects and environments


def projects(*names, **environment):
    stacks = [{"name": name, "services": [WEB], **environment} for name in names]
    return {"projects": [{"name": "crm", "environments": stacks}]}


def test_a_single_environment_needs_no_choice():
    document = projects("production", networking={"isolation": "enabled"}, permissions={"protection": "disabled"})
    template = normalise(document)
    assert template.components["web"].path == "projects[0].environments[0].services[0]"
    assert (template.network_isolation, template.protected) == (True, False)
    assert environments(document) == ("production",)


def test_the_lists_of_the_root_belong_to_every_environment():
    document = {**projects("production"), "databases": [DB]}
    assert set(normalise(document).components) == {"db", "web"}


def test_one_of_several_environments_is_chosen_by_name():
    document = projects("production", "staging")
    assert (
        normalise(document, environment="staging").components["web"].path == "projects[0].environments[1].services[0]"
    )
    assert only_problem(document) == (
        "environment",
        "environment: the template has several environments; choose one: production, staging",
    )
    assert "it has: production, staging" in only_problem(document, environment="test")[1]


def test_environments_of_one_name_are_told_apart_by_their_project():
    document = projects("production")
    document["projects"].append({"name": "docs", "environments": [{"name": "production", "databases": [DB]}]})
    assert environments(document) == ("crm/production", "docs/production")
    assert list(normalise(document, environment="docs/production").components) == ["db"]


def test_an_environment_cannot_be_chosen_where_there_is_none():
    assert "the template has no environments" in only_problem(service(), environment="staging")[1]


@pytest.mark.parametrize(
    ("document", "path", "says"),
    [
        (projects("p", networking={"isolation": True}), "projects[0].environments[0].networking.isolation", "word"),
        (projects("p", networking=5), "projects[0].environments[0].networking", "must be a mapping"),
        (projects("p", networkin={}), "projects[0].environments[0].networkin", 'did you mean "networking"?'),
        ({"projects": [{"name": "x"}]}, "projects[0].environments", "is required"),
        (
            {"projects": [{"name": "x", "environments": [{"services": [WEB]}]}]},
            "projects[0].environments[0].name",
            "is required",
        ),
        ({"projects": [{"name": "x", "env": 1}]}, "projects[0].env", "unknown field of a project"),
    ],
)
def test_a_wrong_project_is_refused(document, path, says):
    found = problems_of(document)
    assert (path, True) in [(one, says in text) for one, text in found], found
