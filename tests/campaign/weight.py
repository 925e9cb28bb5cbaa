"""Weighs what the operator holds in memory: what can be reached from it, but nothing of what it works with."""

import gc
import sys
import types
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil

OURS = "reconciler."
NOT_THE_OPERATOR = "reconciler.simulator"


@dataclass(frozen=True, slots=True)
class Weight:
    """What one weighing found."""

    bytes: int
    objects: int
    by_type: Counter[str] = field(repr=False)


def weigh(roots: Iterable[object], others: Iterable[object]) -> Weight:
    """Count the objects that `roots` and the operator's modules lead to, without going through `others`.

    Caches behind functions are found too, and what suspended coroutines hold. Types and modules of anybody else weigh
    nothing. Figures do not depend on time or addresses.
    """
    gc.collect()
    begun, barred = [*roots], {id(one) for one in others}
    for name, module in list(sys.modules.items()):
        inside = getattr(module, "__dict__", None)
        if name.startswith(OURS) and not name.startswith(NOT_THE_OPERATOR):
            begun.append(inside)
        else:
            barred.add(id(inside))
    barred.add(id(sys.modules))
    return _walk(begun, barred)


def _walk(begun: list[object], seen: set[int]) -> Weight:
    total, found = 0, Counter[str]()
    waiting = begun
    while waiting:
        one = waiting.pop()
        if id(one) in seen or _somebody_elses(one):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        found[type(one).__qualname__] += 1
        waiting.extend(gc.get_referents(one))
    return Weight(total, found.total(), found)


def _somebody_elses(one: object) -> bool:
    if isinstance(one, types.ModuleType | types.FrameType | types.CodeType):
        return True
    return isinstance(one, type) and not one.__module__.startswith(OURS)


def rss_bytes() -> int:
    """Answer what the whole process holds of the machine's memory."""
    return int(psutil.Process().memory_info().rss)


def blocks() -> int:
    """Answer how many blocks of memory the interpreter has given out, to whomever."""
    gc.collect()
    return sys.getallocatedblocks()
