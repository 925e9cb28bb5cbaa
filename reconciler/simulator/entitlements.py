"""Refuses what the plan of the workspace does not include; without a plan (the default) everything is included.

Render API: hobby has at most 25 services, two environments a project, no autoscaling, no isolated or protected
environments and no webhooks; pro has one webhook, scale a hundred. The status of the refusal is not documented.
"""

from reconciler.simulator.wire import invalid
from reconciler.simulator.world import World

HOBBY = "hobby"
HOBBY_SERVICES, HOBBY_ENVIRONMENTS = 25, 2
WEBHOOKS = {HOBBY: 0, "pro": 1, "scale": 100}


def one_more_service(world: World) -> None:
    """Refuse a service above what the plan includes."""
    if world.settings.workspace_plan == HOBBY and len(world.services) >= HOBBY_SERVICES:
        raise invalid(f"plan hobby includes at most {HOBBY_SERVICES} services")


def environments(world: World, count: int) -> None:
    """Refuse a project with that many environments."""
    if world.settings.workspace_plan == HOBBY and count > HOBBY_ENVIRONMENTS:
        raise invalid(f"environments: plan hobby includes at most {HOBBY_ENVIRONMENTS} a project")


def needs_pro(world: World, wanted: bool, field: str) -> None:
    """Refuse a feature that begins with plan pro."""
    if wanted and world.settings.workspace_plan == HOBBY:
        raise invalid(f"{field} needs a workspace on plan pro or higher")


def one_more_webhook(world: World) -> None:
    """Refuse a webhook above what the plan includes."""
    most = WEBHOOKS.get(world.settings.workspace_plan)
    if most is not None and len(world.webhook_ids) >= most:
        raise invalid(f"plan {world.settings.workspace_plan} includes at most {most} webhooks")
