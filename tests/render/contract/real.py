"""Runs the contract suite against Render itself: opted in to, capped, and cleaned up after whatever happens.

Everything it makes bears a prefix. Creates are counted before they are sent, and the one beyond the cap is refused.
Nothing that it did not make is ever written to. Whatever bears the prefix is deleted before the run and after it, and
looked for until Render says that it is gone; one run at a time and workspace, therefore.
"""

import asyncio
import concurrent.futures
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Conflict, Denied, Gone, Refused, RenderError, Throttled, Unavailable, Unknown
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.values import Sensitive
from reconciler.ports import Plaintext, Reply
from reconciler.render.calls import Settings
from reconciler.render.client import RenderClient
from reconciler.render.clock import RenderClock
from tests.render.contract.targets import Made, Target

KEY, OWNER = "RECONCILER_CONTRACT_API_KEY", "RECONCILER_CONTRACT_OWNER_ID"
URL, CAP, POLL = "RECONCILER_CONTRACT_URL", "RECONCILER_CONTRACT_MAX_CREATES", "RECONCILER_CONTRACT_POLL_S"
COMMON_PREFIX = "reconciler-contract-"
KINDS = frozenset({Kind.WEB, Kind.STATIC, Kind.CRON, Kind.POSTGRES, Kind.KEY_VALUE, Kind.ENV_GROUP, Kind.PROJECT})
"""Seven creates; the eighth is the one of a name that is taken. Private services and workers go the same ways as
web services: leaving them out keeps the suite below the cap."""
CLEANING = (Kind.WEB, Kind.POSTGRES, Kind.KEY_VALUE, Kind.ENV_GROUP)
"""What is deleted first, in order; services of all kinds come with one. Projects go last: they must be empty."""
LOOKS_MAX = 60
PATIENCE_S = 3_700.0
"""A full hour of limits, in the seconds of whoever waits."""
T = TypeVar("T")


class CapReachedError(AssertionError):
    """One create more than the run may send."""


class ForeignObjectError(AssertionError):
    """A write to something that this run did not make."""


class LeftoverError(AssertionError):
    """Something could not be deleted: a person must."""


@dataclass(frozen=True)
class Account:
    """Where to run, and how many objects may be made."""

    key: Sensitive
    owner_id: str
    base_url: str
    max_creates: int
    poll_s: float


def account_of(environ: Mapping[str, str]) -> Account | str:
    """Read who to run as from the environment; the reason why not, where it does not say."""
    missing = [name for name in (KEY, OWNER) if not environ.get(name)]
    if missing:
        return f"runs against Render itself only with {' and '.join(missing)}"
    if environ.get("PYTEST_XDIST_WORKER"):
        return "runs against Render itself in one process only, which counts all creates: pytest -n 0"
    return Account(
        key=Sensitive(environ[KEY]),
        owner_id=environ[OWNER],
        base_url=environ.get(URL, Settings().base_url),
        max_creates=int(environ.get(CAP, "8")),
        poll_s=float(environ.get(POLL, "5")),
    )


class Guarded:
    """The client of one run: it counts creates before they are sent, and writes to nothing that is not the run's."""

    def __init__(self, client: RenderClient, run: "Run") -> None:
        """Stand before a client."""
        self._client = client
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, action: Action, plaintext: Plaintext) -> Reply:
        """Send an action, unless it is one too many or none of ours."""
        if action.verb is Verb.CREATE:
            self._run.count(action)
        elif action.id not in self._run.ids:
            raise ForeignObjectError(f"{action.verb} of {action.id}, which this run did not make")
        reply = await self._client.send(action, plaintext)
        self._run.ids |= {made.id for made in reply.created}
        return reply


@dataclass
class Run:
    """All that one run made, and how much it may still make."""

    account: Account
    prefix: str = field(default_factory=lambda: f"{COMMON_PREFIX}{secrets.token_hex(3)}-")
    creates: int = 0
    ids: set[str] = field(default_factory=set)
    pool: dict[Kind, Made] = field(default_factory=dict)

    def count(self, action: Action) -> None:
        """Count a create before it is sent."""
        if not action.name.startswith(self.prefix):
            raise ForeignObjectError(f"{action.name!r} does not begin with {self.prefix!r}: no sweep would find it")
        if self.creates >= self.account.max_creates:
            raise CapReachedError(f"{self.creates} creates are sent, and {CAP} allows no more: {action.name} is not")
        self.creates += 1

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RenderClient]:
        """Open a client of the account."""
        client = RenderClient(
            settings=Settings(base_url=self.account.base_url),
            api_key=self.account.key,
            clock=RenderClock(),
            owner_id=self.account.owner_id,
        )
        try:
            yield client
        finally:
            await client.close(grace_s=30)

    @asynccontextmanager
    async def target(self) -> AsyncIterator["RealTarget"]:
        """Open the target of one test."""
        async with self.client() as client:
            yield RealTarget(
                client=Guarded(client, self),
                prefix=self.prefix,
                kinds=KINDS,
                wait=lambda: asyncio.sleep(self.account.poll_s),
                lacking=(Denied, Refused),
                run=self,
            )

    def clean(self) -> list[str]:
        """Delete whatever bears the prefix, of this run or an earlier one, and answer its names when all are gone.

        For callers outside of any loop. Raises LeftoverError naming what is left.
        """
        return apart(self._clean())

    async def _clean(self) -> list[str]:
        async with self.client() as client:
            gone, left = [], []
            for kind in CLEANING:
                gone += await self._delete(client, await self._ours(client, kind), left)
            projects = await self._ours(client, Kind.PROJECT)
            mine = {project.id for project in projects}
            if mine:
                environments = await self._patiently(lambda: client.sweep(Kind.ENVIRONMENT))
                inner = [one for one in environments if one.fields["projectId"] in mine]
                gone += await self._delete(client, inner, left)
            gone += await self._delete(client, projects, left)
        self.pool.clear()
        if left:
            raise LeftoverError("delete by hand: " + "; ".join(left))
        return gone

    async def _ours(self, client: RenderClient, kind: Kind) -> list[Observed]:
        found = await self._patiently(lambda: client.sweep(kind))
        return [one for one in found if one.name.startswith(COMMON_PREFIX)]

    async def _delete(self, client: RenderClient, objects: list[Observed], left: list[str]) -> list[str]:
        """Delete objects and prove each one gone; what resists is noted in `left`, and the others go on."""
        gone = []
        for one in objects:
            action = Action(verb=Verb.DELETE, component="it", kind=one.kind, name=one.name, id=one.id)
            try:
                await self._patiently(lambda action=action: client.send(action, Plaintext()))
                await self._prove_gone(client, one)
                gone.append(one.name)
            except RenderError as error:
                left.append(f"{one.kind} {one.name} ({one.id}): {error}")
        return gone

    async def _prove_gone(self, client: RenderClient, one: Observed) -> None:
        for _ in range(LOOKS_MAX):
            try:
                await self._patiently(lambda: client.get(one.kind, one.id))
            except Gone:
                return
            await asyncio.sleep(self.account.poll_s)
        raise Conflict(f"is still there after {LOOKS_MAX} looks", status=200)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that can be repeated; clean-up gives up neither for a full rate limit nor for a lost answer."""
        for _ in range(int(PATIENCE_S / self.account.poll_s)):
            try:
                return await call()
            except (Throttled, Unknown, Unavailable) as error:
                failure = error
                await asyncio.sleep(self.account.poll_s)
        raise failure


@dataclass
class RealTarget(Target):
    """The suite's target at Render: objects are shared by its tests, since each create counts."""

    run: Run = field(kw_only=True)

    @asynccontextmanager
    async def borrow(self, kind: Kind) -> AsyncIterator[Made]:
        """Hand out the run's object of a kind, made when it is first asked for; one that a failed test had, never."""
        made = self.run.pool.pop(kind, None) or await self.create(kind)
        yield made
        if made.id in self.run.ids:
            self.run.pool[kind] = made

    def forget(self, made: Made) -> None:
        """Hand it out no more."""
        self.run.ids.discard(made.id)


def apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a loop of its own thread: the caller's may have a loop that must not notice."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
