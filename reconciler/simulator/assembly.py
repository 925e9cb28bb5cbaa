"""Puts a world together: its tables, what advances each kind, and the routes of the API."""

from reconciler.simulator import (
    audit,
    blueprints,
    deploy_routes,
    deploys,
    disks,
    domains,
    edge,
    events,
    groups,
    insights,
    key_values,
    logs,
    metrics,
    platform,
    postgres,
    postgres_routes,
    projects,
    runs,
    smalls,
)
from reconciler.simulator.api import Api
from reconciler.simulator.config import SimulatorConfig
from reconciler.simulator.services import env
from reconciler.simulator.services import routes as service_routes
from reconciler.simulator.wire import Route
from reconciler.simulator.world import World

ROUTES: list[Route] = [
    *service_routes.ROUTES, *env.ROUTES, *deploy_routes.ROUTES, *disks.ROUTES, *domains.ROUTES, *edge.ROUTES,
    *events.ROUTES, *runs.ROUTES, *postgres_routes.ROUTES, *key_values.ROUTES, *groups.ROUTES, *projects.ROUTES,
    *smalls.ROUTES, *platform.ROUTES, *metrics.ROUTES, *logs.ROUTES, *insights.ROUTES,
    *blueprints.ROUTES, *audit.ROUTES,
]  # fmt: skip


def make_world(config: SimulatorConfig) -> World:
    """Make a world, or continue the one in the state file."""
    world = World(config)
    world.advance = {
        "deploy": deploys.advance, "domain": domains.advance, "run": runs.advance,
        "service": runs.fire, "small": platform.advance,
        "postgres": postgres.advance, "key_value": key_values.advance,
    }  # fmt: skip
    world.load()
    world.save_clock()
    return world


def make_api(config: SimulatorConfig) -> Api:
    """Make the API of a new or continued world."""
    return Api(make_world(config), ROUTES)
