"""Answers the calls on custom domains.

Render API: an apex or a www name brings the pair of both; POST answers an array with nanoseconds; deletion by
id or by name (recorded: webservice/web_service, staticsite/static_site).
"""

import re

from reconciler.simulator import checks, lists, metering, models, times
from reconciler.simulator.wire import Bucket, Call, Json, Reply, Route, accepted, conflict, gone, invalid
from reconciler.simulator.world import World

SECOND_LEVEL = frozenset({"co", "com", "org", "net", "ac", "gov", "edu"})
NAME = re.compile(r"(?=.{4,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")
COUNTRY = 2
MANY = 3


def public_suffix(name: str) -> str:
    """Tell the part of a name under which anyone can register."""
    labels = name.split(".")
    if len(labels) >= MANY and len(labels[-1]) == COUNTRY and labels[-2] in SECOND_LEVEL:
        return ".".join(labels[-2:])
    return labels[-1]


def is_apex(name: str) -> bool:
    """Tell whether a name is the registered domain itself."""
    return name.count(".") == public_suffix(name).count(".") + 1


def add(world: World, service: models.Service, name: str) -> list[models.Domain]:
    """Give a service a domain, and its www or apex twin."""
    name = name.lower()
    if not NAME.match(name):
        raise invalid(f"invalid name: {name}")
    if service.type not in ("web_service", "static_site"):
        raise invalid(f"custom domains are not supported for {service.type}")
    twin = None
    if is_apex(name):
        twin = f"www.{name}"
    elif name.startswith("www.") and is_apex(name[4:]):
        twin = name[4:]
    for wanted in (name, twin):
        if wanted is not None and wanted in world.domain_names:
            raise conflict(f"name already in use: {wanted}")
    made = [_make(world, service, name, "")]
    if twin is not None:
        made.append(_make(world, service, twin, name))
    return made


def _make(world: World, service: models.Service, name: str, redirect_for: str) -> models.Domain:
    now_ns = world.stamp_ns()
    domain = models.Domain(
        id=world.ids.new("cdm", now_ns), service_id=service.id, name=name,
        domain_type="apex" if is_apex(name) else "subdomain", public_suffix=public_suffix(name),
        redirect_for=redirect_for, verified=False, created_ns=now_ns,
    )  # fmt: skip
    world.domains.add(domain)
    world.domain_names[name] = domain.id
    service.domain_ids.append(domain.id)
    world.services.touch(service)
    metering.service(world, service)
    return domain


def remove(world: World, domain: models.Domain) -> None:
    """Take a domain away, and the twin that redirects to it."""
    service = world.service(domain.service_id)
    twins = [item for item in of_service(world, service) if item.redirect_for == domain.name]
    for item in (*twins, domain):
        world.domains.remove(item)
        world.domain_names.pop(item.name, None)
        service.domain_ids.remove(item.id)
    world.services.touch(service)
    metering.service(world, service)


def of_service(world: World, service: models.Service) -> list[models.Domain]:
    """Find the domains of a service, newest first."""
    return [item for key in reversed(service.domain_ids) if (item := world.domains.get(key)) is not None]


def view(domain: models.Domain, *, nanos: bool = False) -> Json:
    """Show a domain."""
    return {
        "createdAt": (times.nano if nanos else times.micro)(domain.created_ns),
        "domainType": domain.domain_type, "id": domain.id, "name": domain.name,
        "publicSuffix": domain.public_suffix, "redirectForName": domain.redirect_for,
        "verificationStatus": "verified" if domain.verified else "unverified",
    }  # fmt: skip


def find(world: World, service: models.Service, key: str) -> models.Domain:
    """Find a domain of a service by id or name, or refuse."""
    domain = world.domains.get(key) or world.domains.get(world.domain_names.get(key.lower(), ""))
    if domain is None or domain.service_id != service.id:
        raise world.missing(key)
    return domain


def create(call: Call) -> Reply:
    """Answer POST /services/{id}/custom-domains."""
    service = call.world.service(call.params["id"])
    made = add(call.world, service, checks.text(call.body(), "name"))
    return Reply(201, [view(domain, nanos=True) for domain in made])


def list_all(call: Call) -> Reply:
    """Answer GET /services/{id}/custom-domains."""
    service = call.world.service(call.params["id"])
    wanted = (
        lists.Filters(call, models.Domain)
        .one_of("name", lambda item: item.name)
        .one_of("domainType", lambda item: item.domain_type)
        .one_of("verificationStatus", lambda item: "verified" if item.verified else "unverified")
        .between("created", lambda item: item.created_ns)
    )
    found = [item for item in of_service(call.world, service) if wanted.accept(item)]
    return lists.nested(call, [(item.id, view(item)) for item in found], "customDomain")


def get_one(call: Call) -> Reply:
    """Answer GET /services/{id}/custom-domains/{domain}."""
    return Reply(200, view(find(call.world, call.world.service(call.params["id"]), call.params["domain"])))


def delete(call: Call) -> Reply:
    """Answer DELETE /services/{id}/custom-domains/{domain}."""
    remove(call.world, find(call.world, call.world.service(call.params["id"]), call.params["domain"]))
    return gone()


def verify(call: Call) -> Reply:
    """Answer POST .../verify: asked now, true a little later if DNS points here."""
    world = call.world
    domain = find(world, world.service(call.params["id"]), call.params["domain"])
    if not domain.verified and world.settings.dns_points_here:
        domain.due_ns = world.in_s(world.settings.domain_verify_s)
        world.domains.touch(domain)
        world.schedule("domain", domain)
    return accepted()


def advance(world: World, domain: models.Domain) -> None:
    """Finish a verification."""
    domain.due_ns = 0
    domain.verified = True
    world.domains.touch(domain)
    for item in of_service(world, world.service(domain.service_id)):
        if item.redirect_for == domain.name:
            item.verified = True
            world.domains.touch(item)


ROUTES = [
    Route("POST", "/services/{id}/custom-domains", create, Bucket.DOMAIN),
    Route("GET", "/services/{id}/custom-domains", list_all),
    Route("GET", "/services/{id}/custom-domains/{domain}", get_one),
    Route("DELETE", "/services/{id}/custom-domains/{domain}", delete),
    Route("POST", "/services/{id}/custom-domains/{domain}/verify", verify),
]
