"""Holds what a plan is made from and what it is: plain values, no decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from reconciler.core.actions import Action, Wait
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import CREATE_BUDGETED, ENVIRONMENT, Kind
from reconciler.core.observed import Observed
from reconciler.core.prices import PriceBook
from reconciler.core.resolve import Resolved
from reconciler.core.spec import DesiredState, DriftPolicy
from reconciler.core.stack import Stack

LOOKS_TO_BE_GONE = 2
"""Absence is seen twice, by two means, before anything is re-created or finalised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a plan depends on, at one moment.

    `resolved` has the digests of every component's variables. `conflicts` maps components to a live object of
    the wanted name that is not ours. `open` names components with an operation whose outcome is not known.
    `purge` is True once a deleted tenant's time is up; `leave` if its stack is to be forgotten and left as it is.
    """

    stack: Stack | None
    state: DesiredState
    owned: Mapping[str, Owned]
    resolved: Mapping[str, Resolved]
    policy: DriftPolicy = DriftPolicy.HEAL
    allow_data_loss: frozenset[str] = frozenset()
    conflicts: Mapping[str, Observed] = field(default_factory=dict)
    open: Mapping[str, Wait] = field(default_factory=dict)
    missing_secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    purge: bool = False
    leave: bool = False
    export: bool = False
    exported: bool = False
    now: datetime
    book: PriceBook
    tenant: str

    def live(self, component: str) -> Owned | None:
        """Answer the inventory row of a component that exists as far as we know."""
        owned = self.owned.get(component)
        return owned if owned is not None and owned.absent_looks < LOOKS_TO_BE_GONE else None

    def gone(self, component: str) -> Owned | None:
        """Answer the inventory row of a component that was ours and is proved absent."""
        owned = self.owned.get(component)
        return owned if owned is not None and owned.absent_looks >= LOOKS_TO_BE_GONE else None

    def environment_id(self) -> str:
        """Answer the live id of the tenant's environment, empty while there is none."""
        owned = self.live(ENVIRONMENT)
        return owned.id if owned else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be done now, in order. `drift` lists differences nobody asked for, healed or not.

    `waits` stand before the whole tenant. Prices are US dollars a month, None when a price is unknown.
    """

    actions: tuple[Action, ...] = ()
    drift: tuple[str, ...] = ()
    unhealed: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    usd_before: Decimal | None = None
    usd_after: Decimal | None = None
    eta_s: float | None = None
    settled: Mapping[str, Known] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to do and nothing to wait for."""
        return not self.actions and not self.waits

    @property
    def creates(self) -> int:
        """Count the creates that cost the hourly budget."""
        return sum(action.verb == "create" and action.kind in CREATE_BUDGETED for action in self.actions)

    @property
    def writes(self) -> int:
        """Count the calls of the plan that are not budgeted creates."""
        return len(self.actions) - self.creates


def label(kind: Kind, component: str) -> str:
    """Name a resource for people: `postgres db`, `environment`."""
    return str(kind) if component.startswith("@") else f"{kind} {component}"
