"""Describes kept passes for /docs and for generated clients; `views` writes them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from reconciler.api.schemas import Document, Shape


class DoneShape(Shape):
    """One effect that a pass tried, by its row in the journal."""

    operation: int
    verb: str
    component: str
    kind: str
    name: str
    ending: str
    message: str


class WaitShape(Shape):
    """What stood in the way; `you` says what a person must do, empty when nothing."""

    reason: str
    message: str
    component: str
    since: datetime | None
    until: datetime | None
    you: str


class PassShape(Shape):
    """A kept pass at a glance; `count` passes said the same, from `firstAt` to `at`."""

    id: int
    tenant: str
    epoch: int
    at: datetime
    first_at: datetime
    count: int
    wake_class: str = Field(alias="class")
    took_seconds: float = Field(description="Real time.")
    result: Literal["changed", "failed", "waited", "broke"]
    generation: int
    blueprint: str
    revision: int
    version: str = Field(description="Of the program that kept it.")
    summary: str
    done: list[DoneShape]
    waits: list[WaitShape]


class PassList(Shape):
    """Kept passes, newest first."""

    items: list[PassShape]


class ReplayShape(Shape):
    """What came of making the plans of a pass again."""

    outcome: Literal["same", "different", "other version", "no plan"]
    message: str
    differences: list[str] = Field(description="By path, what was kept on the left.")


class KeptPassShape(PassShape):
    """A kept pass whole: its inputs and plans as they were written."""

    replay: ReplayShape
    document: Document
