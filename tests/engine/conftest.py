"""Fixtures of the engine's tests: a world in virtual time, and documents to put into it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.world import World, open_world, unlike

HASTE_S = 0.4


@pytest.fixture
async def hasty(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """An operator that waits 0.4 real seconds for an answer, and 0.8 for the whole of it."""
    async with open_world(database_url, tmp_path, request_timeout_s=HASTE_S, read_timeout_s=HASTE_S) as opened:
        yield opened
        assert await unlike(opened) == {}


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """One replica over one fresh database and one fresh simulated workspace."""
    async with open_world(database_url, tmp_path) as opened:
        yield opened
        assert await unlike(opened) == {}, "whatever a test did to a tenant, every kept pass of it replays"
