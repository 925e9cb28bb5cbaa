"""The journal under concurrency; what a caller relies on is in tests/store."""

import asyncio

import pytest

from reconciler.core.errors import StaleLease
from reconciler.core.kinds import Bucket
from reconciler.ports import Claim
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, action, claim_one


@pytest.fixture
async def claim(store: PostgresStore, database: Database) -> Claim:
    database.sign_up("acme", "bolt")
    return await claim_one(store, "acme")


async def test_one_effect_at_a_time_for_a_component(store: PostgresStore, second: PostgresStore, claim: Claim) -> None:
    async def race(n: int) -> int | None:
        try:
            mine = (store, second)[n % 2]
            operation = await mine.open_operation(claim, action(), "h1", NOW)
            await mine.send_operation(claim, operation, Bucket.CREATE, "", NOW)
        except StaleLease:
            return None
        return operation

    sent_ones = [one for one in await asyncio.gather(*(race(n) for n in range(12))) if one is not None]
    assert len(sent_ones) == 1
    with pytest.raises(StaleLease, match="under way"):
        await store.open_operation(claim, action(), "h2", NOW)
    await store.open_operation(claim, action("other"), "h2", NOW)
