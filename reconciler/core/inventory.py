"""Holds what we own at Render and what we know of it that no list shows; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Domain, Observed, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Knowledge of one owned object beyond the lists: from our last write, or from the last deep check.

    `env` and `files` map names to keyed digests of what Render holds; `listed` holds `env:KEY`, `file:NAME`,
    `domain:NAME`, `header:PATH NAME`, `route:SOURCE` for everything a spec of ours ever put there (what was
    not listed is somebody else's). `dirty` means: written, but not in a deploy yet. `deploy` is the newest
    deploy we know of, `deploy_asked_at` when we last asked for one. `hook_done`: the initialDeployHook ran.
    `updated_at` is the live stamp that our own last write or look explains: a newer one calls for a deep
    check. `failed_writes` counts, by field, updates in a row that changed nothing. Times are world time.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[Domain, ...] = ()
    headers: tuple[Rule, ...] = ()
    routes: tuple[Rule, ...] = ()
    listed: frozenset[str] = frozenset()
    dirty: bool = False
    deploy: Deploy | None = None
    deploy_asked_at: datetime | None = None
    hook_done: bool = False
    checked_at: datetime | None = None
    updated_at: datetime | None = None
    failed_writes: Mapping[str, int] = field(default_factory=dict)


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
