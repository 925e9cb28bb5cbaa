"""Decides whether a key or an address may ask once more: one token bucket each, in this process's memory, real time."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

BUCKETS_MAX = 10_000
"""Callers remembered; the one not seen for longest is forgotten first, and has a full bucket again."""


class Limiter:
    """Token buckets by name: `per_minute` refill steadily, `burst` may be spent at once."""

    def __init__(self, per_minute: int, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with every bucket full."""
        self.per_minute = per_minute
        self._burst = float(max(burst, 1))
        self._rate = per_minute / 60.0
        self._monotonic = monotonic
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> int:
        """Take a token: 0 when there was one, else the whole seconds until there is."""
        level = self._level(name)
        if level >= 1.0:
            self._keep(name, level - 1.0)
            return 0
        self._keep(name, level)
        return max(1, math.ceil((1.0 - level) / self._rate))

    def wait(self, name: str) -> int:
        """Answer what `take` would, without taking."""
        level = self._level(name)
        return 0 if level >= 1.0 else max(1, math.ceil((1.0 - level) / self._rate))

    def _level(self, name: str) -> float:
        level, at = self._levels.get(name, (self._burst, self._monotonic()))
        return min(self._burst, level + (self._monotonic() - at) * self._rate)

    def _keep(self, name: str, level: float) -> None:
        self._levels[name] = (level, self._monotonic())
        self._levels.move_to_end(name)
        if len(self._levels) > BUCKETS_MAX:
            self._levels.popitem(last=False)
