"""A kill at every point there is: points are read off a life that takes every verb; each then is a place of death."""

from collections import Counter
from dataclasses import dataclass, field

from reconciler.core.actions import Verb
from tests.campaign import everything
from tests.campaign.gates import Point
from tests.campaign.loop import Process
from tests.campaign.run import Outcome, run_seed

SEED = 7


@dataclass
class Watcher:
    """Strikes nobody, and writes down every point that is passed."""

    passed: Counter[Point] = field(default_factory=Counter)

    def __call__(self, process: Process, point: Point) -> str | float:
        self.passed[point] += 1
        return ""


@dataclass
class Assassin:
    """Kills whoever passes one point for the nth time; once."""

    point: Point
    nth: int
    passed: int = 0
    done: bool = False

    def __call__(self, process: Process, point: Point) -> str | float:
        if self.done or point != self.point:
            return ""
        self.passed += 1
        if self.passed < self.nth:
            return ""
        self.done = True
        return "kill"


@dataclass(frozen=True, slots=True)
class Place:
    """One place of death: the first or the last time that a point is passed."""

    point: Point
    nth: int

    def __str__(self) -> str:
        return f"{self.point} #{self.nth}"


def places() -> list[Place]:
    """Live the life undisturbed and name every place; each point's first passing, and its last where there are more."""
    watcher = Watcher()
    outcome = run_seed(SEED, script=everything.script, strike=watcher, replicas=1)
    assert not outcome.broken, outcome.broken
    found = []
    for point, count in sorted(watcher.passed.items(), key=lambda one: str(one[0])):
        found += [Place(point, nth) for nth in sorted({1, count})]
    return found


def missing_verbs(found: list[Place]) -> set[str]:
    """Name the verbs that the life does not take."""
    sent = {place.point.name.partition(":")[2] for place in found if place.point.name.startswith("render.send:")}
    return {str(verb) for verb in Verb} - sent


def die_at(place: Place) -> tuple[Outcome, bool]:
    """Live the life with one death in it; answers how it ended and whether the place was reached."""
    assassin = Assassin(place.point, place.nth)
    outcome = run_seed(SEED, script=everything.script, strike=assassin, replicas=1)
    return outcome, assassin.done
