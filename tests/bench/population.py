"""Fills a simulated workspace over HTTP: stacks of ten resources of all kinds, with variables, links and deploys."""

from dataclasses import dataclass, field
from typing import Any

from tests.bench.load import Script, drive, each, request

OWNER = "tea-cccccccccccccccccccc"
STACK = 10
"""Resources of one stack: a project, its environment, five services, a Postgres, a Key Value, an env group."""
CONNECTIONS = 4
VARIABLES = 8
GO_LIVE_S = 600.0
"""Simulated seconds after which every first deploy is live and every datastore available."""


@dataclass(slots=True)
class Population:
    """The ids of what exists, by kind."""

    services: list[str] = field(default_factory=list)
    postgres: list[str] = field(default_factory=list)
    key_values: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        kinds = (self.services, self.postgres, self.key_values, self.groups, self.environments, self.projects)
        return sum(len(ids) for ids in kinds)


def variables(prefix: str) -> list[dict[str, str]]:
    return [{"key": f"{prefix}_{n}", "value": f"value-{n}-of-{prefix.lower()}-" + "x" * 24} for n in range(VARIABLES)]


def services(number: int, environment: str) -> list[dict[str, Any]]:
    """The bodies of a stack's five services, one of each type."""
    common = {"ownerId": OWNER, "environmentId": environment, "envVars": variables("APP")}
    repo = {"repo": "https://github.com/acme/shop", "branch": "main"}
    image = {"image": {"imagePath": "docker.io/acme/shop:1.4.2", "ownerId": OWNER}}
    commands = {"buildCommand": "pip install -r requirements.txt", "startCommand": "gunicorn shop:app"}
    native = {"runtime": "python", "region": "frankfurt", "envSpecificDetails": commands}
    disk = {"name": "data", "mountPath": "/data", "sizeGB": 10}
    docker = {"runtime": "image", "plan": "standard", "region": "frankfurt", "disk": disk}
    cron = {"runtime": "image", "plan": "starter", "region": "frankfurt", "schedule": f"{number % 60} 4 * * *"}
    site = {"buildCommand": "npm run build", "publishPath": "dist"}
    web = {**native, "plan": "starter", "healthCheckPath": "/healthz"}
    return [
        {**common, **repo, "type": "web_service", "name": f"web-{number}", "serviceDetails": web},
        {**common, **image, "type": "private_service", "name": f"api-{number}", "serviceDetails": docker},
        {**common, **repo, "type": "background_worker", "name": f"jobs-{number}", "serviceDetails": native},
        {**common, **image, "type": "cron_job", "name": f"nightly-{number}", "serviceDetails": cron},
        {**common, **repo, "type": "static_site", "name": f"site-{number}", "serviceDetails": site},
    ]  # fmt: skip


def group(name: str) -> dict[str, Any]:
    return {"name": name, "ownerId": OWNER, "envVars": variables("SHARED")}


def _stack(number: int, made: Population) -> Script:
    """Create one stack in the order in which its parts need each other."""
    stages = {"name": f"tenant-{number}", "ownerId": OWNER, "environments": [{"name": "production"}]}
    project = (yield request("POST", "/v1/projects", stages)).json()
    environment = project["environmentIds"][0]
    made.projects.append(project["id"])
    made.environments.append(environment)
    shared = {**group(f"shared-{number}"), "environmentId": environment}
    group_id = (yield request("POST", "/v1/env-groups", shared)).json()["id"]
    made.groups.append(group_id)
    common = {"ownerId": OWNER, "environmentId": environment, "region": "frankfurt"}
    database = {**common, "name": f"db-{number}", "plan": "basic_256mb", "version": "16"}
    made.postgres.append((yield request("POST", "/v1/postgres", database)).json()["id"])
    cache = {**common, "name": f"cache-{number}", "plan": "starter"}
    made.key_values.append((yield request("POST", "/v1/key-value", cache)).json()["id"])
    for body in services(number, environment):
        service = (yield request("POST", "/v1/services", body)).json()["service"]["id"]
        made.services.append(service)
        yield request("POST", f"/v1/env-groups/{group_id}/services/{service}")


def _stacks(numbers: range, made: Population) -> Script:
    for number in numbers:
        yield from _stack(number, made)


def unlimited(port: int) -> None:
    """Switch the rate limits off: they, not the machine, would be measured."""
    drive(port, [each([request("PATCH", "/_sim/settings", {"limits_enabled": False})])])


def step(port: int, world_s: float) -> None:
    """Move the frozen clock."""
    drive(port, [each([request("POST", "/_sim/clock", {"step_s": world_s})])])


def fill(port: int, resources: int) -> Population:
    """Make that many resources, let them all come up, and deploy a tenth of the services again."""
    made, stacks = Population(), resources // STACK
    drive(port, [_stacks(range(first, stacks, CONNECTIONS), made) for first in range(CONNECTIONS)])
    step(port, GO_LIVE_S)
    again = iter([request("POST", f"/v1/services/{one}/deploys", {}) for one in made.services[::10]])
    drive(port, [each(again) for _ in range(CONNECTIONS)])
    step(port, GO_LIVE_S)
    return made
