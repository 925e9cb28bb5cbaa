"""What is kept of passes: it stands and falls with the end of its pass, and repetitions are counted."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.core.actions import Verb
from reconciler.core.errors import StaleLease
from reconciler.core.kinds import Kind
from reconciler.core.passes import Done, Kept, Result
from reconciler.ports import Store
from tests.postgres.conftest import NOW, claim_one, verdict
from tests.store.acts import LATER, seconds
from tests.store.lab import Lab, Pass

KEEP = timedelta(days=7)


def kept(result: Result = Result.WAITED, **more: Any) -> Kept:
    return Kept(began_at=NOW, took_s=0.1, result=result, generation=1, **more)


def done(ending: str = "succeeded") -> Done:
    return Done(operation=1, verb=Verb.CREATE, component="app", kind=Kind.WEB, name="app-x", ending=ending)


@pytest.fixture(autouse=True)
async def tenant(lab: Lab) -> None:
    await lab.sign_up("acme")


async def end(store: Store, one: Kept | None, after_s: float = 0, **more: Any) -> None:
    """End a pass so long after NOW."""
    at = NOW + seconds(after_s)
    await store.finish(await claim_one(store, "acme", now=at), verdict(kept=one, due_s=0, **more), at)


async def counted(lab: Lab) -> list[tuple[str, int]]:
    return [(one.result, one.count) for one in await lab.passes("acme")]


async def test_a_pass_is_kept_with_its_end(store: Store, lab: Lab) -> None:
    await end(store, kept(Result.CHANGED, done=(done(),)))
    (one,) = await lab.passes("acme")
    assert one == Pass(
        result="changed", generation=1, summary=one.summary, epoch=1, count=1, first_at=NOW, at=NOW
    )  # fmt: skip
    assert "app" in one.summary
    await end(store, None)
    assert len(await lab.passes("acme")) == 1, "a pass with nothing to explain leaves nothing"
    await end(store, kept(), unchanged=True)
    assert await counted(lab) == [("waited", 1), ("changed", 1)], "not even a quiet one loses what it explains"


async def test_a_stale_pass_leaves_nothing_behind(store: Store, lab: Lab) -> None:
    claim = await claim_one(store, "acme")
    await store.release_all("w1")
    with pytest.raises(StaleLease):
        await store.finish(claim, verdict(kept=kept()), NOW)
    with pytest.raises(StaleLease):
        await store.give_back(claim, NOW, "boom", NOW, kept(Result.BROKE, error="boom"))
    assert await lab.passes("acme") == []


async def test_what_says_the_same_again_is_counted_and_effects_never_are(store: Store, lab: Lab) -> None:
    for n in range(3):
        await end(store, kept(), n * 60)
    (one,) = await lab.passes("acme")
    assert (one.count, one.first_at, one.at, one.epoch) == (3, NOW, NOW + seconds(120), 3)
    for _ in range(2):
        await end(store, kept(Result.CHANGED, done=(done(),)))
    for _ in range(2):
        await end(store, kept(Result.FAILED, done=(done("refused"),)))
    await end(store, kept())
    assert await counted(lab) == [("waited", 1), ("failed", 2), ("changed", 1), ("changed", 1), ("waited", 3)]


async def test_a_broken_pass_is_kept_with_its_failure(store: Store, lab: Lab) -> None:
    broke = kept(Result.BROKE, error="KeyError: 'x'")
    await store.give_back(await claim_one(store, "acme"), NOW, "KeyError: 'x'", NOW, broke)
    (one,) = await lab.passes("acme")
    assert (one.result, one.summary) == ("broke", "KeyError: 'x'")


async def test_so_many_of_a_tenant_are_kept_for_so_long(store: Store, lab: Lab) -> None:
    for n in range(22):
        await end(store, kept(error=f"of {n}"), n)
    left = await lab.passes("acme")
    assert [one.summary for one in left] == [f"of {n}" for n in reversed(range(2, 22))]
    assert await store.trim(NOW + KEEP + seconds(2)) == 0
    assert await store.trim(NOW + KEEP + seconds(4)) == 2
    assert await store.trim(LATER + KEEP) == 18
    assert await lab.passes("acme") == []
