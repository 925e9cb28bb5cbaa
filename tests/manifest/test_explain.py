"""`explain` says what a field is, the schema says it to editors, and the file of local secrets is read safely."""

import pytest

from reconciler import manifest
from reconciler.core.errors import Invalid, NotFound


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("tenant", ["KIND     Tenant", "A Tenant document.", "spec        <object> required"]),
        ("tenant.spec.tier", ["FIELD    spec.tier  <text>", "One of the Blueprint's tiers"]),
        ("Tenant.spec.state", ["<running | suspended | deleted>  default running"]),
        ("tenant.spec.priority", ["<whole number>  default 50"]),
        ("tenant.spec.plugins.repo", ["Git repository, https or ssh, without credentials."]),
        ("tenant.spec.pin", ["until     <day> required", "pins without an end rot"]),
        ("tenant.spec.params", ["<mapping of any value>"]),
        ("tenant.kind", ["<Tenant>"]),
        ("blueprint.spec", ["TEMPLATE (render.yaml)", "healthCheckPath", "postgresMajorVersion"]),
        ("blueprint.spec.tiers.maxMonthlyUsd", ["<number>", "never a customer"]),
        ("blueprint.spec.env", ["<mapping of mapping of text>"]),
        ("blueprint.spec.params.enum", ["<list of any value>"]),
        ("blueprint.spec.onDelete.export", ["<true | false>  default false"]),
    ],
)
def test_a_field_is_explained(path, says):
    text = manifest.explain(path)
    for words in says:
        assert words in text, text


def test_every_field_has_a_description():
    for kind, schema in manifest.json_schemas().items():
        for name, model in {kind: schema, **schema["$defs"]}.items():
            for field, about in model.get("properties", {}).items():
                # What a model says of itself stands with the model.
                assert about.get("description") or "$ref" in about, f"{name}.{field}"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "no such kind"),
        ("tennant.spec", 'did you mean "tenant"?'),
        ("tenant.spec.teir", 'did you mean "tier"?'),
        ("tenant.spec.tier.x", "no such field"),
    ],
)
def test_a_field_that_is_not_there_gets_the_nearest_one(path, says):
    with pytest.raises(NotFound, match=says.replace("?", r"\?")):
        manifest.explain(path)


def test_the_schema_is_told_by_kind():
    assert set(manifest.json_schemas()) == {"Blueprint", "Tenant"}
    rules = manifest.combined_schema()["allOf"]
    assert [rule["then"]["$ref"] for rule in rules] == ["#/$defs/BlueprintDocument", "#/$defs/TenantDocument"]


def secrets(text):
    return manifest.load_local_secrets(text, file="s.yaml")


def test_local_secrets_are_read_and_never_shown():
    found = secrets("tenants: {acme: {PIN: 0123, DEBUG: off}}\nblueprints: {crm: {DSN: x}}\n")
    assert [(one.scope, one.owner, one.key, one.value.reveal()) for one in found] == [
        ("tenant", "acme", "PIN", "0123"),
        ("tenant", "acme", "DEBUG", "off"),
        ("blueprint", "crm", "DSN", "x"),
    ]
    assert "0123" not in repr(found)
    assert secrets("") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hunter2", "s.yaml:1 document: must be a mapping, not text"),
        ("tenant: {}", 's.yaml:1 tenant: unknown field; did you mean "tenants"?'),
        ("tenants: [hunter2]", "s.yaml:1 tenants: must be a mapping, not a list"),
        ("tenants:\n  acme: hunter2", "s.yaml:2 tenants.acme: must be a mapping, not text"),
        ("tenants:\n  acme:\n    1A: hunter2", "s.yaml:3 tenants.acme.1A: is not the name of a variable"),
        ("tenants:\n  acme:\n    A: [hunter2]", "s.yaml:3 tenants.acme.A: must be text that is not empty"),
        ("tenants:\n  acme:\n    A:", "s.yaml:3 tenants.acme.A: must be text that is not empty"),
    ],
)
def test_local_secrets_that_cannot_be_used_are_refused_without_their_values(text, says):
    with pytest.raises(Invalid) as caught:
        secrets(text)
    assert str(caught.value).startswith(says)
    assert "hunter2" not in str(caught.value)
