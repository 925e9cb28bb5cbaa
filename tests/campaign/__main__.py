"""`make campaign`: seeds, crash points, mutants, within a time; a failing seed replays, a long run goes on from a file.

python -m tests.campaign --seeds 10000 --minutes 60 --state campaign.jsonl
python -m tests.campaign --replay 3094            one seed's story
python -m tests.campaign --only mutants           or seeds, or crash
python -m tests.campaign --only soak --cycles 100000   lives of tenants, to see that memory does not grow
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.campaign import report, soak
from tests.campaign.jobs import mutant_names, quiet, run_mutant, run_place, run_seeds
from tests.campaign.report import Tally

PARTS = ("seeds", "crash", "mutants")
SOAK = "soak"
"""Is run only when it is asked for: it measures this process, which must have done nothing else."""
BATCH = 20
HASH_SEED = "0"


def main() -> int:
    """Run what is asked for; 0 when every promise was kept, every place reached and enough mutants killed."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:  # sets of names are walked in the order of hashes
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "tests.campaign", *sys.argv[1:]])  # noqa: S606 - ourselves
    given = _arguments()
    quiet()
    if given.replay is not None:
        return report.story(given.replay)
    if given.only == [SOAK]:
        return soak.report(given.cycles, given.every or max(1, given.cycles // 10), given.minutes, given.first)
    tally = Tally(began_s=time.monotonic(), ends_s=time.monotonic() + given.minutes * 60)
    parts = given.only or PARTS
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn"), initializer=quiet) as pool:
        if "crash" in parts:
            _crash(pool, tally)
        if "mutants" in parts:
            _mutants(pool, tally, given.mutant_seeds)
        if "seeds" in parts:
            _seeds(pool, tally, given)
    print(report.text(tally, parts))
    return 0 if tally.good(parts, len(_wanted(given))) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__, add_help=True)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seed", type=int, action="append", help="these seeds instead; repeatable")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop starting anything after this (default: 60)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--mutant-seeds", type=int, default=400, help="seeds a mutant must survive")
    parser.add_argument("--state", type=Path, help="file that keeps what was run, to go on from")
    parser.add_argument(
        "--only", action="append", choices=(*PARTS, SOAK), help="part to run; repeatable (default: all but soak)"
    )
    parser.add_argument("--cycles", type=int, default=100_000, help="lives of the soak (default: %(default)s)")
    parser.add_argument("--every", type=int, help="lives between two measurements (default: a tenth of them)")
    parser.add_argument("--replay", type=int, help="run one seed and tell its story")
    given = parser.parse_args()
    if SOAK in (given.only or ()) and given.only != [SOAK]:
        parser.error("the soak runs alone: --only soak")
    return given


def _seeds(pool: ProcessPoolExecutor, tally: Tally, given: argparse.Namespace) -> None:
    """Run the seeds that the state file does not hold yet, in batches, and keep each batch's results."""
    done = _remembered(given.state, tally)
    wanted = [seed for seed in _wanted(given) if seed not in done]
    batches = [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]

    def keep(results: Sequence[dict[str, Any]]) -> None:
        for result in results:
            tally.seed(result)
        if given.state is not None:
            with given.state.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(result) + "\n" for result in results)

    _spread(pool, tally, run_seeds, batches, keep)


def _wanted(given: argparse.Namespace) -> Sequence[int]:
    """Answer the seeds that are asked for."""
    return given.seed or range(given.first, given.first + given.seeds)


def _remembered(state: Path | None, tally: Tally) -> set[int]:
    if state is None or not state.exists():
        return set()
    results = [json.loads(line) for line in state.read_text(encoding="utf-8").splitlines() if line.strip()]
    for result in results:
        tally.seed(result)
    return {int(result["seed"]) for result in results}


def _crash(pool: ProcessPoolExecutor, tally: Tally) -> None:
    from tests.campaign import crash

    places = pool.submit(crash.places).result()
    tally.missing_verbs = sorted(crash.missing_verbs(places))
    tally.places = len(places)
    _spread(pool, tally, run_place, places, tally.place)


def _mutants(pool: ProcessPoolExecutor, tally: Tally, seeds: int) -> None:
    _spread(pool, tally, run_mutant, [(name, seeds) for name in mutant_names()], tally.mutant)


def _spread(
    pool: ProcessPoolExecutor,
    tally: Tally,
    job: Callable[[Any], Any],
    tasks: Iterable[Any],
    take: Callable[[Any], None],
) -> None:
    """Keep every worker busy until the tasks or the time run out."""
    running: set[Future[Any]] = set()
    for task in tasks:
        if time.monotonic() > tally.ends_s:
            tally.out_of_time = True
            break
        running.add(pool.submit(job, task))
        if len(running) >= 2 * (os.cpu_count() or 1):
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ready:
                take(one.result())
    for one in wait(running).done:
        take(one.result())


if __name__ == "__main__":
    sys.exit(main())
