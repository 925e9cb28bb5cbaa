"""Decides whose turn it is: the classes of the queue share the claims of one replica; it knows no store."""

from collections.abc import Iterable, Mapping

from reconciler.ports import Turns, WakeClass

SHARES: Mapping[WakeClass, int] = {WakeClass.USER: 6, WakeClass.RETRY: 2, WakeClass.SETTLE: 1, WakeClass.DRIFT: 1}
"""Out of ten claims; a class with nothing due yields its turns."""


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
        return {one: Turns(at, 1 / SHARES[one]) for one, at in self._next.items()}

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
