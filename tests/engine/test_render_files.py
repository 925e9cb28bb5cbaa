"""Real render.yaml files, unmodified, brought up by the whole operator on the simulator; then nothing is written."""

import httpx
import pytest

from reconciler import manifest
from reconciler.core import blueprint as language
from reconciler.core.compile import compile_stack
from reconciler.core.kinds import Kind
from reconciler.core.spec import TenantSpec
from reconciler.core.stack import Stack
from tests.engine.world import ACTOR, World, env_of, give_secret
from tests.real_files import FILES, accepted, needs_files, stored

pytestmark = needs_files

EVERY_DAY = {
    "000": "the CRM that tenants are made of: scaling, workers, a shared group",
    "072": "temporal: private services, a disk, keys with dots, capitals in plans",
    "077": "a cron job that never fires, an initialDeployHook, older plans",
    "090": "one of several environments",
    "091": "a static site, a cron job, a Key Value and a worker in one file",
    "092": "an image with a registry credential",
}
"""Files that run at every `make test`, and what each stands for; between them they have every kind. `make check` runs
every file that is accepted."""
NAMES = [
    pytest.param(name, marks=[] if name.partition("-")[0] in EVERY_DAY else [pytest.mark.long]) for name in accepted()
]
LISTS = ("services", "postgres", "key_values", "env_groups")


def desired(document: dict, environment: str) -> Stack:
    """What the tenant's stack must be, compiled by hand."""
    spec = manifest.reader.blueprint("real", document)
    return compile_stack(spec, 1, TenantSpec(name="acme", blueprint="real", environment=environment))


async def sign_up(world: World, name: str) -> Stack:
    """Apply the file and a tenant of it, in the last of its environments, with every secret it asks for."""
    document = stored(FILES / name)
    choices = language.environments(document["template"]) or ("",)
    stack = desired(document, choices[-1])
    named = {
        str(one.fields["registryCredential"]) for one in stack.resources.values() if "registryCredential" in one.fields
    }
    for credential in named:
        await register(world, credential)
    await world.registry.put_blueprint("real", document, ACTOR)
    details = {"environment": choices[-1]} if len(choices) > 1 else {}
    await world.registry.put_tenant({"name": "acme", "blueprint": "real", "details": details}, ACTOR)
    for reference in stack.secrets:
        if reference not in stack.generate:
            await give_secret(world, "acme", reference.name, f"given {reference.name}")
    return stack


async def register(world: World, credential: str) -> None:
    """Do in the dashboard what a person must: tell Render how to log in at a registry."""
    body = {"registry": "GITHUB", "name": credential, "username": "u", "authToken": "t"}
    body["ownerId"] = world.wiring.render.owner_id
    key = world.settings.render_api_key
    async with httpx.AsyncClient() as http:
        reply = await http.post(
            f"{world.settings.render_api_url}/registrycredentials",
            json=body,
            headers={"authorization": f"Bearer {key}"},
        )
    reply.raise_for_status()


@pytest.mark.parametrize("name", NAMES)
async def test_a_real_file_comes_up_and_stays_quiet(name: str, world: World) -> None:
    stack = await sign_up(world, name)
    await world.settle("acme", step_s=30.0)
    truth = await world.simulator.truth()
    live = {one["name"] for kind in LISTS for one in truth[kind] if one.get("role") != "replica"}
    wanted = {one.name: one for key, one in stack.resources.items() if not key.startswith("@")}
    assert live == set(wanted)
    assert truth["throttled"] == 0
    for service in truth["services"]:
        resource = wanted[service["name"]]
        plain = {key: value[0] for key, value in resource.env.items() if len(value) == 1 and isinstance(value[0], str)}
        assert plain.items() <= env_of(service).items()
        # what runs has it all: references and secrets too, and every variable of the linked groups
        groups = {key for group in resource.groups for key in stack.resources[group].env}
        assert set(resource.env) | groups <= set(service["running"]["env"])
    jobs = [one["path"] for one in truth["writes"] if one["path"].endswith("/jobs")]
    assert len(jobs) == sum(bool(one.initial_deploy_hook) for one in stack.resources.values())
    assert await world.quiet() == []
    row = await world.tenant("acme")
    assert row.status is not None and row.status.phase == "Ready"


def test_the_files_of_every_day_have_every_kind() -> None:
    """Otherwise `make test` would miss a kind without anybody noticing."""
    kinds = set()
    for name in accepted():
        if name.partition("-")[0] in EVERY_DAY:
            document = stored(FILES / name)
            environment = (language.environments(document["template"]) or ("",))[-1]
            kinds |= {one.kind for one in desired(document, environment).resources.values()}
    assert kinds == set(Kind)
