"""Decides what time it is in the simulated world: a multiple of real time, frozen, or stepped by a caller.

It stands still while the simulator is down, so a restart continues where the last run stopped.
"""

import time

from reconciler.simulator import times

END_NS = 253_402_214_400 * times.SECOND_NS  # 9999-12-31: timestamps have four digits for the year
MAX_SPEED = 1_000_000.0
STAMP_GAP_NS = 1_013  # keeps two stamps of a frozen clock apart, in microseconds too


class Clock:
    """A virtual UTC clock that only ever moves forward."""

    def __init__(self, start_ns: int | None = None, speed: float = 1.0, *, frozen: bool = False) -> None:
        """Start at an instant (default: the machine's time) running `speed` times as fast as real time."""
        self._base_ns = time.time_ns() if start_ns is None else start_ns
        self._real_ns = time.monotonic_ns()
        self._speed = speed
        self._frozen = frozen
        self._last_stamp_ns = 0

    @property
    def speed(self) -> float:
        """How many simulated seconds pass in a real one while the clock is not frozen."""
        return self._speed

    @property
    def frozen(self) -> bool:
        """Whether only steps move the clock."""
        return self._frozen

    def now_ns(self) -> int:
        """Tell the present instant."""
        if self._frozen:
            return self._base_ns
        return min(END_NS, self._base_ns + int((time.monotonic_ns() - self._real_ns) * self._speed))

    def stamp_ns(self) -> int:
        """Tell the present instant as a stamp that is later than every stamp before it.

        Under a frozen clock stamps run a little ahead of it, so due dates are counted from `now_ns`.
        """
        self._last_stamp_ns = max(self.now_ns(), self._last_stamp_ns) + STAMP_GAP_NS
        return self._last_stamp_ns

    def _rebase(self) -> None:
        self._base_ns = self.now_ns()
        self._real_ns = time.monotonic_ns()

    def set_speed(self, speed: float) -> None:
        """Run `speed` times as fast as real time from now on."""
        if not 0 < speed <= MAX_SPEED:
            raise ValueError(f"speed must be positive and at most {MAX_SPEED:.0f}")
        self._rebase()
        self._speed = speed

    def set_frozen(self, frozen: bool) -> None:
        """Freeze the clock or let it run again."""
        self._rebase()
        self._frozen = frozen

    def step(self, seconds: float) -> None:
        """Move the clock forward by a number of simulated seconds."""
        if seconds < 0:
            raise ValueError("step_s must not be negative: the clock only moves forward")
        self._rebase()
        if not seconds <= (END_NS - self._base_ns) / times.SECOND_NS:
            raise ValueError("step_s must not lead past the year 9999")
        self._base_ns += times.seconds_ns(seconds)

    def move_to(self, instant_ns: int) -> None:
        """Move the clock forward to an instant."""
        self._rebase()
        if instant_ns < self._base_ns:
            raise ValueError("now must not be in the past: the clock only moves forward")
        if instant_ns > END_NS:
            raise ValueError("now must not lie past the year 9999")
        self._base_ns = instant_ns

    def real_seconds_until(self, instant_ns: int) -> float | None:
        """Tell how long to wait in real seconds for an instant; None when a frozen clock will not get there."""
        left_ns = instant_ns - self.now_ns()
        if left_ns <= 0:
            return 0.0
        return None if self._frozen else left_ns / times.SECOND_NS / self._speed
