"""Whose turn it is: classes share the claims as promised, nobody starves, and a class alone gets everything."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

from reconciler.engine.shares import Shares
from reconciler.ports import WakeClass
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database

USER, RETRY, SETTLE, DRIFT = WakeClass.USER, WakeClass.RETRY, WakeClass.SETTLE, WakeClass.DRIFT


def due(database: Database, **counts: int) -> None:
    for sort, count in counts.items():
        names = [f"{sort}{number}" for number in range(count)]
        database.sign_up(*names)
        for name in names:
            database.run(
                f"UPDATE reconciler.tenant_queue SET wake_class = '{sort}', handled_seq = wake_seq, due_at = %s "
                f"WHERE tenant = '{name}'",
                [NOW - timedelta(minutes=1)],
            )


async def draw(store: PostgresStore, shares: Shares, times: int, places: int = 1) -> list[WakeClass]:
    drawn: list[WakeClass] = []
    for _ in range(times):
        claims = await store.claim(shares.turns(), places, "w", 90, NOW)
        shares.taken([claim.wake_class for claim in claims], all_of_them=len(claims) < places)
        drawn += [claim.wake_class for claim in claims]
    return drawn


async def test_a_backlog_of_every_class_is_shared_six_two_one_one(store: PostgresStore, database: Database) -> None:
    due(database, user=40, retry=40, settle=40, drift=40)
    shares = Shares()
    assert Counter(await draw(store, shares, 20)) == {USER: 12, RETRY: 4, SETTLE: 2, DRIFT: 2}
    assert Counter(await draw(store, shares, 5, places=8)) == {USER: 24, RETRY: 8, SETTLE: 4, DRIFT: 4}


async def test_within_twenty_single_claims_no_class_waits_longer_than_its_share(
    store: PostgresStore, database: Database
) -> None:
    due(database, user=40, drift=40)
    drawn = await draw(store, Shares(), 28)
    assert Counter(drawn) == {USER: 24, DRIFT: 4}
    places = [place for place, sort in enumerate(drawn) if sort is DRIFT]
    assert all(after - before == 7 for before, after in pairwise(places))


async def test_a_class_with_nothing_due_yields_its_turns_and_saves_none_up(
    store: PostgresStore, database: Database
) -> None:
    due(database, drift=60)
    shares = Shares()
    assert await draw(store, shares, 30) == [DRIFT] * 30
    due(database, user=40)
    drawn = await draw(store, shares, 14)
    assert drawn[0] is USER, "a person's change comes next"
    assert Counter(drawn) == {USER: 12, DRIFT: 2}, "and then it is as if both had always been there"
