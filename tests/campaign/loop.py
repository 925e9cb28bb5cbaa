"""An event loop in virtual time that picks the next ready callback by chance, and can kill or stop whom they belong to.

Everything that happens follows from the seed: time moves only when nothing is ready, straight to the next timer. Each
callback runs in the context in which it was made; the context says which process it belongs to. A killed process's
callbacks never run again, as after SIGKILL; a stopped one's are kept until it goes on, as after SIGSTOP and SIGCONT.
"""

import asyncio
import contextlib
import heapq
from asyncio import base_events, events
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from random import Random
from typing import Any

CHOICES_MAX = 12
"""Out of so many ready callbacks the next one is drawn."""
STEPS_MAX = 300_000
"""A run takes some ten thousand steps; one that takes so many goes round in circles."""
TASKS_MIN = 1_000
"""So many tasks are kept before those that have ended are let go."""


@dataclass(eq=False)
class Process:
    """One process of the simulated fleet; what runs in its context lives and dies with it."""

    name: str
    dead: bool = False
    stopped: bool = False
    kept: list[events.Handle] = field(default_factory=list)


OWNER: ContextVar[Process | None] = ContextVar("process", default=None)


class Stuck(AssertionError):
    """What is waited for will never come: nothing is ready and no timer runs, or the same is done for ever."""


class SeededLoop(base_events.BaseEventLoop):
    """The loop of one run."""

    def __init__(self, seed: int, steps_max: int = STEPS_MAX) -> None:
        super().__init__()
        self._random = Random(seed)  # noqa: S311 - schedules, not secrets
        self._now_s = 0.0
        self._steps_max = steps_max
        self.steps = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self._tasks_max = TASKS_MIN
        self._selector = None
        self.set_task_factory(_remembering)

    def time(self) -> float:
        return self._now_s

    def spawn(self, process: Process, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that belongs to a process, and so does everything it starts."""
        context = copy_context()
        context.run(OWNER.set, process)
        return self.create_task(coroutine, context=context)

    def remember(self, task: asyncio.Task[Any]) -> None:
        """Keep a task alive: one of a killed process must not be collected, which would run what it does at its end."""
        if len(self.tasks) >= self._tasks_max:
            self.tasks = [one for one in self.tasks if not one.done()]
            self._tasks_max = max(TASKS_MIN, 2 * len(self.tasks))
        self.tasks.append(task)

    def resume(self, process: Process) -> None:
        """Let a stopped process go on where it was."""
        process.stopped = False
        self._ready.extend(process.kept)
        process.kept.clear()

    def abandon(self, *, close: bool = False) -> None:
        """End the run: what still waits is forgotten without a word; with `close` at once, not when it is collected."""
        for task in self.tasks:
            task._log_destroy_pending = False
            if close and not task.done():
                with contextlib.suppress(RuntimeError):  # what it would await at its end has nobody to wait for
                    task.get_coro().close()
        self._ready.clear()
        self._scheduled.clear()
        self.tasks.clear()

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready and not self._stopping:
            if not scheduled:
                raise Stuck(f"nothing will ever happen again, at {self._now_s:.3f} s")
            self._now_s = max(self._now_s, scheduled[0]._when)
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when <= self._now_s):
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                ready.append(timer)
        if ready:
            self._run_one()

    def _run_one(self) -> None:
        ready = self._ready
        if len(ready) > 1:
            ready.rotate(-self._random.randrange(min(len(ready), CHOICES_MAX)))
        handle = ready.popleft()
        if handle._cancelled:
            return
        owner = owner_of(handle._context)
        if owner is not None and owner.dead:
            return
        if owner is not None and owner.stopped:
            owner.kept.append(handle)
            return
        self.steps += 1
        if self.steps > self._steps_max:
            raise Stuck(f"no end after {self.steps:,} steps, at {self._now_s:.3f} s")
        handle._run()

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Cancelled timers are dropped when they come up; there are few of them."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""

    def _process_events(self, event_list: object) -> None:
        """There are no sockets."""


def owner_of(context: Context) -> Process | None:
    """Answer whose context this is; nobody's is the network's, Render's or a person's."""
    return context.get(OWNER)


def _remembering(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], context: Context | None = None
) -> asyncio.Task[Any]:
    task = asyncio.Task(coroutine, loop=loop, context=context)
    assert isinstance(loop, SeededLoop)
    loop.remember(task)
    return task
