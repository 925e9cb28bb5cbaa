"""Answers for the applications themselves: what a tenant sees at its own address.

200 while a deploy is live, 503 while suspended or in maintenance, 502 when nothing came up, 404 when nobody
knows the host. Names of variables are shown so that a test can look; values never.
"""

from reconciler.simulator import models
from reconciler.simulator.services.view import DOMAIN
from reconciler.simulator.wire import Json
from reconciler.simulator.world import World


def concerns(world: World, host: str) -> bool:
    """Tell whether a request for a host is meant for a tenant's application."""
    return host.endswith(f".{DOMAIN}") or host in world.domain_names


def answer(world: World, host: str) -> tuple[int, Json]:
    """Answer as the application behind a host."""
    service = _service_of(world, host)
    if service is None:
        return 404, {"message": f"no service answers for {host}"}
    maintenance = service.details.get("maintenanceMode") or {}
    if service.suspenders:
        return 503, {"message": "service suspended"}
    if maintenance.get("enabled"):
        return 503, {"message": "service under maintenance"}
    if service.running is None or service.broken:
        return 502, {"message": "bad gateway"}
    return 200, {
        "service": service.name, "deploy": service.running["deploy"], "env_keys": sorted(service.running["env"]),
    }  # fmt: skip


def _service_of(world: World, host: str) -> models.Service | None:
    slug, dot, rest = host.partition(".")
    if dot and rest == DOMAIN:
        service = world.services.get(world.slugs.get(slug, ""))
        if service is None or service.type not in ("web_service", "static_site"):
            return None
        return None if service.details.get("renderSubdomainPolicy") == "disabled" else service
    domain = world.domains.get(world.domain_names.get(host, ""))
    if domain is None or not domain.verified:
        return None
    return world.services.get(domain.service_id)
