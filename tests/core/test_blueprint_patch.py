"""Patches of a component: merging, folding, removal, and the same refusals as in a template."""

import pytest

from reconciler.core.blueprint import normalise, patch_component
from reconciler.core.errors import Invalid
from reconciler.core.template import Asked, FromService, Generated, Literal

SCALING = {"minInstances": 1, "maxInstances": 3, "targetCPUPercent": 70}
WORDS = {
    "type": "web",
    "name": "web",
    "runtime": "docker",
    "plan": "starter",
    "scaling": SCALING,
    "domains": ["a.example.com"],
    "envVars": [{"fromGroup": "shared"}, {"key": "A", "value": 1}, {"key": "B", "sync": False}],
}
DATABASE = {"name": "db", "plan": "basic-256mb", "readReplicas": [{"name": "one"}]}


@pytest.fixture
def web():
    return normalise({"services": [WORDS]}).components["web"]


@pytest.fixture
def db():
    return normalise({"databases": [DATABASE]}).components["db"]


def problems(component, patch, path="spec.tiers.pro.patch.web"):
    with pytest.raises(Invalid) as caught:
        patch_component(component, patch, path)
    return [(one.path, str(one)) for one in caught.value.problems]


def test_scalars_replace_and_fold(web):
    assert patch_component(web, {"plan": "pro plus"}, "p").fields["plan"] == "pro_plus"
    assert patch_component(web, {"autoDeploy": False}, "p").fields["autoDeployTrigger"] == "off"


def test_mappings_merge_by_key_and_null_removes_one(web):
    patched = patch_component(
        web, {"scaling": {"maxInstances": 9, "targetCPUPercent": None, "targetMemoryPercent": 60}}, "p"
    )
    assert patched.fields["scaling"] == {"min": 1, "max": 9, "memory": 60}
    assert web.fields["scaling"] == {"min": 1, "max": 3, "cpu": 70}, "the component before is untouched"


def test_null_removes_a_field_and_what_excluded_others(web):
    patched = patch_component(web, {"scaling": None, "numInstances": 4}, "p")
    assert "scaling" not in patched.fields
    assert patched.fields["numInstances"] == 4
    assert "domains" not in patch_component(web, {"domains": None, "disk": None}, "p").fields


def test_a_mapping_that_was_not_there_is_read_as_a_whole(web):
    patched = patch_component(web, {"scaling": None, "disk": {"name": "d", "mountPath": "/d"}}, "p")
    assert patched.fields["disk"] == {"name": "d", "mountPath": "/d", "sizeGB": 10}
    assert problems(web, {"scaling": None, "disk": {"name": "d"}})[0][0] == "spec.tiers.pro.patch.web.disk.mountPath"


def test_lists_replace(web, db):
    assert patch_component(web, {"domains": ["b.example.com"]}, "p").fields["domains"] == ["b.example.com"]
    assert patch_component(db, {"readReplicas": []}, "p").fields["readReplicas"] == []
    assert problems(db, {"readReplicas": [{"name": None}]}, "p") == [
        ("p.readReplicas[0].name", "p.readReplicas[0].name: is required")
    ]


def test_an_image_merges_its_two_parts():
    credentials = {"fromRegistryCreds": {"name": "hub"}}
    words = {"type": "web", "name": "web", "image": {"url": "nginx:1", "creds": credentials}}
    web = normalise({"services": [words]}).components["web"]
    patched = patch_component(web, {"image": {"url": "nginx:2"}}, "p")
    assert patched.fields["imagePath"] == "docker.io/library/nginx:2"
    assert patched.fields["registryCredential"] == "hub"
    assert "registryCredential" not in patch_component(web, {"image": {"creds": None}}, "p").fields
    assert "imagePath" not in patch_component(web, {"image": None, "runtime": "docker"}, "p").fields


def test_variables_merge_by_key_from_a_mapping(web):
    reference = {"fromService": {"name": "api", "type": "web", "property": "host"}}
    patch = {"envVars": {"A": None, "B": 2.5, "C": True, "D": reference, "E": {"generateValue": True}}}
    patched = patch_component(web, patch, "p")
    assert patched.env == {
        "B": Literal("2.5"),
        "C": Literal("true"),
        "D": FromService("api", "host"),
        "E": Generated(),
    }
    assert patched.groups == ("shared",)


def test_variables_merge_by_key_from_a_list(web):
    patched = patch_component(web, {"envVars": [{"key": "A", "sync": False}, {"fromGroup": "more"}]}, "p")
    assert patched.env == {"A": Asked(), "B": Asked()}
    assert patched.groups == ("shared", "more")


def test_null_clears_variables_and_groups(web):
    patched = patch_component(web, {"envVars": None}, "p")
    assert (patched.env, patched.groups) == ({}, ())


def test_removing_a_variable_that_is_not_there_changes_nothing(web):
    assert patch_component(web, {"envVars": {"Z": None}}, "p") == web


def test_an_empty_patch_changes_nothing(web, db):
    assert patch_component(web, {}, "p") == web
    assert patch_component(db, {}, "p") == db


@pytest.mark.parametrize(
    ("patch", "path", "says"),
    [
        ({"plan": "gold"}, ".plan", "is not a plan of a web service"),
        ({"type": "worker"}, ".type", "a patch cannot change what a component is"),
        ({"name": "x"}, ".name", "a patch cannot change what a component is"),
        ({"schedule": "* * * * *"}, ".schedule", "cannot stand on a web service"),
        ({"numInstances": 3}, ".numInstances", "has no effect beside scaling"),
        ({"previewPlan": "pro"}, ".previewPlan", "concerns previews only"),
        ({"startCommand": "x"}, ".startCommand", "has no effect with runtime docker"),
        ({"runtime": None}, ".runtime", "is required"),
        ({"runtime": "static"}, ".runtime", "cannot be static"),
        ({"scaling": {"minInstances": None}}, ".scaling.minInstances", "is required"),
        ({"scaling": {"minInstances": 0}}, ".scaling.minInstances", "must lie between"),
        ({"envVars": {"1A": "x"}}, ".envVars.1A", "is not the name of a variable"),
        ({"envVars": {"A": ["x"]}}, ".envVars.A", "must be text"),
        ({"envVars": {"A": {"valeu": 1}}}, ".envVars.A.valeu", "unknown field"),
        ({"envVars": "A=1"}, ".envVars", "must be a list"),
        ([], "", "must be a mapping"),
    ],
)
def test_a_wrong_patch_is_refused_below_its_path(web, patch, path, says):
    found = problems(web, patch)
    assert (f"spec.tiers.pro.patch.web{path}", True) in [(one, says in text) for one, text in found], found


def test_a_patch_of_a_group_sets_values_only():
    group = normalise({"envVarGroups": [{"name": "g", "envVars": [{"key": "A", "value": 1}]}]}).components["g"]
    assert patch_component(group, {"envVars": {"A": 2}}, "p").env == {"A": Literal("2")}
    assert problems(group, {"plan": "pro"}, "p")
