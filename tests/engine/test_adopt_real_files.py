"""Stacks of real render.yaml files, left running by a tenant that is no more: proposed from what is live, and kept."""

import pytest

from reconciler.daemon import proposing
from reconciler.daemon.adopting import Adopter
from tests.engine.test_render_files import EVERY_DAY, sign_up
from tests.engine.world import ACTOR, World
from tests.real_files import accepted, needs_files

pytestmark = [needs_files, pytest.mark.long]


@pytest.mark.parametrize("name", [name for name in accepted() if name.partition("-")[0] in EVERY_DAY])
async def test_what_a_real_file_made_is_adopted_from_its_project_alone(name: str, world: World) -> None:
    stack = await sign_up(world, name)
    await world.settle("acme", step_s=30.0)
    await world.registry.set_state("acme", "deleted", ACTOR, purge_mode="orphan")
    await world.settle("acme", phase="Deleted")
    adopter = Adopter(world.wiring)
    await adopter.look()
    made = await proposing.proposed(adopter, "bolt", "found", proposing.Source(project="acme"))
    assert made.notes == ()
    found = await adopter.examine(made.request)
    assert found.fits, (found.plan.actions, found.plan.waits)
    assert {one.observed.name for one in found.rows.values() if one.observed} >= {
        one.name for key, one in stack.resources.items() if not key.startswith("@")
    }
    before = int((await world.simulator.truth())["write_seq"])
    await adopter.take(made.request, found, ACTOR)
    await world.settle("bolt")
    await world.step(90_000)
    assert await world.quiet() == [] and await world.simulator.writes(before) == []
