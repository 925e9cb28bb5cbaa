"""What the engine needs of the world beside its memory: time, Render, documents, hashes, and where to say things."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reconciler.core.actions import Action
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Detail, Observed, Part
from reconciler.core.spec import BlueprintSpec, TenantSpec
from reconciler.core.values import Json, Sensitive
from reconciler.ports.values import Plaintext, Reply


class Clock(Protocol):
    """World time: Render's. Everything shown, scheduled or judged uses it; leases and timeouts do not."""

    def now(self) -> datetime:
        """Answer the world time, UTC, microseconds."""

    def speed(self) -> float:
        """Answer how many world seconds pass in a real one: 1 against Render, 60 under `make run`."""

    async def sleep(self, world_s: float) -> None:
        """Wait that many world seconds (or until cancelled); a stopped clock is polled in real time."""


class Pages(Protocol):
    """A list under way."""

    async def next(self) -> Sequence[Observed] | None:
        """Read the next page, None behind the last. After an error the same page can be asked for again."""


class Render(Protocol):
    """Render's API. Every method raises the RenderError that says what to do (core.errors); none retries a write."""

    async def check(self) -> str:
        """Ask who we are (GET /users, /owners) and answer the workspace id; Denied when the key is refused."""

    def pages(self, kind: Kind, projects: Sequence[str] = ()) -> Pages:
        """List every object of a kind in the workspace, page by page; environments are those of `projects`.

        Services of all five kinds come with any of them: ask once, with Kind.WEB. An object may come twice.
        """

    async def get(self, kind: Kind, id: str) -> Observed:
        """Read one object; Gone when it is not there."""

    async def find(self, kind: Kind, name: str) -> Sequence[Observed]:
        """List the objects of a kind with exactly this name (environments: all; filter by project)."""

    async def detail(self, kind: Kind, id: str) -> Detail:
        """Read what lists do not show: env vars, files, domains, rules, newest deploy, connection info."""

    async def has(self, id: str, part: Part, name: str) -> bool:
        """Ask for one part of a service by its name: the second means, beside their list, by which it is missed."""

    async def variables(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the variables of a service or env group and nothing else; other kinds have none."""

    async def deploy(self, id: str) -> Deploy | None:
        """Read the newest deploy of a service."""

    async def connection(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the secret attributes of a datastore (`connectionString`, `password`, ...)."""

    async def failure(self, id: str, since: datetime) -> str | None:
        """Answer a phrase when the service's events since then show a crashed server that has not come back."""

    async def exported(self, id: str, since: datetime) -> bool:
        """Say whether an export of a Postgres that was asked for since then is done."""

    async def send(self, action: Action, plaintext: Plaintext, latest_s: float | None = None) -> Reply:
        """Carry out one action. Raises Unknown when nobody knows whether it happened.

        A change whose first byte cannot leave by `latest_s` (the event loop's time) is not sent: Unavailable.
        """

    async def probe(self, url: str) -> int | None:
        """GET a tenant's own URL, following no redirect; the status, or None when nothing answered."""


class SpecReader(Protocol):
    """Turns stored documents into core specs; the store is given one, so that it needs no knowledge of the language."""

    def tenant(self, columns: Mapping[str, Json]) -> TenantSpec:
        """Read the columns of a tenants row (`name`, `display_name`, `blueprint`, ..., `details`); Invalid if wrong."""

    def blueprint(self, name: str, document: Mapping[str, Json]) -> BlueprintSpec:
        """Read the `spec` object of a stored Blueprint revision; Invalid if wrong."""


class Resolver(Protocol):
    """Keyed hashing of secret values; the key never leaves the adapter."""

    def digest(self, context: str, text: str) -> str:
        """Answer the keyed hash of a text in its context (tenant/component/KEY)."""


class Telemetry(Protocol):
    """Where the engine says what it does: log lines by event name, and figures. Never a secret or a tenant label."""

    def log(self, event: str, **fields: object) -> None:
        """Write one structured line at info level."""

    def problem(self, event: str, **fields: object) -> None:
        """Write one structured line at warning level."""

    def passed(self, result: str, seconds: float, wake_class: str, queued_s: float) -> None:
        """Count a finished pass: result success, error, requeue or requeue_after; real seconds."""

    def operated(self, kind: str, verb: str, outcome: str) -> None:
        """Count an effect by outcome: succeeded, refused, unknown, throttled."""

    def drifted(self, kind: str, field: str, healed: bool) -> None:
        """Count a drifted field, found or healed."""

    def guarded(self, guard: str) -> None:
        """Count an effect stopped by a guard."""

    def stale(self) -> None:
        """Count a write rejected because the epoch moved."""

    def waited(self, bucket: str, world_s: float) -> None:
        """Observe the wait for a budget, world seconds."""

    def converged(self, world_s: float) -> None:
        """Observe the time from a spec change to Ready at that generation, world seconds."""

    def foretold(self, late_s: float) -> None:
        """Observe how much later than first told a tenant was Ready, world seconds; negative: earlier."""
