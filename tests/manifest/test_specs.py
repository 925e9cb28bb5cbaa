"""The sample specs that `make run` applies: good where they should be, wrong where that is the point."""

import json
from pathlib import Path

import pytest

from reconciler import manifest
from reconciler.core import blueprint as language
from reconciler.core.compile import compile_stack
from reconciler.core.kinds import CREATE_BUDGETED, Kind
from reconciler.core.spec import DesiredState, SecretSort
from reconciler.core.template import Asked, FromDatabase, FromService, Generated, Literal
from reconciler.manifest.schema import SCHEMA_FILE

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
CREATES_PER_HOUR = 20


def document(path):
    file = str(path.relative_to(ROOT))
    (doc,) = manifest.load_documents(path.read_text(), file=file)
    return manifest.inline_template(doc, lambda name: (ROOT / name).read_text())


@pytest.fixture(scope="module")
def blueprints():
    docs = [document(path) for path in sorted((SPECS / "blueprints").glob("*.yaml"))]
    return {doc.name: manifest.blueprint_document(doc) for doc in docs}


@pytest.fixture(scope="module")
def tenants():
    docs = [document(path) for path in sorted((SPECS / "tenants").glob("*.yaml"))]
    return {doc.name: (doc, manifest.tenant_columns(doc)) for doc in docs}


def problems(name, tenants, blueprints):
    doc, columns = tenants[name]
    found = manifest.check_tenant_against(columns, blueprints[columns["blueprint"]])
    return [str(problem) for problem in manifest.locate(doc, found)]


def stack(name, tenants, blueprints):
    spec = manifest.reader.tenant(tenants[name][1])
    return compile_stack(manifest.reader.blueprint(spec.blueprint, blueprints[spec.blueprint]), 1, spec)


def creates(name, tenants, blueprints):
    return sum(one.kind in CREATE_BUDGETED for one in stack(name, tenants, blueprints).resources.values())


def test_two_blueprints_and_six_tenants(blueprints, tenants):
    assert list(blueprints) == ["crm", "docs"]
    assert list(tenants) == ["acme", "bolt", "cora", "dune", "echo", "fern"]


@pytest.mark.parametrize("name", ["acme", "bolt", "cora", "dune", "echo"])
def test_five_tenants_go_with_their_blueprints(name, tenants, blueprints):
    assert problems(name, tenants, blueprints) == []


def test_fern_is_wrong_on_purpose_and_the_message_helps(tenants, blueprints):
    assert problems("fern", tenants, blueprints) == [
        'specs/tenants/fern.yaml:8 spec.tier: crm has no tier "gold"; it has starter, pro'
    ]


def test_what_runs_fits_into_the_creates_of_one_hour(tenants, blueprints):
    counts = {name: creates(name, tenants, blueprints) for name in ("acme", "bolt", "cora")}
    assert counts == {"acme": 6, "bolt": 6, "cora": 4}
    assert sum(counts.values()) <= CREATES_PER_HOUR


def test_the_tenants_differ_as_customers_do(tenants):
    specs = {name: manifest.reader.tenant(columns) for name, (_, columns) in tenants.items()}
    assert {spec.tier for spec in specs.values()} == {"starter", "pro", "basic", "gold"}
    assert {spec.region for spec in specs.values()} == {"", "frankfurt", "virginia"}
    assert specs["dune"].state is DesiredState.SUSPENDED
    assert specs["bolt"].plugins
    assert specs["bolt"].env
    assert specs["bolt"].overrides
    assert specs["cora"].domains


def test_the_crm_shows_every_form_of_a_variable(blueprints):
    template = language.normalise(blueprints["crm"]["template"])
    forms = {type(form) for one in template.components.values() for form in one.env.values()}
    assert forms == {Literal, Generated, Asked, FromDatabase, FromService}
    assert {one.kind for one in template.components.values()} == {
        Kind.WEB, Kind.WORKER, Kind.KEY_VALUE, Kind.POSTGRES, Kind.ENV_GROUP,
    }  # fmt: skip
    backend = template.components["backend"]
    assert backend.fields["scaling"]
    assert backend.fields["healthCheckPath"] == "/health"
    assert backend.env["DEBUG"] == Literal("off"), "the file says off, and an application reads text"
    spec = manifest.reader.blueprint("crm", blueprints["crm"])
    assert {one.sort for one in spec.secrets.values()} == set(SecretSort)


def test_the_docs_blueprint_shows_the_other_kinds(blueprints):
    template = language.normalise(blueprints["docs"]["template"])
    assert {one.kind for one in template.components.values()} == {Kind.WEB, Kind.PRIVATE, Kind.CRON, Kind.STATIC}
    assert template.components["search"].fields["disk"]
    assert template.components["site"].fields["headers"]
    assert template.components["site"].fields["routes"]


def test_only_echo_lacks_a_secret(tenants, blueprints):
    secrets = manifest.load_local_secrets((SPECS / "local-secrets.yaml").read_text(), file="local-secrets.yaml")
    given = {(one.scope, one.owner, one.key) for one in secrets}
    for name in ("acme", "bolt", "cora", "echo"):
        made = stack(name, tenants, blueprints)
        wanted = {
            ("blueprint", made.blueprint, ref.name) if ref.shared else ("tenant", name, ref.name)
            for ref in made.secrets
            if ref not in made.generate
        }
        missing = {("tenant", "echo", "SMTP_PASSWORD")} if name == "echo" else set()
        assert wanted - given == missing


def test_secrets_that_are_given_are_used_and_made_up(tenants, blueprints):
    secrets = manifest.load_local_secrets((SPECS / "local-secrets.yaml").read_text(), file="local-secrets.yaml")
    assert {one.owner for one in secrets} <= {*tenants, *blueprints}
    assert all("not-a-real" in one.value.reveal() for one in secrets)


def test_the_schema_that_editors_read_is_the_generated_one():
    assert SCHEMA_FILE.read_text() == manifest.schema_text(), "write manifest.schema_text() to this file"


def test_every_sample_names_that_schema_and_keeps_to_it():
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text()))
    paths = [*(SPECS / "blueprints").glob("*.yaml"), *(SPECS / "tenants").glob("*.yaml")]
    for path in paths:
        first_line = path.read_text().splitlines()[0]
        assert (path.parent / first_line.rpartition("=")[2]).resolve() == SCHEMA_FILE
        (doc,) = manifest.load_documents(path.read_text(), file=path.name)
        validator.validate(doc.data)
    assert not validator.is_valid({"apiVersion": "reconciler/v1", "kind": "Tenant", "metadata": {"name": "x"}})
