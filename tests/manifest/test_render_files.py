"""Real render.yaml files of other people: each becomes a Blueprint, or is refused with a message that says why.

The files are test input beside the project: RECONCILER_SHARED, or `shared` beside the checkout.
"""

import os
from pathlib import Path

import pytest

from reconciler import manifest
from reconciler.core import blueprint as language
from reconciler.core.errors import Invalid
from reconciler.core.kinds import Kind
from reconciler.core.template import Asked

SHARED = Path(os.environ.get("RECONCILER_SHARED") or Path(__file__).parents[3] / "shared")
FILES = SHARED / "blueprints"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason=f"no real render.yaml files at {FILES}")

DOCUMENT = """\
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: real}
spec:
  templateFile: FILE
  source: {repo: "https://github.com/acme/real", branch: main}
"""

REFUSED = {
    "001": [":75 services: stands twice, on lines 4 and 75"],
    "003": [":21 spec.template.services[1].plan: is not a plan of a cron job, found \"free\""],
    "007": ['fromGroup names no group that this Blueprint defines, found "email"'],
    "017": ["spec.template.disk: unknown field", ":2 spec.template.services[0].name: is required"],
    "018": [":57 services: stands twice, on lines 2 and 57"],
    "019": ['fromGroup names no group that this Blueprint defines, found "MEEP production environment"'],
    "024": ["databases[1].type: unknown field", "databases[1].maxmemoryPolicy: cannot stand on a postgres"],
    "029": ["envVarGroups[0].envVars[0].fromService: a group holds values only"],
    "033": ["volumes: unknown field", 'found "db"; list it under `databases`', 'did you mean "healthCheckPath"?'],
    "034": [":25 spec.template.services[1].type: is not a type of service"],
    "041": [':28 spec.template.services[0].envVars[6].key: is set twice here, found "DATABASE_URL"'],
    "065": [":15 spec.template.services[0].envVars[1]: has several sources: value, sync; keep one"],
    "081": ['dockerContext: must be text, found "false"'],
    "086": ['fromDatabase names nothing that this Blueprint defines, found "mydatabase"'],
    "087": ["services: nothing is defined"],
}  # fmt: skip
INVALID = {
    "01": ["services[0].plan: must be text", "numInstances: must be a whole number",
           "autoDeploy: must be true or false", "domains: must be a list", "sizeGB: must be a whole number",
           "envVars: must be a list", "databases: must be a list"],
    "02": ['services[1].type: is not a type of service, found "lambda"'],
    "03": ['found "no-such-db"', 'found "no-such-cache"', 'found "no-such-service"', 'found "no-such-group"'],
    "04": ['two services have this name, found "app"', 'two databases have this name, found "store"',
           'two env groups have this name, found "shared"', 'is set twice here, found "LOG_LEVEL"'],
    "05": ["alpha.TOKEN -> beta.TOKEN -> gamma.TOKEN -> alpha.TOKEN"],
    "07": ['found "ultra-mega"', 'found "basic_256mb"; did you mean "basic-256mb"?', 'found "gold"'],
    "08": ["once its aliases are expanded"],
    "09": ["must hold one mapping"],
    "10": ["services[0].envVars[1]: has neither key nor fromGroup", "services[0].envVars[2]: has neither key"],
}  # fmt: skip
WARNED = {"06": "spec.template.services[0].numInstances: has no effect beside scaling; keep one of the two"}


def stored(path):
    """Take a file in as `apply` does, and answer the object to store."""
    (doc,) = manifest.load_documents(DOCUMENT.replace("FILE", path.name), file="real.yaml")
    return manifest.blueprint_document(manifest.inline_template(doc, lambda name: path.read_text("utf-8")))


def refusal(path):
    with pytest.raises(Invalid) as caught:
        stored(path)
    return [str(problem) for problem in caught.value.problems]


def names(folder, without):
    return sorted(path.name for path in folder.glob("*.yaml") if path.name.split("-")[0] not in without)


@pytest.mark.parametrize("name", names(FILES, REFUSED))
def test_a_real_file_becomes_a_blueprint(name):
    document = stored(FILES / name)
    for environment in language.environments(document["template"]) or ("",):
        assert language.normalise(document["template"], environment=environment).components


@pytest.mark.parametrize("number", REFUSED)
def test_a_real_file_with_a_mistake_is_refused_by_name(number):
    (path,) = FILES.glob(f"{number}-*.yaml")
    found = refusal(path)
    assert all(f"{path.name}:" in message for message in found), found
    for says in REFUSED[number]:
        assert any(says in message for message in found), found


@pytest.mark.parametrize("number", INVALID)
def test_an_invalid_file_is_refused_for_each_of_its_mistakes(number):
    (path,) = (FILES / "invalid").glob(f"{number}-*.yaml")
    found = refusal(path)
    for says in INVALID[number]:
        assert any(says in message for message in found), found


@pytest.mark.parametrize("number", WARNED)
def test_what_has_no_effect_is_a_warning(number):
    (path,) = (FILES / "invalid").glob(f"{number}-*.yaml")
    assert [str(one) for one in manifest.warnings(stored(path))] == [WARNED[number]]


def test_no_invalid_file_is_forgotten():
    assert names(FILES / "invalid", {**INVALID, **WARNED}) == []


def test_the_crm_that_tenants_are_made_of_is_read_unmodified():
    document = stored(FILES / "000-crm-django-nuxt.yaml")
    template = language.normalise(document["template"])
    assert {key: one.kind for key, one in template.components.items()} == {
        "backboneos-shared": Kind.ENV_GROUP,
        "backboneos-db": Kind.POSTGRES,
        "backboneos-redis": Kind.KEY_VALUE,
        "backboneos-backend": Kind.WEB,
        "backboneos-frontend": Kind.WEB,
        "backboneos-celery-worker": Kind.WORKER,
        "backboneos-celery-beat": Kind.WORKER,
        "backboneos-flower": Kind.WEB,
    }
    backend = template.components["backboneos-backend"]
    assert backend.fields["scaling"] == {"min": 2, "max": 3, "cpu": 70}
    assert backend.fields["autoDeployTrigger"] == "commit"
    assert backend.groups == ("backboneos-shared",)
    assert {key for key, form in backend.env.items() if isinstance(form, Asked)} == {"SECRET_KEY", "SENTRY_DSN"}
    assert [str(one) for one in manifest.warnings(document)] == [
        "spec.template.previews: concerns previews only, which tenants do not have"
    ]
