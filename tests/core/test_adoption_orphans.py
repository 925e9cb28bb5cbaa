"""Orphans: what carries our marks and is nobody's; a name alone is none, and a stranger's object never is one."""

import pytest

from reconciler.core.adoption.orphans import Home, find, holds_data, marks_of
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from tests.core.builders import NOW, blueprint, database, env_group, service

SPEC = blueprint(service("web"), service("web-api"), databases=[database("db")], groups=[env_group("shared", A="1")])
MARKS = [marks_of(SPEC)]
HOMES = {"evm-a": Home(project="acme", tenant="acme"), "evm-b": Home(project="bolt"), "evm-x": Home(project="theirs")}


def seen(name, kind=Kind.WEB, home=None, **fields):
    return Observed(id=f"id-{name}", kind=kind, name=name, fields=fields, environment_id=home, seen_at=NOW)


def found(*objects, marks=MARKS, tenants=("acme",), purged=()):
    return {one.observed.name: (one.tenant, one.why) for one in find(objects, HOMES, marks, tenants, purged)}


def test_whatever_lies_in_a_tenants_project_and_is_nobodys_is_left_over():
    words = "lies in the project of acme, whose spec does not want it"
    assert found(seen("anything", home="evm-a"), seen("shared-acme", Kind.ENV_GROUP, "evm-a")) == {
        "anything": ("acme", words), "shared-acme": ("acme", words)
    }  # fmt: skip
    assert found(seen("environment", Kind.ENVIRONMENT, "evm-a"), seen("project", Kind.PROJECT)) == {}


def test_a_blueprints_name_in_a_project_of_that_tenants_name_was_made_for_that_tenant():
    names = ("web-bolt", "db-bolt", "web-api-bolt")
    kinds = (Kind.WEB, Kind.POSTGRES, Kind.WEB)
    objects = [seen(name, kind, "evm-b") for name, kind in zip(names, kinds, strict=True)]
    told = ("bolt", "is named as for tenant bolt, who has no record here")
    assert found(*objects) == dict.fromkeys(names, told)
    assert found(seen("web-bolt", home="evm-b"), tenants=("acme", "bolt")) == {}, "to be adopted, not left over"


@pytest.mark.parametrize(
    "stranger",
    [
        seen("web-bolt"), seen("web-bolt", home="evm-x"), seen("other-bolt", home="evm-b"),
        seen("web-bolt", Kind.WORKER, "evm-b"), seen("web-Bolt", home="evm-b"), seen("web-", home="evm-b"),
    ],
)  # fmt: skip
def test_a_name_alone_proves_nothing(stranger):
    assert found(stranger) == {}


def test_what_a_tombstone_left_is_known_by_its_name():
    assert found(seen("web-bolt"), purged=("bolt",)) == {
        "web-bolt": ("bolt", "is named as for tenant bolt, who was purged or forgotten")
    }
    flat = [marks_of(blueprint(service("web"), project=False))]
    assert found(seen("web-bolt", home="evm-x"), marks=flat, purged=("bolt",))["web-bolt"][0] == "bolt"
    assert found(seen("web-bolt", home="evm-x"), marks=flat) == {}


def test_a_naming_may_repeat_its_words_and_a_template_that_cannot_be_read_names_nothing():
    marks = marks_of(blueprint(service("web"), naming="{tenant}-{component}-{tenant}"))
    assert marks.tenant(seen("bolt-web-bolt")) == "bolt" and marks.tenant(seen("bolt-web-acme")) == ""
    assert marks_of(blueprint(template={"services": "none"})) is None


@pytest.mark.parametrize(
    ("one", "data"),
    [
        (seen("a", Kind.POSTGRES), True), (seen("a", Kind.KEY_VALUE, plan="starter"), True),
        (seen("a", Kind.KEY_VALUE, plan="free"), False), (seen("a", Kind.KEY_VALUE, persistenceMode="off"), False),
        (seen("a", Kind.WORKER, disk={"id": "d"}), True), (seen("a"), False), (seen("a", Kind.ENV_GROUP), False),
    ],
)  # fmt: skip
def test_what_dies_with_an_object(one, data):
    assert holds_data(one) is data
