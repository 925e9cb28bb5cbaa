"""Holds what we own at Render and what we know of it that no list shows; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reconciler.core.kinds import SERVICES, Kind
from reconciler.core.observed import Deploy, Domain, Observed, Rule

UNCHECKED = datetime(1970, 1, 1, tzinfo=UTC)
"""`Known.checked_at` of an object that was taken over and not looked at closely yet.

None would not do: what stands in an object of ours that was never looked at counts as put there by us, and what people
put into an adopted one must stay.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Knowledge of one owned object beyond the lists: from our last write, or from the last deep check.

    `env` and `files` map names to keyed digests of what Render holds. `applied` is what a spec of ours last put
    there, by `field:NAME` (JSON text), `env:KEY`, `file:NAME` (digests), `domain:NAME`, `header:PATH NAME`,
    `route:SOURCE`: what is not in it is somebody else's, and a live value that differs from it while the spec
    does not is drift. `commit` is the source commit last asked for. `dirty` means: written, but not in a deploy
    yet. `deploy` is the newest deploy we know of, `deploy_asked_at` when we last asked for one. `hook_done`: the
    initialDeployHook ran. `failure` is a phrase about a crashed server that has not come back. `updated_at` is the
    live stamp that our own last write or look explains: a newer one calls for a deep check. `failed_writes`
    counts, by field, updates in a row that changed nothing; `state` is the status that `Owned.since` dates.
    `heals` remembers which drifted fields were put right when (the newest 20). `asked_state` is the suspend or
    resume asked last. Times are world time.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[Domain, ...] = ()
    headers: tuple[Rule, ...] = ()
    routes: tuple[Rule, ...] = ()
    applied: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    dirty: bool = False
    deploy: Deploy | None = None
    deploy_asked_at: datetime | None = None
    hook_done: bool = False
    failure: str = ""
    state: str = ""
    checked_at: datetime | None = None
    updated_at: datetime | None = None
    failed_writes: Mapping[str, int] = field(default_factory=dict)
    heals: tuple[tuple[str, datetime], ...] = ()
    asked_state: str = ""
    asked_state_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """One inventory row with its newest observation. `absent_looks` counts agreeing proofs that it is gone."""

    component: str
    kind: Kind
    id: str
    name: str
    observed: Observed | None = None
    absent_looks: int = 0
    known: Known = Known()
    created_at: datetime | None = None
    since: datetime | None = None

    @property
    def unchecked(self) -> bool:
        """Say whether it was taken over and what lists do not show of it is still to be read."""
        return self.known.checked_at == UNCHECKED and (self.kind in SERVICES or self.kind is Kind.ENV_GROUP)
