"""Holds what the command line says about one run of the daemon."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.doors import Actor, Registry

Applier = Callable[[Registry, Actor, Path], Awaitable[Sequence[str]]]
"""Applies the documents of a folder through the door, and answers a line for people about each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run: `local` brings its own Postgres and Render; `once` ends when every tenant has settled.

    `role` is all, engine or api; `apply` a folder of documents to apply at the start, by `applier`.
    `timeout_s` (real) bounds `once`.
    """

    local: bool = False
    once: bool = False
    role: str = "all"
    apply: Path | None = None
    applier: Applier | None = None
    timeout_s: float = 600.0
