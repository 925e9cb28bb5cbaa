"""Holds the engine's own settings and the ports it works through; the composition root fills them in."""

from dataclasses import dataclass, field

from reconciler.core.guard import Caps
from reconciler.core.prices import PriceBook
from reconciler.core.schedule import Pace
from reconciler.ports import Clock, Render, Resolver, Store, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the engine works. `_s` is seconds; which time they are of is said for each.

    `lease_s`, `renew_s`, `request_timeout_s`, `send_within_s`, `change_within_s`, `poll_s`, `duty_s`, `clock_s`,
    `shutdown_s` are real; `grace_s`, `sweep_s`, `deep_s` are world time. `poll_s` and `duty_s` are the longest pauses
    of the claim loop and of the other duties: where the world runs faster than real time, they are shorter. `clock_s`
    is how often the database is told the time. `send_within_s` is how long a grant to send is good for: as long as the
    band around the edges of windows in which nothing is granted. `change_within_s` is that of changes: some read first.
    """

    workers: int = 8
    lease_s: float = 90.0
    renew_s: float = 30.0
    request_timeout_s: float = 30.0
    send_within_s: float = 2.0
    change_within_s: float = 10.0
    poll_s: float = 1.0
    duty_s: float = 5.0
    clock_s: float = 2.0
    shutdown_s: float = 8.0
    grace_s: float = 120.0
    sweep_s: float = 900.0
    sweep_share: float = 0.5
    deep_s: float = 86400.0
    deep_share: float = 0.25
    rounds_max: int = 12
    pace: Pace = field(default_factory=Pace)
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything the engine touches outside itself."""

    clock: Clock
    render: Render
    store: Store
    resolver: Resolver
    telemetry: Telemetry
    book: PriceBook
    options: Options = field(default_factory=Options)
