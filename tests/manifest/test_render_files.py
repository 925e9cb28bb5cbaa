"""Real render.yaml files of other people: each becomes a Blueprint, or is refused with a message that says why.

The files are test input beside the project: RECONCILER_SHARED, or `shared` beside the checkout.
"""

import re

import pytest

from reconciler import manifest
from reconciler.core import blueprint as language
from reconciler.core.errors import Invalid
from reconciler.core.kinds import Kind
from reconciler.core.spec import BlueprintSpec
from reconciler.core.template import Asked
from tests.core import builders
from tests.core.world import World
from tests.real_files import FILES, MISTAKEN, accepted, names, needs_files, stored

pytestmark = needs_files

REFUSED = {
    "001": [":75 services: stands twice, on lines 4 and 75; keep one of the two, or merge them"],
    "003": [':21 spec.template.services[1].plan: is not a plan of a cron job, found "free"; use one of: starter, '],
    "007": [':30 spec.template.services[0].envVars.fromGroup.email: fromGroup names no group that this Blueprint '
            'defines, found "email"; define it under envVarGroups, or name one that is there: production',
            ':31 spec.template.services[0].envVars.fromGroup.init-data: '],
    "017": [":2 spec.template.services[0].name: is required; give it a name",
            ":4 spec.template.disk: unknown field; indent it, so that it stands below the service it belongs to",
            ":9 spec.template.buildCommand: unknown field; indent it, so that it stands below the service"],
    "018": [":57 services: stands twice, on lines 2 and 57; keep one of the two, or merge them"],
    "019": ['found "MEEP production environment"; define it under envVarGroups'],
    "024": [":70 spec.template.databases[1].type: unknown field of a postgres; list what is no Postgres under",
            ":74 spec.template.databases[1].maxmemoryPolicy: cannot stand on a postgres; remove it; it is for: key"],
    "029": [":43 spec.template.envVarGroups[0].envVars[0].fromService: a group holds values only; move the"],
    "033": [":104 spec.template.volumes: unknown field; use one of: services, ",
            ':50 spec.template.services[1].type: is not a type of service, found "db"; list it under `databases`',
            ':39 spec.template.services[0].healthCheck: unknown field of a web service; did you mean "healthCheck'],
    "034": [':25 spec.template.services[1].type: is not a type of service, found "db"; list it under `databases`'],
    "041": [':28 spec.template.services[0].envVars[6].key: is set twice here, found "DATABASE_URL"; '
            "keep one of the two; the other is services[0].envVars[0]"],
    "065": [":15 spec.template.services[0].envVars[1]: has several sources: value, sync; keep one"],
    "081": [':10 spec.template.services[0].dockerContext: must be text, found "false"; put it in quotes'],
    "086": [':35 spec.template.services[0].envVars.DATABASE_URL: fromDatabase names nothing that this Blueprint '
            'defines, found "mydatabase"; define it here, or name one that is there: elephant, private'],
    "087": [":2 spec.template.services: nothing is defined; list at least one service, database or env group"],
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


LOCATED = re.compile(r"(?P<file>[\w.-]+):\d+ \S.*: .+")


def refusal(path):
    with pytest.raises(Invalid) as caught:
        stored(path)
    return caught.value.problems


def every_choice(name):
    """The Blueprint of a file, and a tenant for each environment there is to choose."""
    document = stored(FILES / name)
    spec = manifest.reader.blueprint("real", document)
    for environment in language.environments(document["template"]) or ("",):
        yield spec, builders.tenant(environment=environment, tier="")


def lived(spec: BlueprintSpec, tenant):
    """Let a tenant live in the small Render of the core's tests: secrets given, until nothing is left to do."""
    world = World(spec, tenant)
    stack = world.stack()
    world.secrets |= {reference: f"given {reference.name}" for reference in stack.secrets}
    return world, stack


@pytest.mark.parametrize("name", accepted())
def test_a_real_file_becomes_a_stack_in_each_of_its_environments(name):
    for spec, tenant in every_choice(name):
        template = language.normalise(spec.template, environment=tenant.environment)
        _, stack = lived(spec, tenant)
        assert {key for key in stack.resources if not key.startswith("@")} == set(template.components)
        for key, component in template.components.items():
            resource = stack.resources[key]
            assert resource.kind is component.kind
            assert resource.name == f"{key}-acme"
            assert set(resource.env) >= set(component.env)
            assert resource.groups == component.groups
            assert resource.after <= set(stack.resources)


@pytest.mark.parametrize("name", accepted())
def test_a_real_file_is_planned_whole_and_then_nothing_is_left(name):
    for spec, tenant in every_choice(name):
        world, stack = lived(spec, tenant)
        first = world.plan()
        assert not first.empty
        world.converge()
        assert set(world.owned) == set(stack.resources)
        assert world.plan().empty
        assert world.plan().drift == ()


def test_what_is_mistaken_is_told_file_by_file():
    assert set(REFUSED) == MISTAKEN


@pytest.mark.parametrize("number", REFUSED)
def test_a_real_file_with_a_mistake_is_refused_by_name(number):
    (path,) = FILES.glob(f"{number}-*.yaml")
    found = refusal(path)
    for says in REFUSED[number]:
        assert any(says in str(problem) for problem in found), [str(problem) for problem in found]
    assert_a_person_can_act_on(found, path)


@pytest.mark.parametrize("number", INVALID)
def test_an_invalid_file_is_refused_for_each_of_its_mistakes(number):
    (path,) = (FILES / "invalid").glob(f"{number}-*.yaml")
    found = refusal(path)
    for says in INVALID[number]:
        assert any(says in str(problem) for problem in found), [str(problem) for problem in found]
    assert_a_person_can_act_on(found, path)


def assert_a_person_can_act_on(problems, path):
    """Every message names the file, a line of it, the field, and what to do; the word it quotes is on that line."""
    lines = path.read_text("utf-8").splitlines()
    for problem in problems:
        located = LOCATED.fullmatch(str(problem))
        assert located and located["file"] == path.name, str(problem)
        assert problem.remedy, str(problem)
        line = lines[problem.line - 1]
        assert line.strip() and not line.lstrip().startswith("#"), (str(problem), line)
        field = re.split(r"[.\[]", problem.path)[-1].rstrip("]")
        if field.isalpha() and field != "template" and "required" not in problem.message and problem.value:
            assert field in line or problem.value.strip('"') in line, (str(problem), line)


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
