"""Servers for the tests of the HTTP API: one with everything set, and a way to start others beside it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from reconciler.core.values import Sensitive
from reconciler.postgres.embedded import EmbeddedPostgres
from tests.api.harness import BLUEPRINT, WEBHOOK_SECRET, ApiServer, Starter
from tests.conftest import fresh_database


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> Iterator[None]:
    """The servers' own threads would write between the dots."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def start_api(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Starter]:
    """Starts servers with other options on the module's database."""
    databases = fresh_database(postgres_server.url, migrated_template)
    database_url = next(databases)
    started: list[ApiServer] = []

    def start(**options: Any) -> ApiServer:
        started.append(ApiServer(database_url, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()
    next(databases, None)


@pytest.fixture(scope="module")
def api(start_api: Starter) -> ApiServer:
    """A server with every option a local run would set."""
    server = start_api(
        default_blueprint="crm",
        default_tier="starter",
        webhook_secret=Sensitive(WEBHOOK_SECRET),
        session_secret=Sensitive("console"),
        requests_per_minute=60_000,
    )
    server.put_blueprint(BLUEPRINT)
    return server
