"""The three targets of the contract suite: the simulator live, its cassettes, and, opted in to, Render itself.

`RECONCILER_RECORD_CASSETTES=1` (make cassettes) records the cassettes anew, each from a simulator of its own.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from reconciler.core.values import Sensitive
from reconciler.render.calls import Hooks, Settings
from reconciler.render.client import RenderClient
from reconciler.render.clock import RenderClock
from reconciler.simulator import times
from reconciler.simulator.config import SimulatorConfig
from tests.render.conftest import KEY, OWNER, START
from tests.render.contract import cassettes, real, targets
from tests.simulator.conftest import free_port, run

RECORD, FOLDER = "RECONCILER_RECORD_CASSETTES", "RECONCILER_CASSETTES"
PREFIX = "contract-"


@asynccontextmanager
async def client_of(base_url: str, failed: list[str]) -> AsyncIterator[RenderClient]:
    """A client of a simulator or a cassette; `failed` hears of every call that got no answer."""

    def told(method: str, what: str, status: int, seconds: float) -> None:
        if not status:
            failed.append(f"{method} {what}")

    client = RenderClient(
        settings=Settings(base_url=base_url, retry_wait_s=0.001),
        api_key=Sensitive(KEY),
        clock=RenderClock(),
        owner_id=OWNER,
        hooks=Hooks(on_request=told),
    )
    try:
        yield client
    finally:
        await client.close(grace_s=5)


@asynccontextmanager
async def live(base_url: str) -> AsyncIterator[targets.Target]:
    """The simulator as it runs; its clock stands still and is stepped."""
    async with client_of(base_url, []) as client:
        yield targets.Target(client, PREFIX, wait=lambda: targets.step(base_url, targets.STEP_S))


@asynccontextmanager
async def played(path: Path) -> AsyncIterator[targets.Target]:
    """A cassette; no network is touched. StaleCassetteError at the end if it does not fit any more."""
    failed: list[str] = []
    with cassettes.cassette(path, record=False) as (tape, scrubber):
        try:
            async with client_of(cassettes.BASE_URL, failed) as client:
                yield targets.Target(client, PREFIX, shown=scrubber.placeholder)
        except Exception:
            await asyncio.sleep(0)  # the client's hooks are called a turn of the loop later
            if failed:
                cassettes.check_played(tape, failed)
            raise
        await asyncio.sleep(0)
        cassettes.check_played(tape, failed)


@asynccontextmanager
async def recorded(path: Path) -> AsyncIterator[targets.Target]:
    """A simulator that starts for this cassette alone, so that what it makes up depends on nothing else."""
    config = SimulatorConfig(port=free_port(), frozen=True, start_ns=times.parse(START), seed=7, owner_id=OWNER)
    with contextmanager(run)(config) as simulator, cassettes.cassette(path, record=True):
        async with live(f"{simulator.base}/v1") as target:
            yield target


def path_of(node: pytest.Item) -> Path:
    """Name the cassette of a test."""
    name = re.sub(r"[^a-z0-9]+", "-", node.name.removeprefix("test_").replace("cassette", "").lower()).strip("-")
    return Path(os.environ.get(FOLDER, cassettes.FOLDER)) / f"{name}.yaml"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an account, leave one test that says so instead of all that would."""
    if not isinstance(real.account_of(os.environ), str):
        return
    others = [item for item in items if isinstance(item, pytest.Function) and "[account" in item.name][1:]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def real_run() -> Iterator[real.Run]:
    """One run against Render itself, cleaned up before and after, whatever happens in between."""
    account = real.account_of(os.environ)
    if isinstance(account, str):
        pytest.skip(account)
    run = real.Run(account)
    run.clean()
    try:
        yield run
    finally:
        run.clean()


@pytest.fixture(params=["live", "cassette", "account"])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[targets.Target]:
    """Where a test of the suite runs."""
    match request.param:
        case "live":
            opened = live(request.getfixturevalue("simulator").url)
        case "cassette":
            opened = (recorded if os.environ.get(RECORD) else played)(path_of(request.node))
        case _:
            opened = request.getfixturevalue("real_run").target()
    kind = request.node.callspec.params.get("kind")
    if request.param == "account" and kind not in {None, *real.KINDS}:
        pytest.skip(f"the cap of creates leaves no room for a {kind}: it goes the same ways as a web service")
    async with opened as target:
        yield target
