"""What the engine needs of its memory; the adapter keeps it in Postgres."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reconciler.core.actions import Action
from reconciler.core.adoption.orphans import Orphan
from reconciler.core.inventory import Owned
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.core.passes import Kept
from reconciler.core.status import Event
from reconciler.core.stops import Brake
from reconciler.core.values import Sensitive
from reconciler.ports.values import (
    Backlog,
    Claim,
    Demand,
    End,
    Interval,
    Limits,
    Record,
    Repeats,
    RolloutState,
    Settlement,
    Throttle,
    Turns,
    Unasked,
    Verdict,
    WakeClass,
)


class Store(Protocol):
    """The operator's memory, in Postgres. World time comes as a parameter, real time is the database's."""

    async def claim(
        self, turns: Mapping[WakeClass, Turns], limit: int, owner: str, lease_s: float, now: datetime
    ) -> list[Claim]:
        """Take due tenants by turns: epoch + 1, SKIP LOCKED, one short transaction; none while the brake is on stop."""

    async def renew(self, owner: str, lease_s: float, tenants: Collection[str] | None = None) -> set[str]:
        """Extend this owner's leases of these tenants (of all, without names) and answer the tenants still held."""

    async def release_all(self, owner: str) -> None:
        """Give every lease and duty of this owner back, at shutdown or when its process is dead."""

    async def load(self, tenant: str, now: datetime) -> Record:
        """Read all a pass needs; NotFound when there is no such tenant."""

    async def unowned(self, names: Sequence[tuple[Kind, str]]) -> Sequence[Observed]:
        """Answer snapshot objects with one of these names that no tenant's inventory holds."""

    async def put_secrets(self, tenant: str, generated: Mapping[str, Sensitive]) -> Mapping[str, Sensitive]:
        """Keep generated secrets, never replacing one that exists; answer what is kept."""

    async def put_connection(self, tenant: str, component: str, attributes: Mapping[str, Sensitive]) -> None:
        """Keep a datastore's secret attributes, encrypted."""

    async def open_operation(self, claim: Claim, action: Action, request_hash: str, now: datetime) -> int:
        """Journal an effect as planned and answer its id; StaleLease when the epoch moved."""

    async def send_operation(
        self,
        claim: Claim,
        operation: int,
        bucket: Bucket,
        live_id: str,
        now: datetime,
        *,
        cap: int | None = None,
        keeps: float = 0.0,
    ) -> Throttle | None:
        """Take the tokens and mark the row sent, in one transaction; a Throttle means the row went back.

        Of an effect with a `cap` at most so many of its verb are sent in `guard.CAP_WINDOW`, over all tenants. Of a
        minute's writes the share `keeps` is left to others.
        """

    async def settle_operation(
        self, claim: Claim | None, operation: int, settlement: Settlement, now: datetime
    ) -> None:
        """Write an outcome, conditional on the operation's id alone: a fact is true whoever holds the lease."""

    async def look_operation(self, operation: int, now: datetime) -> int:
        """Count one more agreeing look that did not find an unknown create; answer the count."""

    async def save_owned(self, claim: Claim, owned: Sequence[Owned], forgotten: Sequence[str] = ()) -> None:
        """Write inventory knowledge gained without an effect; StaleLease when the epoch moved."""

    async def observe(self, observed: Sequence[Observed], now: datetime) -> Sequence[str]:
        """Write changed snapshot rows and wake the tenants concerned; answer them."""

    async def swept(self, kinds: Sequence[Kind], seen: Sequence[str], started_at: datetime) -> Sequence[str]:
        """End a sweep of kinds that is believed: count absence of all it has not `seen` by id, wake whom that concerns.

        Answers those. Only what was there before the sweep `started_at` can be missed by it.
        """

    async def swept_at(self, kind: Kind) -> datetime | None:
        """Answer when the last full sweep of a kind began (world)."""

    async def sweeps(self) -> Mapping[Kind, datetime]:
        """Answer when the last full sweep of every kind began (world), without those that were never swept."""

    async def count_snapshot(self, kinds: Sequence[Kind]) -> int:
        """Count the objects of the shared picture that are not known to be gone."""

    async def meter(self, intervals: Sequence[Interval], ended: Mapping[str, End]) -> None:
        """Close and open ledger intervals; `ended` maps resource ids to their end; what ended stays so."""

    async def declare(self, claim: Claim, demand: Demand) -> None:
        """Enter the create queue before the first create is asked for; StaleLease when the epoch moved."""

    async def finish(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """Write status, events, demand, next wake and what is kept, and release: one transaction WHERE epoch = mine."""

    async def give_back(
        self, claim: Claim, due_at: datetime, error: str, now: datetime, kept: Kept | None = None
    ) -> None:
        """End a pass that broke: release, wake again at `due_at`; an `error` counts as one more failure."""

    async def count_recent(self, verbs: Sequence[str], since: datetime) -> int:
        """Count journal rows of these verbs sent since a world time, over all tenants (for guards)."""

    async def unasked(self, claim: Claim, event: Event, since: datetime, now: datetime) -> Unasked:
        """Tell at once of a plan that nobody asked for, and count them; StaleLease when the epoch moved.

        Told before anything follows from the plan, so that passes of the same moment count each other.
        """

    async def newcomers(self, since: datetime) -> Sequence[Orphan]:
        """Answer what carries our marks, is nobody's, and was made since a world time by no create on our books."""

    async def vanished(self) -> Sequence[str]:
        """Name the tenants of whose stack nothing at all was found by the newest sweep."""

    async def read_token(self, now: datetime) -> Throttle | None:
        """Take one GET token from this process's block, or say when."""

    async def take_deep(self, calls: int, limit: int, now: datetime) -> bool:
        """Count calls of a deep check into the world's minute, over all replicas, unless it would hold over `limit`."""

    async def learn(self, bucket: Bucket, live_id: str, limits: Limits) -> None:
        """Believe an answer's headers where they are lower than our own count."""

    async def penalise(self, bucket: Bucket, live_id: str, until: datetime) -> None:
        """Empty a bucket until a time, after a 429."""

    async def pause(self, bucket: Bucket, until: datetime, message: str) -> None:
        """Stop a class of calls after 401, 402 or 403, to be probed again at `until`."""

    async def failures(self, bucket: Bucket, since: datetime) -> tuple[int, int]:
        """Count the newest effects of a class sent since then that all failed (5xx, silence), and their tenants."""

    async def break_class(self, bucket: Bucket, until: datetime, message: str) -> None:
        """Open the circuit breaker of a class: until then nothing of it is sent, then one call a minute to probe.

        The first answer below 500 to an effect of the class closes it.
        """

    async def repeats(self, tenant: str, generation: int, now: datetime) -> Repeats:
        """Count what succeeded again and again for a tenant, in the windows of `core.guard`."""

    async def unpause(self, bucket: Bucket) -> None:
        """Lift a pause after a call of its class succeeded."""

    async def singleton(self, name: str, owner: str, lease_s: float) -> bool:
        """Hold or renew the lease row of a single-runner duty."""

    async def brake(self) -> tuple[Brake, str]:
        """Read the brake and its reason."""

    async def set_brake(self, brake: Brake, why: str, by: str) -> None:
        """Move the brake, audited."""

    async def rollouts(self, now: datetime) -> Sequence[RolloutState]:
        """Read every active rollout with the tenants of its Blueprint."""

    async def assign(self, names: Sequence[str], revision: int, now: datetime) -> Sequence[str]:
        """Give tenants a revision of their Blueprint and wake them as by a user; answer those that moved."""

    async def stop_rollout(self, blueprint: str, why: str) -> None:
        """Stop an active rollout: nobody moves on, new tenants get the newest revision that was not stopped."""

    async def finish_rollout(self, blueprint: str) -> None:
        """Mark an active rollout as done."""

    async def set_clock(self, now: datetime, speed: float) -> None:
        """Tell the database what time it is in the world, for its triggers; every few real seconds."""

    async def backlog(self, now: datetime) -> Backlog:
        """Read the queue's figures, for liveness and metrics."""

    async def trim(self, now: datetime) -> int:
        """Delete what is past its keeping (old journal rows, refusals, answers, idle budgets); answer how many."""

    def wakes(self) -> AsyncIterator[str]:
        """Yield tenant names as NOTIFY brings them; reconnects and probes itself, and yields "" after a gap."""
