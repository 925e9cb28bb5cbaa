"""What the contract suite runs against: one sort of target for the simulator, cassettes and Render itself.

A target hands out a client (`ports.Render`), names, objects to work on, and lets time pass as it does there.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from reconciler.core.actions import Action, Verb
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.values import Sensitive
from reconciler.ports import Plaintext, Render, Reply

T = TypeVar("T")
NOTHING = Plaintext()
VARIABLES = {"TOKEN": "correct-horse-battery-staple", "DATABASE_URL": "postgres://crm:hunter2hunter2@db/crm"}
FILES = {"key.pem": "-----BEGIN KEY-----\nbm90IGEga2V5\n-----END KEY-----\n"}
LATER = {
    "TOKEN": "tr0ub4dor-and-3-more",
    "ADDED": "s3cond-added-secret",
    "key.pem": "another key\n",
    "b.txt": "é and \x01",
}
PLAIN = frozenset({*VARIABLES.values(), *FILES.values(), *LATER.values(), "hunter2hunter2"})
"""Every secret that the suite sends: none of them may be found in a cassette."""
SECRETS = Plaintext(
    values={key: Sensitive(text) for key, text in VARIABLES.items()},
    files={name: Sensitive(text) for name, text in FILES.items()},
)
CARRY_SECRETS = frozenset({Kind.WEB, Kind.PRIVATE, Kind.WORKER, Kind.CRON, Kind.STATIC, Kind.ENV_GROUP})
STEP_S = 30.0
STEPS_MAX = 60
REPO = "https://github.com/render-examples/express-hello-world"
IMAGE = {"runtime": "image", "imagePath": "docker.io/library/nginx:latest", "plan": "starter", "region": "oregon"}
CREATES = {
    Kind.WEB: {
        **IMAGE, "numInstances": 1, "healthCheckPath": "/", "maxShutdownDelaySeconds": 60, "autoDeployTrigger": "off",
        "previews": "off", "maintenanceMode": {"enabled": False, "uri": ""}, "renderSubdomainPolicy": "enabled",
    },
    Kind.PRIVATE: {
        "runtime": "docker", "repo": REPO, "branch": "main", "dockerContext": ".", "dockerfilePath": "./Dockerfile",
        "plan": "starter", "region": "oregon", "autoDeployTrigger": "off",
        "buildFilter": {"paths": ["src/**"], "ignoredPaths": ["docs/**"]},
        "disk": {"name": "data", "mountPath": "/data", "sizeGB": 1},
    },
    Kind.WORKER: {
        "runtime": "node", "repo": REPO, "branch": "main", "buildCommand": "npm ci", "startCommand": "npm start",
        "preDeployCommand": "npm test", "plan": "starter", "region": "frankfurt", "autoDeployTrigger": "commit",
        "autoscaling": {"min": 1, "max": 3, "cpu": 60, "memory": None},
    },
    Kind.CRON: {**IMAGE, "schedule": "0 3 1 1 *", "dockerCommand": "true"},
    Kind.STATIC: {
        "repo": REPO, "branch": "main", "rootDir": "", "buildCommand": "true", "publishPath": "public",
        "autoDeployTrigger": "off", "headers": [["/*", "X-Frame-Options", "DENY"]],
        "routes": [["redirect", "/old", "/new"], ["rewrite", "/*", "/index.html"]],
    },
    Kind.POSTGRES: {
        "plan": "basic_256mb", "region": "oregon", "version": "16", "databaseName": "crm", "databaseUser": "crm",
        "diskSizeGB": 15, "highAvailabilityEnabled": False, "diskAutoscalingEnabled": False,
        "ipAllowList": [{"cidrBlock": "203.0.113.0/24", "description": "office"}],
    },
    Kind.KEY_VALUE: {
        "plan": "starter", "region": "oregon", "maxmemoryPolicy": "noeviction", "persistenceMode": "snapshot",
        "ipAllowList": [],
    },
    Kind.ENV_GROUP: {},
    Kind.PROJECT: {"environment": "production", "networkIsolationEnabled": False, "protectedStatus": "unprotected"},
}  # fmt: skip
"""The cheapest of each kind that can take every step of the suite."""


@dataclass
class Made:
    """An object to work on, and what its creation answered."""

    kind: Kind
    observed: Observed
    reply: Reply

    @property
    def id(self) -> str:
        """Its id."""
        return self.observed.id

    def do(self, verb: Verb, **more: object) -> Action:
        """An action on it."""
        return Action(verb=verb, component="it", kind=self.kind, name=self.observed.name, id=self.id, **more)


@dataclass
class Target:
    """A place to run the suite at. `shown` answers what a secret looks like there."""

    client: Render
    prefix: str
    shown: Callable[[str], str] = str
    kinds: Collection[Kind] = frozenset(CREATES)
    wait: Callable[[], Awaitable[None]] = field(default=lambda: asyncio.sleep(0))
    lacking: tuple[type[Exception], ...] = ()
    """Errors that mean only that the workspace's plan lacks a feature."""

    def name(self, word: str) -> str:
        """Name something of ours."""
        return f"{self.prefix}{word}"

    async def create(self, kind: Kind, word: str = "", plaintext: Plaintext | None = None) -> Made:
        """Create one object of a kind, with secrets where it takes some."""
        name = self.name(word or kind.name.lower().replace("_", "-"))
        carried = plaintext or (SECRETS if kind in CARRY_SECRETS else NOTHING)
        action = Action(verb=Verb.CREATE, component="it", kind=kind, name=name, payload=CREATES[kind])
        reply = await self.client.send(action, carried)
        assert reply.observed is not None
        return Made(kind, reply.observed, reply)

    @asynccontextmanager
    async def borrow(self, kind: Kind) -> AsyncIterator[Made]:
        """Hand out one object of a kind that the test leaves as it found it."""
        yield await self.create(kind)

    def forget(self, made: Made) -> None:
        """Take note that a test deleted what it borrowed."""

    async def until(self, look: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
        """Look again and again, letting time pass in between, until what is seen is good."""
        for _ in range(STEPS_MAX):
            found = await look()
            if good(found):
                return found
            await self.wait()
        raise AssertionError(f"still not as it should be: {found}")


async def step(base_url: str, seconds: float) -> None:
    """Move a simulator's clock, past any recorder of HTTP traffic: over a plain socket."""
    where = urlsplit(base_url)
    body = json.dumps({"step_s": seconds}).encode()
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        b"POST /_sim/clock HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    await writer.drain()
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
