"""Fixtures of the contract: every test that asks for a lab or a store runs over both."""

from collections.abc import AsyncIterator, Iterator

import pytest

from reconciler.ports import Store
from reconciler.postgres.embedded import EmbeddedPostgres
from tests.conftest import fresh_database
from tests.postgres.conftest import NOW
from tests.store.lab import Lab
from tests.store.memory_lab import MemoryLab
from tests.store.postgres_lab import PostgresLab, empty


@pytest.fixture(scope="session")
def contract_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """One migrated database for all tests of the contract."""
    yield from fresh_database(postgres_server.url, migrated_template)


async def replica(lab: Lab) -> Store:
    """Open another replica's store and let it say, as each does, that the world stands still at NOW."""
    store = await lab.open()
    await store.set_clock(NOW, 0.0)
    return store


@pytest.fixture(params=["memory", "postgres"])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Lab, Store]]:
    """A lab with one Blueprint whose world stands still at NOW, and the store of its first replica."""
    found: Lab
    if request.param == "memory":
        found = MemoryLab()
    else:
        url = request.getfixturevalue("contract_url")
        empty(url)
        found = PostgresLab(url)
    store = await replica(found)
    await found.put_blueprint()
    yield found, store
    await found.close()


@pytest.fixture
def lab(opened: tuple[Lab, Store]) -> Lab:
    """Everything around the store."""
    return opened[0]


@pytest.fixture
def store(opened: tuple[Lab, Store]) -> Store:
    """The store of one replica."""
    return opened[1]


@pytest.fixture
async def second(lab: Lab) -> Store:
    """The store of another replica."""
    return await replica(lab)
