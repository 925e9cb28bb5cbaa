"""Fixtures of the engine's tests: a world in virtual time, and documents to put into it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.world import World, open_world


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """One replica over one fresh database and one fresh simulated workspace."""
    async with open_world(database_url, tmp_path) as opened:
        yield opened
