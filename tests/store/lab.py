"""What the contract's tests need beside the port: doors for people, real time, and a look at what was written.

A lab has one Blueprint, `crm`, and one set of data; `open` answers another replica's store on it. The world stands
still at NOW until a test tells the store another time. Every test is the same for both labs.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from reconciler.core.values import Json, Sensitive
from reconciler.ports import Demand, Operation, Store, WakeClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A tenant's row in the queue."""

    wake_class: WakeClass
    due_at: datetime
    dirty: bool
    leased: bool
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A row of a tenant's events."""

    reason: str
    component: str
    message: str
    warning: bool
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An interval of the ledger; `ended_at` is None while it is open."""

    tenant: str
    component: str
    plan: Json
    usd_per_month: Decimal | None
    started_at: datetime
    ended_at: datetime | None
    uncertainty_s: float
    end_uncertainty_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A kept pass of a tenant."""

    result: str
    generation: int
    summary: str
    epoch: int
    count: int
    first_at: datetime
    at: datetime


class Lab(Protocol):
    """One set of data and everything around it."""

    async def open(self) -> Store:
        """Open the store as another replica does."""

    async def wait(self, real_s: float) -> None:
        """Let real time pass; the world stands still."""

    async def put_blueprint(self, **edits: Json) -> int:
        """Edit `crm` and answer its new revision."""

    async def sign_up(self, *names: str, **columns: Json) -> None:
        """Sign tenants up, one real second after another."""

    async def change(self, name: str, **columns: Json) -> None:
        """Change what is given of a tenant."""

    async def delete(self, name: str, mode: str = "wait") -> None:
        """Delete a tenant: `wait` for keepFor, `now`, or `orphan` its stack."""

    async def hold(self, name: str, until: datetime) -> None:
        """Take hands off a tenant until then."""

    async def ask(self, name: str) -> str:
        """Say `reconcile` and answer the token."""

    async def share(self, name: str, value: Sensitive) -> None:
        """Set a secret that all tenants of `crm` share."""

    async def queued(self, name: str) -> Queued | None:
        """Look at a tenant's row in the queue; None for a tombstone."""

    async def demand(self, name: str) -> Demand | None:
        """Look at what a tenant wants of the create queue."""

    async def operations(self, name: str) -> list[Operation]:
        """Look at a tenant's journal, the oldest first, settled or not."""

    async def events(self, name: str) -> list[Told]:
        """Look at what was told of a tenant, by reason and component."""

    async def passes(self, name: str) -> list[Pass]:
        """Look at what is kept of a tenant's passes, the newest first."""

    async def ledger(self, resource_id: str) -> list[Line]:
        """Look at the intervals of one object, the oldest first."""

    async def audited(self) -> list[tuple[str, str, str]]:
        """Look at who moved the brake, where to, and why."""

    async def close(self) -> None:
        """Close every store that was opened."""
