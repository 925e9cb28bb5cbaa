"""What a worker process of the campaign does: some seeds, one place of death, one mutant; answers plain values."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.campaign import crash, everything
from tests.campaign.crash import Place, Watcher
from tests.campaign.mutants import MUTANTS
from tests.campaign.run import run_seed


def quiet() -> None:
    """Say nothing about tasks of killed processes: that they never end is the point."""
    sys.unraisablehook = lambda *_: None
    warnings.simplefilter("ignore")


def run_seeds(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Run seeds; a run that falls over counts as a broken promise."""
    return [_guarded(seed) for seed in seeds]


def _guarded(seed: int) -> dict[str, Any]:
    try:
        outcome = asdict(run_seed(seed))
    except Exception as error:  # whatever it is, the seed tells it again
        return {"seed": seed, "broken": [f"crashed: {type(error).__name__}: {error}"[:300]]}
    outcome.pop("story")
    return outcome


def run_place(place: Place) -> dict[str, Any]:
    """Die at one place."""
    outcome, reached = crash.die_at(place)
    return {"place": str(place), "reached": reached, "broken": outcome.broken}


def mutant_names() -> list[str]:
    """Name the mutants."""
    return list(MUTANTS)


def run_mutant(task: tuple[str, int]) -> dict[str, Any]:
    """Let one mutant live the whole life, then seed after seed, until something notices."""
    name, seeds = task
    with MUTANTS[name]():
        noticed = _lives(seeds)
    return {"mutant": name, "killed": noticed}


def _lives(seeds: int) -> str:
    try:
        life = run_seed(crash.SEED, script=everything.script, strike=Watcher(), replicas=1).broken
    except Exception as error:  # a mutant that cannot even run is noticed
        return f"life: {type(error).__name__}"
    if life:
        return f"life: {life[0]}"
    for seed in range(seeds):
        broken = _guarded(seed)["broken"]
        if broken:
            return f"seed {seed}: {broken[0]}"
    return ""
