"""Joins the parts of the client into `ports.Render`; it holds no logic of its own.

Requests are tasks of this client: a cancelled caller leaves, the request goes on (transport). Writes are sent once,
reads up to three times (calls). Errors are `core.errors`, secrets removed (failures, scrub).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.core.actions import Action
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Detail, Observed, Part
from reconciler.core.values import Sensitive
from reconciler.ports import Clock, Pages, Plaintext, Render, Reply
from reconciler.render.calls import Calls, Hooks, Settings
from reconciler.render.clock import RenderClock, SimulatedClock
from reconciler.render.probe import Probe
from reconciler.render.reads import Reads
from reconciler.render.sends import Sends
from reconciler.render.transport import Transport


class RenderClient:
    """Render's API for one key and workspace. Close it when the process ends."""

    def __init__(
        self,
        *,
        settings: Settings,
        api_key: Sensitive,
        clock: Clock,
        owner_id: str = "",
        probe_via: str | None = None,
        hooks: Hooks = Hooks(),  # noqa: B008 - frozen, empty
        protected_ids: frozenset[str] = frozenset(),
    ) -> None:
        """Invalid when key or address cannot be used at all.

        `owner_id` may be empty for a key with a single workspace; then `check()` must come first. `probe_via` is a
        simulator's base URL. `protected_ids`: what is never written to (our own service and database).
        """
        self._transport = Transport(max_connections=settings.max_connections, peer="Render")
        calls = Calls(settings, api_key, clock, hooks, self._transport)
        self._reads = Reads(calls, clock, owner_id)
        self._sends = Sends(calls, self._reads, clock, protected_ids - {""})
        self._probe = Probe(settings.probe_timeout_s, probe_via)

    async def close(self, grace_s: float = 30.0) -> None:
        """Let calls on the wire end (at most `grace_s` real seconds) and close; calls after that are Unavailable."""
        await self._transport.close(grace_s)
        await self._probe.close()

    @property
    def owner_id(self) -> str:
        """The workspace; Unavailable before `check()` when none was configured."""
        return self._reads.owner_id

    @property
    def rebuilds(self) -> int:
        """How often a wedged connection pool had to be replaced."""
        return self._transport.rebuilds

    async def check(self) -> str:
        """Answer the workspace id; Denied when the key is refused or does not see it."""
        return await self._reads.check()

    async def sweep(self, kind: Kind) -> Sequence[Observed]:
        """List every object of a kind; services of all kinds come with any of them."""
        return await self._reads.sweep(kind)

    def pages(self, kind: Kind, projects: Sequence[str] = ()) -> Pages:
        """List the objects of a kind page by page; environments are those of `projects`."""
        return self._reads.pages(kind, projects)

    async def get(self, kind: Kind, id: str) -> Observed:
        """Read one object; Gone when it is not there."""
        return await self._reads.get(kind, id)

    async def find(self, kind: Kind, name: str) -> Sequence[Observed]:
        """List the objects with exactly this name."""
        return await self._reads.find(kind, name)

    async def detail(self, kind: Kind, id: str) -> Detail:
        """Read what lists do not show."""
        return await self._reads.detail(kind, id)

    async def has(self, id: str, part: Part, name: str) -> bool:
        """Say whether a service has a variable, file or domain of this name."""
        return await self._reads.has(id, part, name)

    async def variables(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the variables of a service or env group."""
        return await self._reads.variables_of(kind, id)

    async def deploy(self, id: str) -> Deploy | None:
        """Read the newest deploy of a service."""
        return await self._reads.deploy(id)

    async def connection(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the secret attributes of a datastore."""
        return await self._reads.connection(kind, id)

    async def failure(self, id: str, since: datetime) -> str | None:
        """Answer a phrase when a server crashed since then and has not come back."""
        return await self._reads.failure(id, since)

    async def exported(self, id: str, since: datetime) -> bool:
        """Say whether an export of a Postgres that was asked for since then is done."""
        return await self._reads.exported(id, since)

    async def send(self, action: Action, plaintext: Plaintext, latest_s: float | None = None) -> Reply:
        """Carry out one action; Unknown when nobody knows whether it happened.

        A change whose first byte cannot leave by `latest_s` (the event loop's time) is not sent: Unavailable.
        """
        return await self._sends.send(action, plaintext, latest_s)

    async def probe(self, url: str) -> int | None:
        """GET a tenant's own URL; the status, or None when nothing answered; Refused for what must not be asked."""
        return await self._probe.ask(url)


if TYPE_CHECKING:
    # the contracts, checked where they are kept
    _render: type[Render] = RenderClient
    _clocks: tuple[type[Clock], ...] = (RenderClock, SimulatedClock)
