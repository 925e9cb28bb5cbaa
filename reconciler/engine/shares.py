"""Decides whose turn it is: the classes of the queue share the claims of one replica; it knows no store.

Where calls run short, the least important give way first: close looks and sweeps have shares of their own, then come
drift and resyncs, then retries. What people ask for and what settles an effect goes on to the last call.
"""

from collections.abc import Iterable, Mapping

from reconciler.ports import Turns, WakeClass

SHARES: Mapping[WakeClass, int] = {WakeClass.USER: 6, WakeClass.RETRY: 2, WakeClass.SETTLE: 1, WakeClass.DRIFT: 1}
"""Out of ten claims; a class with nothing due yields its turns."""
KEEPS: Mapping[WakeClass, float] = {WakeClass.DRIFT: 0.25, WakeClass.RETRY: 0.1}
"""The share of a minute's reads and writes that a class leaves to people and to settling."""


class Shares:
    """Stride scheduling: of every class the place of its next turn; the least is next, and moves on by 1 / share."""

    def __init__(self) -> None:
        """Begin with everybody's first turn."""
        self._next: dict[WakeClass, float] = {}
        self._begin()

    def _begin(self) -> None:
        # Half a step in, so that among equals the larger share comes first.
        self._next = {one: 0.5 / share for one, share in SHARES.items()}

    def turns(self) -> dict[WakeClass, Turns]:
        """Answer the turns of every class from here on."""
        return {one: Turns(at, 1 / SHARES[one], KEEPS.get(one, 0.0)) for one, at in self._next.items()}

    def taken(self, classes: Iterable[WakeClass], *, all_of_them: bool) -> None:
        """Move on behind the claims that were taken; `all_of_them`: nobody waits, so nobody is owed anything."""
        if all_of_them:
            self._begin()
            return
        newest = 0.0
        for one in classes:
            newest = max(newest, self._next[one])
            self._next[one] += 1 / SHARES[one]
        # Who had nothing due saves up no turns: at most its next one comes at once.
        self._next = {one: max(at, newest) for one, at in self._next.items()}
