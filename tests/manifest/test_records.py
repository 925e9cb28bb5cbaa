"""Documents become columns, stored objects and core specs, and columns become documents again."""

from datetime import date
from decimal import Decimal

import pytest

from reconciler import manifest
from reconciler.core.errors import Invalid
from reconciler.core.spec import (
    DesiredState,
    DriftPolicy,
    OnDelete,
    Param,
    ParamType,
    Pin,
    Plugin,
    Ready,
    Rollout,
    SecretSort,
    SecretSource,
    Source,
    Tier,
)

FULL = """
apiVersion: reconciler/v1
kind: Tenant
metadata: {name: acme, labels: {segment: smb}}
spec:
  externalId: sub_1
  displayName: "Acme, Inc."
  blueprint: crm
  tier: pro
  region: frankfurt
  state: suspended
  priority: 90
  params: {locale: de, seats: 25}
  domains: {frontend: [crm.acme.com]}
  env: {worker: {FEATURE_X: 1, RATIO: 1.10, DEBUG: off, EMPTY: ""}}
  plugins: [{repo: "https://github.com/acme/crm-plugins", ref: v1.2, components: [backend]}]
  overrides: {backend: {plan: pro, scaling: null}}
  pin: {revision: 11, until: 2026-12-15, why: year-end freeze}
  environment: production
  allowDataLoss: [db]
"""
COLUMNS = {
    "name": "acme",
    "labels": {"segment": "smb"},
    "external_id": "sub_1",
    "display_name": "Acme, Inc.",
    "blueprint": "crm",
    "tier": "pro",
    "region": "frankfurt",
    "state": "suspended",
    "priority": 90,
    "params": {"locale": "de", "seats": 25},
    "details": {
        "domains": {"frontend": ["crm.acme.com"]},
        "env": {"worker": {"FEATURE_X": "1", "RATIO": "1.10", "DEBUG": "off", "EMPTY": ""}},
        "plugins": [{"repo": "https://github.com/acme/crm-plugins", "ref": "v1.2", "components": ["backend"]}],
        "overrides": {"backend": {"plan": "pro", "scaling": None}},
        "pin": {"revision": 11, "until": "2026-12-15", "why": "year-end freeze"},
        "environment": "production",
        "allowDataLoss": ["db"],
    },
}
TEMPLATE = {"services": [{"type": "web", "name": "web", "runtime": "node"}], "databases": [{"name": "db"}]}


def load(text):
    return manifest.load_documents(text, file="a.yaml")[0]


def blueprint(**spec):
    source = {"repo": "https://github.com/a/b", "branch": "main"}
    data = {"template": TEMPLATE, "source": source, **spec}
    return {"apiVersion": "reconciler/v1", "kind": "Blueprint", "metadata": {"name": "crm"}, "spec": data}


def stored(**spec):
    return manifest.blueprint_document(manifest.document(blueprint(**spec)))


def test_a_full_tenant_becomes_columns():
    assert manifest.tenant_columns(load(FULL)) == COLUMNS


def test_what_a_document_does_not_say_stays_but_maps_are_whole():
    columns = manifest.tenant_columns(
        manifest.document(
            {
                "apiVersion": "reconciler/v1",
                "kind": "Tenant",
                "metadata": {"name": "acme"},
                "spec": {"blueprint": "crm"},
            }
        )
    )
    assert columns == {"name": "acme", "blueprint": "crm", "labels": {}, "params": {}, "details": {}}


def test_columns_become_the_document_they_came_from():
    document = manifest.tenant_document(COLUMNS)
    assert manifest.tenant_columns(manifest.document(document)) == COLUMNS
    assert manifest.tenant_document({**COLUMNS, "region": None, "params": {}, "labels": {}})["metadata"] == {
        "name": "acme"
    }


def test_a_full_tenant_is_read_into_the_core():
    spec = manifest.reader.tenant({**COLUMNS, "generation": 4, "created_by": "signup"})
    assert spec.name == "acme"
    assert spec.display_name == "Acme, Inc."
    assert spec.state is DesiredState.SUSPENDED
    assert spec.params == {"locale": "de", "seats": 25}
    assert spec.env == {"worker": {"FEATURE_X": "1", "RATIO": "1.10", "DEBUG": "off", "EMPTY": ""}}
    assert spec.domains == {"frontend": ("crm.acme.com",)}
    assert spec.plugins == (Plugin(repo="https://github.com/acme/crm-plugins", ref="v1.2", components=("backend",)),)
    assert spec.overrides == {"backend": {"plan": "pro", "scaling": None}}
    assert spec.pin == Pin(revision=11, until=date(2026, 12, 15), why="year-end freeze")
    assert (spec.environment, spec.allow_data_loss, spec.priority) == ("production", ("db",), 90)


def test_the_least_a_row_can_say_is_read():
    row = {"name": "acme", "display_name": None, "blueprint": "crm", "tier": "", "region": None, "state": "running"}
    spec = manifest.reader.tenant({**row, "priority": 50, "params": {}, "labels": {}, "details": {}})
    assert (spec.display_name, spec.tier, spec.region, spec.pin) == ("", "", "", None)


@pytest.mark.parametrize(
    ("columns", "path"),
    [
        ({"details": {"plugins": [{"repo": "file:///x"}]}}, "spec.plugins[0].repo"),
        ({"details": {"surprise": 1}}, "spec.surprise"),
        ({"details": {"env": []}}, "spec.env"),
        ({"state": "gone"}, "spec.state"),
        ({"display_name": "a\x1b[2J"}, "spec.displayName"),
        ({"name": None}, "metadata.name"),
        ({"labels": {"a": 1}}, "metadata.labels.a"),
    ],
)
def test_a_row_that_no_constraint_could_judge_is_invalid_and_never_a_crash(columns, path):
    with pytest.raises(Invalid) as caught:
        manifest.reader.tenant({**COLUMNS, **columns})
    assert path in [problem.path for problem in caught.value.problems]


def test_a_full_blueprint_is_read_into_the_core():
    spec = manifest.check_blueprint(
        stored(
            source={"repo": "https://github.com/a/b", "commit": "4f2a9c1"},
            entrypoint="web",
            ready={"path": "/health", "within": "20m"},
            params={"locale": {"enum": ["en", "de"], "required": True}, "seats": {"type": "integer", "default": 10}},
            env={"*": {"LOCALE": "${params.locale}", "N": 5}},
            secrets={"A": {"generate": 50}, "B": {"shared": True}, "C": {"perTenant": True}},
            secretFiles={"web": {"key.pem": "${secrets.A}"}},
            tiers={"starter": {}, "pro": {"maxMonthlyUsd": 150.5, "patch": {"web": {"plan": "pro", "disk": None}}}},
            rollout={"step": 3, "stopAfter": 2},
            drift="strict",
            onDelete={"keepFor": "2w", "export": True},
            naming="{tenant}-{component}",
            project=False,
        ),
        name="crm",
    )
    assert spec.name == "crm"
    assert spec.source == Source(repo="https://github.com/a/b", commit="4f2a9c1")
    assert spec.ready == Ready(path="/health", within_s=1200)
    assert spec.params == {
        "locale": Param(type=ParamType.STRING, required=True, enum=("en", "de")),
        "seats": Param(type=ParamType.INTEGER, default=10),
    }
    assert spec.env == {"*": {"LOCALE": "${params.locale}", "N": "5"}}
    assert spec.secrets == {
        "A": SecretSource(sort=SecretSort.GENERATE, length=50),
        "B": SecretSource(sort=SecretSort.SHARED),
        "C": SecretSource(sort=SecretSort.PER_TENANT),
    }
    assert spec.files == {"web": {"key.pem": "${secrets.A}"}}
    assert spec.tiers == {
        "starter": Tier(),
        "pro": Tier(patch={"web": {"plan": "pro", "disk": None}}, max_monthly_usd=Decimal("150.5")),
    }
    assert spec.rollout == Rollout(step_share=0.0, step_count=3, stop_after=2)
    assert spec.drift is DriftPolicy.STRICT
    assert spec.on_delete == OnDelete(keep_for_s=14 * 86400, export=True)
    assert (spec.naming, spec.project) == ("{tenant}-{component}", False)


def test_a_blueprint_that_says_little_gets_the_defaults():
    spec = manifest.check_blueprint(stored())
    assert spec.rollout == Rollout(step_share=0.1, step_count=0, stop_after=1)
    assert spec.on_delete == OnDelete(keep_for_s=7 * 86400, export=False)
    assert (spec.ready, spec.drift, spec.project) == (None, DriftPolicy.HEAL, True)


def test_a_stored_object_is_the_same_however_often_it_goes_round():
    document = stored(params={"a": {"default": "x"}}, tiers={"t": {"maxMonthlyUsd": 5}}, onDelete={"keepFor": "1d"})
    again = manifest.blueprint_document(manifest.document(manifest.blueprint_yaml("crm", document)))
    assert again == document
    assert document["params"] == {"a": {"type": "string", "default": "x"}}, "the SQL trigger reads the type"


# ---------------------------------------------------------------- templateFile


def test_a_template_file_is_read_beside_the_spec_and_its_problems_name_it():
    text = (
        "apiVersion: reconciler/v1\nkind: Blueprint\nmetadata: {name: crm}\nspec:\n  templateFile: ../t/render.yaml\n"
    )
    asked = []

    def read(path):
        asked.append(path)
        return "services:\n- type: web\n  name: web\n  runtime: cobol\n"

    (doc,) = manifest.load_documents(text, file="specs/blueprints/crm.yaml")
    inlined = manifest.inline_template(doc, read)
    assert asked == ["specs/t/render.yaml"]
    with pytest.raises(Invalid) as caught:
        manifest.blueprint_document(inlined)
    assert str(caught.value.problems[0]).startswith("specs/t/render.yaml:4 spec.template.services[0].runtime: is not")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (FileNotFoundError(2, "No such file or directory"), "a.yaml:5 spec.templateFile: cannot be read: No such file"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), "spec.templateFile: cannot be read: it is no UTF-8 text"),
        ("", "x.yaml:1 template: is empty"),
        ("- a", "x.yaml:1 template: must hold one mapping"),
        ("a: 1\n---\nb: 1", "x.yaml:1 template: must hold one mapping"),
        ("a: [", "x.yaml:2 YAML: is not valid YAML"),
    ],
)
def test_a_template_file_that_cannot_be_used_is_refused(content, says):
    text = "apiVersion: reconciler/v1\nkind: Blueprint\nmetadata: {name: crm}\nspec:\n  templateFile: x.yaml\n"

    def read(path):
        if isinstance(content, Exception):
            raise content
        return content

    with pytest.raises(Invalid) as caught:
        manifest.inline_template(load(text), read)
    assert says in str(caught.value)


def test_documents_without_a_template_file_stay_as_they_are():
    doc = load(FULL)
    assert manifest.inline_template(doc, lambda path: pytest.fail("nothing is read")) is doc


# ---------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (["tier=starter"], {"tier": "starter"}),
        (["params.seats=30"], {"params": {"locale": "de", "seats": 30}}),
        (["labels.segment=big"], {"labels": {"segment": "big"}}),
        (["region="], {"region": None}),
        (["state=running", "priority=5"], {"state": "running", "priority": 5}),
    ],
)
def test_a_setting_changes_one_field(settings, changed):
    assert manifest.with_settings(COLUMNS, settings) == {**COLUMNS, **changed}


def test_a_label_set_on_the_command_line_stays_text():
    assert manifest.with_settings(COLUMNS, ["labels.trial=yes"])["labels"]["trial"] == "yes"


def test_settings_reach_into_details_and_keep_text():
    before = {**COLUMNS, "details": {**COLUMNS["details"]}}
    columns = manifest.with_settings(before, ["env.worker.V=1.10", "env.api.DEBUG=off", "domains.web=[a.example.com]"])
    assert columns["details"]["env"]["worker"]["V"] == "1.10"
    assert columns["details"]["env"]["api"] == {"DEBUG": "off"}
    assert columns["details"]["domains"]["web"] == ["a.example.com"]
    assert before == COLUMNS, "the columns given are untouched"
    assert "V" not in COLUMNS["details"]["env"]["worker"]


@pytest.mark.parametrize("setting", ["tier", "=x", "teir=pro", "priority=high", "tier=[", "name=x"])
def test_a_setting_that_makes_no_sense_is_refused(setting):
    with pytest.raises(Invalid):
        manifest.with_settings(COLUMNS, [setting])


# ---------------------------------------------------------------- a tenant against its Blueprint

AGAINST = {
    "params": {"locale": {"enum": ["en", "de"], "required": True}, "seats": {"type": "integer"}},
    "tiers": {"starter": {}, "pro": {}},
}


def against(document=None, **columns):
    base = {"name": "acme", "blueprint": "crm", "tier": "pro", "params": {"locale": "de"}, "details": {}}
    found = manifest.check_tenant_against({**base, **columns}, document or stored(**AGAINST))
    return [str(problem) for problem in found]


def test_a_tenant_that_goes_with_its_blueprint_has_no_problems():
    details = {"env": {"*": {"A": "1"}, "web": {"B": "${host.web}"}}, "overrides": {"web": {"plan": "pro"}}}
    assert against(params={"locale": "en", "seats": 3}, details={**details, "allowDataLoss": ["db"]}) == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tier": "gold"}, 'spec.tier: crm has no tier "gold"; it has starter, pro'),
        ({"tier": ""}, "spec.tier: is required by crm; use one of: starter, pro"),
        ({"params": {}}, "spec.params.locale: is required by crm; use one of: en, de"),
        ({"params": {"locale": "fr"}}, 'spec.params.locale: is not allowed, found "fr"; use one of: en, de'),
        ({"params": {"locale": "de", "seats": "3"}}, 'spec.params.seats: must be of type integer, found "3"'),
        ({"params": {"locale": "de", "seats": True}}, 'spec.params.seats: must be of type integer, found "true"'),
        (
            {"params": {"locale": "de", "seat": 3}},
            'spec.params.seat: crm has no such parameter; did you mean "seats"?',
        ),
        (
            {"details": {"env": {"wbe": {"A": "1"}}}},
            'spec.env.wbe: there is no such component, found "wbe"; did you mean "web"?',
        ),
        (
            {"details": {"domains": {"api": ["a.example.com"]}}},
            'spec.domains.api: there is no such component, found "api"; use one of: db, web',
        ),
        (
            {"details": {"plugins": [{"repo": "https://github.com/a/b", "components": ["web", "api"]}]}},
            'spec.plugins[0].components[1]: there is no such component, found "api"; use one of: db, web',
        ),
        (
            {"details": {"overrides": {"web": {"plan": "gold"}}}},
            'spec.overrides.web.plan: is not a plan of a web service, found "gold"; use one of: free, starter',
        ),
        (
            {"details": {"env": {"web": {"A": "${params.x}"}}}},
            "spec.env.web.A: unknown name in ${params.}",
        ),
        (
            {"details": {"environment": "staging"}},
            'spec.environment: crm has no such environment, found "staging"; it has none: remove it',
        ),
    ],
)
def test_what_does_not_go_with_the_blueprint_is_named(columns, message):
    found = against(**columns)
    assert len(found) == 1, found
    assert found[0].startswith(message)


def test_a_live_name_that_gets_too_long_is_found_at_the_door():
    template = {"services": [{"type": "web", "name": "w" * 55, "runtime": "node"}]}
    found = against(stored(template=template), name="acme-holding", tier="", params={})
    assert len(found) == 1
    assert found[0].startswith("blueprint crm services[0]: the live name would have 68 characters")


def test_one_of_several_environments_must_be_chosen():
    stacks = [{"name": name, **TEMPLATE} for name in ("production", "staging")]
    document = stored(template={"projects": [{"name": "crm", "environments": stacks}]})
    assert against(document, tier="", params={}) == [
        "spec.environment: crm has several environments; it has: production, staging"
    ]
    assert against(document, tier="", params={}, details={"environment": "staging"}) == []


def test_warnings_of_every_environment_are_told_once():
    stacks = [{"name": name, **TEMPLATE} for name in ("production", "staging")]
    document = stored(template={"previewsEnabled": True, "projects": [{"name": "crm", "environments": stacks}]})
    assert [one.path for one in manifest.warnings(document)] == ["spec.template.previewsEnabled"]
