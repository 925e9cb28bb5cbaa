"""A diff that is not a change is a bug: every spelling that Render answers with equals what was asked for."""

import pytest

from reconciler.core import diff
from reconciler.core.inventory import Known
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, DeployState, canonical_image

EVERYONE = {"cidrBlock": "0.0.0.0/0", "description": ""}
OFFICE = {"cidrBlock": "10.0.0.0/8", "description": "office"}


def differs(kind, field, desired, live):
    return bool(diff.field_changes(kind, {field: desired}, {} if live is ... else {field: live}, Known()))


@pytest.mark.parametrize(
    ("kind", "field", "desired", "live"),
    [
        (Kind.WEB, "rootDir", "", ...),
        (Kind.WEB, "preDeployCommand", "", None),
        (Kind.WEB, "maintenanceMode", {"enabled": False}, None),
        (Kind.WEB, "maintenanceMode", {"enabled": True}, {"enabled": True, "uri": ""}),
        (Kind.WEB, "buildFilter", {"paths": []}, None),
        (Kind.WEB, "buildFilter", {"paths": ["a"]}, {"paths": ["a"], "ignoredPaths": []}),
        (Kind.WEB, "buildFilter", {"paths": ["a"], "ignoredPaths": []}, {"paths": ["a"]}),
        (Kind.WEB, "imagePath", "nginx", "docker.io/library/nginx:latest"),
        (Kind.WEB, "imagePath", "acme/app:1", "docker.io/acme/app:1"),
        (Kind.WEB, "repo", "https://github.com/acme/crm.git", "https://github.com/acme/crm"),
        (Kind.WEB, "repo", "https://github.com/Acme/crm/", "https://github.com/acme/crm"),
        (Kind.WEB, "plan", "pro plus", "4c-8g"),
        (Kind.WEB, "plan", "1c-2g", "standard"),
        (Kind.WEB, "ipAllowList", [], None),
        (Kind.WEB, "ipAllowList", [], ...),
        (Kind.WEB, "ipAllowList", [OFFICE, EVERYONE], [EVERYONE, OFFICE]),
        (Kind.WEB, "ipAllowList", [EVERYONE], [{"cidrBlock": "0.0.0.0/0"}]),
        (Kind.WEB, "registryCredential", "dockerhub", {"id": "rgc-1", "name": "dockerhub"}),
        (Kind.POSTGRES, "plan", "basic-256mb", "0.1c-256mb"),
        (Kind.POSTGRES, "readReplicas", [], None),
        (Kind.POSTGRES, "readReplicas", [{"name": "b"}, {"name": "a"}], ["a", "b"]),
        (Kind.POSTGRES, "highAvailabilityEnabled", False, ...),
        (Kind.POSTGRES, "parameterOverrides", {}, None),
        (Kind.POSTGRES, "databaseName", "crm", "crm_ehyv"),
        (Kind.POSTGRES, "databaseUser", "crm", "crm_ehyv_user"),
        (Kind.KEY_VALUE, "plan", "starter", "256mb"),
        (Kind.KEY_VALUE, "ipAllowList", [], None),
        (Kind.ENVIRONMENT, "networkIsolationEnabled", False, None),
    ],
)
def test_what_renders_answers_normalise_is_no_difference(kind, field, desired, live):
    assert not differs(kind, field, desired, live)


@pytest.mark.parametrize(
    ("kind", "field", "desired", "live"),
    [
        (Kind.WEB, "plan", "standard", "starter"),
        (Kind.WEB, "rootDir", "backend", ""),
        (Kind.WEB, "imagePath", "nginx:1", "docker.io/library/nginx:latest"),
        (Kind.WEB, "buildFilter", {"paths": ["a"]}, None),
        (Kind.WEB, "buildFilter", {"paths": ["b"]}, {"paths": ["a"], "ignoredPaths": []}),
        (Kind.WEB, "maintenanceMode", {"enabled": True}, {"enabled": False, "uri": ""}),
        (Kind.WEB, "ipAllowList", [OFFICE], []),
        (Kind.WEB, "ipAllowList", [], [OFFICE]),
        (Kind.POSTGRES, "readReplicas", [{"name": "a"}], []),
        (Kind.POSTGRES, "highAvailabilityEnabled", True, False),
        (Kind.WEB, "plan", "standard", None),
    ],
)
def test_what_differs_differs(kind, field, desired, live):
    assert differs(kind, field, desired, live)


def test_autoscaling_disks_and_counts_have_planners_of_their_own():
    assert (
        diff.field_changes(Kind.WEB, {"disk": {"name": "x"}, "autoscaling": {}, "numInstances": 3}, {}, Known()) == ()
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        ("", "none"),
        ([], "none"),
        (True, "on"),
        (False, "off"),
        (3, "3"),
        ("starter", "starter"),
        ("\x1b[31mred", '"\\x1b[31mred"'),
        ("x" * 90, '"' + "x" * 80 + '..."'),
        (["a", 1], "a, 1"),
        ([{"name": "a"}], '[{"name": "a"}]'),
        ({"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
        ({"min": 1, "max": 3, "cpu": 70, "memory": None}, "1 to 3 at cpu 70 %"),
        ({"min": 1, "max": 3}, "1 to 3 at no target"),
    ],
)
def test_values_are_shown_short_on_one_line_and_safe(value, text):
    assert diff.display(value) == text


def test_sets_know_what_is_ours_what_was_asked_and_what_is_foreign():
    known = Known(applied={"env:A": "1", "env:B": "1", "env:C": "1"})
    change = diff.set_change(diff.ENV, {"A": "1", "B": "2", "D": "1"}, {"A": "x", "B": "1", "C": "1", "X": "1"}, known)
    assert change.put == ("A", "B", "D")
    assert change.asked == {"B", "D"}, "A was ours and somebody changed it"
    assert change.remove == ("C",)
    assert change.foreign == ("X",)


@pytest.mark.parametrize(
    ("said", "canonical"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("acme/app", "docker.io/acme/app:latest"),
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("acme/app@sha256:abc", "docker.io/acme/app@sha256:abc"),
    ],
)
def test_images_are_written_as_render_reports_them(said, canonical):
    assert canonical_image(said) == canonical


def test_an_unheard_of_status_of_a_deploy_counts_as_progress():
    assert Deploy(id="x", status="dreaming").state is DeployState.PROGRESSING
