"""The campaign as part of the tests: three hundred seeds each time, crash points and mutants in `make check`."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.loop import OWNER, Process, SeededLoop

PROJECT = Path(__file__).resolve().parents[2]


def campaign(*arguments: str) -> str:
    """Run the campaign in a process of its own: what killed tasks leave behind is no business of pytest's."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(400)
def test_three_hundred_seeds_keep_every_promise() -> None:
    campaign("--only", "seeds", "--seeds", "300")


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_a_death_at_any_point_loses_and_doubles_nothing() -> None:
    campaign("--only", "crash")


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_known_bugs_are_noticed() -> None:
    campaign("--only", "mutants")


def test_a_seed_tells_the_same_story_each_time() -> None:
    stories = {campaign("--replay", "5") for _ in range(2)}
    assert len(stories) == 1
    assert "sign up acme" in stories.pop()


def test_whoever_is_killed_runs_no_further_and_whoever_is_stopped_goes_on_later() -> None:
    loop, said = SeededLoop(1), []

    async def speak(name: str) -> None:
        for number in range(3):
            await asyncio.sleep(1.0)
            said.append((name, number, loop.time()))

    async def main() -> None:
        killed, stopped = Process("killed"), Process("stopped")
        tasks = [loop.spawn(one, speak(one.name)) for one in (killed, stopped)]
        await asyncio.sleep(1.5)
        killed.dead, stopped.stopped = True, True
        await asyncio.sleep(10.0)
        loop.resume(stopped)
        await asyncio.sleep(5.0)
        assert [one.done() for one in tasks] == [False, True]
        assert OWNER.get() is None

    loop.run_until_complete(main())
    loop.abandon()
    loop.close()
    assert sorted(said) == [("killed", 0, 1.0), ("stopped", 0, 1.0), ("stopped", 1, 11.5), ("stopped", 2, 12.5)]
