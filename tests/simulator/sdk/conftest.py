"""The official SDK's client at a simulator, and calls that insist on typed answers."""

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from render.public_api.api.services import create_service
from render.public_api.client import AuthenticatedClient
from render.public_api.models import (
    CronJobDetailsPOST,
    Error,
    NativeEnvironmentDetails,
    NativeEnvironmentDetailsPOST,
    ServicePOST,
    ServiceRuntime,
    ServiceType,
    StaticSiteDetailsPOST,
    WebServiceDetailsPOST,
)

from tests.simulator.conftest import OWNER, Simulator
from tests.simulator.sdk import shapes

REPO = "https://github.com/acme/app"
REDIRECTION, NOT_FOUND = 300, 404
LIFE_S = 600  # longer than any deploy, restart or run of a simulated life


class Sdk:
    """Endpoint functions of the SDK, called over real HTTP."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.client = AuthenticatedClient(
            base_url=f"{sim.base}/v1", token="k1", raise_on_unexpected_status=True, timeout=httpx.Timeout(10)
        )

    def __call__(self, endpoint: ModuleType, *args: Any, **given: Any) -> Any:
        """Call and insist on success of the promised type that says what the JSON said; the typed answer."""
        answer = endpoint.sync_detailed(*args, client=self.client, **given)
        assert answer.status_code < REDIRECTION, f"{endpoint.__name__}: {answer.status_code} {answer.content!r}"
        if not answer.content:
            assert answer.parsed is None
            return None
        assert answer.parsed is not None and not isinstance(answer.parsed, Error)
        found = list(shapes.complaints(answer.parsed, shapes.promised(endpoint)))
        found += shapes.differences(shapes.plain(answer.parsed), json.loads(answer.content))
        assert not found, f"{endpoint.__name__}: {found}"
        return answer.parsed

    def refused(self, status: int, endpoint: ModuleType, *args: Any, **given: Any) -> str:
        """Call and insist on a refusal with the SDK's error model; its message."""
        answer = endpoint.sync_detailed(*args, client=self.client, **given)
        assert answer.status_code == status, f"{endpoint.__name__}: {answer.status_code} {answer.content!r}"
        assert type(answer.parsed) is Error and isinstance(answer.parsed.message, str)
        return answer.parsed.message

    def gone(self, endpoint: ModuleType, key: str, *args: Any) -> None:
        """Insist that something is not there any more."""
        assert self.refused(NOT_FOUND, endpoint, key, *args) == f"not found: {args[-1] if args else key}"

    def pages(self, endpoint: ModuleType, key: str, *args: Any, limit: int = 2, **given: Any) -> list[Any]:
        """Walk a list to its end by cursors; its typed items."""
        items, cursors, cursor = [], [], None
        while True:
            after = {} if cursor is None else {"cursor": cursor}
            page = self(endpoint, *args, limit=limit, **after, **given)
            assert len(page) <= limit
            if not page:
                break
            items += [getattr(line, key) for line in page]
            cursors += [line.cursor for line in page]
            cursor = cursors[-1]
        assert len(set(cursors)) == len(cursors) == len(items) > limit
        return items

    def live(self) -> None:
        """Let everything that is under way come to its end."""
        self.sim.step(LIFE_S)

    def service(self, name: str, details: Any = None, kind: ServiceType = ServiceType.WEB_SERVICE, **more: Any) -> Any:
        """Create a service of a repository, a web service of Node unless told otherwise."""
        body = ServicePOST(
            type_=kind, name=name, owner_id=OWNER, repo=REPO, service_details=details or web_details(), **more
        )  # fmt: skip
        return self(create_service, body=body).service

    def site(self, name: str = "site") -> Any:
        """Create a static site."""
        return self.service(name, StaticSiteDetailsPOST(build_command="make"), ServiceType.STATIC_SITE)

    def cron(self, name: str = "cron") -> Any:
        """Create a cron job that runs at midnight."""
        commands = NativeEnvironmentDetails(build_command="make", start_command="./run")
        details = CronJobDetailsPOST(
            schedule="0 0 * * *", runtime=ServiceRuntime.PYTHON, env_specific_details=commands
        )  # fmt: skip
        return self.service(name, details, ServiceType.CRON_JOB)


def commands() -> NativeEnvironmentDetailsPOST:
    """Say how to build and start."""
    return NativeEnvironmentDetailsPOST(build_command="npm ci", start_command="npm start")


def web_details(**more: Any) -> WebServiceDetailsPOST:
    """Ask for a web service of Node."""
    return WebServiceDetailsPOST(runtime=ServiceRuntime.NODE, env_specific_details=commands(), **more)


def newest_first(items: list[Any]) -> bool:
    """Tell whether items come newest first, as ids sort by creation."""
    keys = [item.id[4:] for item in items]
    return keys == sorted(keys, reverse=True) and len(set(keys)) == len(keys)


@pytest.fixture
def sdk(sim: Simulator) -> Iterator[Sdk]:
    """The SDK at an empty world without rate limits, newer than the recordings in the one key the SDK insists on."""
    sim.set(limits_enabled=False, postgres_connection_pool=True)
    made = Sdk(sim)
    yield made
    made.client.get_httpx_client().close()
