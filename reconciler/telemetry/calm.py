"""Keeps what is done again and again to a share of the time, whatever it costs: what took long is done seldom."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.002
"""Of one core at most, about: ten thousand tenants' figures are then read every minute, a few at every round."""


class Calm:
    """Says whether something is due again. Times are real seconds of the monotonic clock."""

    def __init__(self, share: float = SHARE) -> None:
        """Due at once."""
        self._share = share
        self._due_s = 0.0

    @property
    def due(self) -> bool:
        """Say whether enough time has passed since it was last done."""
        return time.monotonic() >= self._due_s

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure one doing; it is due again when its share of the time since is used up."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            ended_s = time.monotonic()
            self._due_s = began_s + (ended_s - began_s) / self._share
