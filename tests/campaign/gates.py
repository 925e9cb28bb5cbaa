"""Where faults strike: before and after every call of a port, that is before and after every commit and every request.

A gate names the point it stands at (`store.settle_operation:create`, `render.send:update`), tells it to the run's
chaos, and carries out what that says: wait, fail, kill the process, or stop it for a while.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from reconciler.core.actions import Action
from reconciler.core.errors import StoreUnavailable
from tests.campaign.loop import Process
from tests.campaign.memory import Database

LAST: ContextVar[str] = ContextVar("verb", default="")
"""The newest effect of the pass that runs in this context."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the code of a replica: a port's method, whose effect it is about, and which side of it."""

    name: str
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.name}"


class Strike(Protocol):
    """What chaos decides at a point."""

    def __call__(self, process: Process, point: Point) -> str | float:
        """Answer "" (nothing), "kill", "fail", or seconds to stop the process for (negative: just to wait)."""


class Chaos:
    """Strikes by chance, as often as the shares say; nothing once it is over."""

    def __init__(self, random: Random, *, kill: float = 0.0, stop: float = 0.0, fail: float = 0.0, wait: float = 0.0):
        self.random = random
        self.kill, self.stop, self.fail, self.wait = kill, stop, fail, wait
        self.over = False
        self.kills_left = 6
        self.struck: list[str] = []

    def __call__(self, process: Process, point: Point) -> str | float:
        if self.over:
            return ""
        chance = self.random.random()
        if chance < self.kill and self.kills_left:
            self.kills_left -= 1
            self.struck.append(f"{process.name} killed {point}")
            return "kill"
        chance -= self.kill
        if chance < self.stop:
            self.struck.append(f"{process.name} stopped {point}")
            return self.random.choice([5.0, 60.0, 150.0, 600.0])
        chance -= self.stop
        if chance < self.fail and point.name.startswith("store."):
            self.struck.append(f"{process.name} database lost {point}")
            return "fail"
        return -self.random.uniform(0.0, 2.0) if chance - self.fail < self.wait else ""


class Gated:
    """A port with a gate before and after each of its asynchronous methods."""

    def __init__(self, inner: object, prefix: str, process: Process, database: Database, strike: Strike) -> None:
        self._inner, self._prefix, self._process = inner, prefix, process
        self._database, self._strike = database, strike

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(method):
            return method
        gated = self._gated(f"{self._prefix}.{name}", method)
        setattr(self, name, gated)
        return gated

    def _gated(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            label = self._label(name, args)
            await self._pass(Point(label, after=False))
            result = await method(*args, **kwargs)
            await self._pass(Point(label, after=True))
            return result

        return call

    def _label(self, name: str, args: tuple[Any, ...]) -> str:
        """Add whose effect a call is about; or, in a pass, which effect was the last one before it."""
        action = next((one for one in args if isinstance(one, Action)), None)
        if action is not None:
            LAST.set(str(action.verb))
            return f"{name}:{action.verb}"
        if name == "store.load":
            LAST.set("")
        if not name.endswith("_operation"):
            return f"{name} since {LAST.get()}" if LAST.get() else name
        operation = next((one for one in args if isinstance(one, int)), None)
        row = self._database.journal.get(operation) if operation is not None else None
        return f"{name}:{row.value.verb}" if row is not None else name

    async def _pass(self, point: Point) -> None:
        decided = self._strike(self._process, point)
        if decided == "":
            return
        loop = asyncio.get_running_loop()
        if decided == "kill":
            self._process.dead = True
            await loop.create_future()  # never: whoever is dead comes back from nowhere
        elif decided == "fail":
            raise StoreUnavailable("the database does not answer: terminating connection due to administrator command")
        elif isinstance(decided, float) and decided > 0:
            self._process.stopped = True
            resume = getattr(loop, "resume")  # noqa: B009 - only this loop has it
            loop.call_later(decided, resume, self._process, context=_nobody())
            await asyncio.sleep(0)
        elif isinstance(decided, float):
            await asyncio.sleep(-decided)


def _nobody() -> Any:
    from tests.campaign.cloud import OFF_THE_WIRE

    return OFF_THE_WIRE
