"""Measurements of the operator itself, printed by `make bench`: counts first, seconds second, no assertion on time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler import manifest
from reconciler.core.compile import compile_stack
from reconciler.core.plan import View, make_plan
from reconciler.core.resolve import resolve_stack
from reconciler.core.spec import DesiredState
from reconciler.core.values import digest
from reconciler.daemon.wiring import price_book
from tests.bench.conftest import Bench
from tests.engine.documents import FULL, tenant
from tests.engine.world import open_world

pytestmark = pytest.mark.bench


def per_second(body: Callable[[], object], *, for_s: float = 1.0) -> float:
    """Run a body again and again for about a second; answers how often a second."""
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < for_s:
        body()
        count += 1
    return count / spent


def test_pure_core(bench: Bench) -> None:
    doc = manifest.load_documents(FULL, file="bench.yaml")[0]
    blueprint = manifest.reader.blueprint(doc.name, manifest.blueprint_document(doc))
    spec = manifest.reader.tenant(manifest.tenant_columns(manifest.load_documents(tenant("acme", "full"), file="t")[0]))
    book = price_book()
    now = datetime(2026, 11, 1, tzinfo=UTC)
    stack = compile_stack(blueprint, 1, spec)

    def plan() -> None:
        resolved = resolve_stack(stack, lambda hole: None, lambda place, text: digest(b"k", place, text))
        view = View(
            stack=stack, state=DesiredState.RUNNING, owned={}, resolved=resolved, now=now, book=book, tenant="acme"
        )  # fmt: skip
        assert make_plan(view).actions

    bench.table(
        "pure core, a stack of 8 components, one core",
        ("what", "a second"),
        [
            ("compile", per_second(lambda: compile_stack(blueprint, 1, spec))),
            ("resolve + plan", per_second(plan)),
            ("parse YAML", per_second(lambda: manifest.load_documents(FULL, file="b"))),
        ],
    )


async def test_steady_state_calls(database_url: str, tmp_path: Path, bench: Bench) -> None:
    """How many calls a settled tenant costs in an hour, against one GET per resource and resync."""
    tenants = 8
    async with open_world(database_url, tmp_path) as world:
        await world.simulator.call("PATCH", "/_sim/settings", {"limits_enabled": False})
        await world.apply(FULL)
        for number in range(tenants):
            await world.apply(tenant(f"t{number}", "full"))
        started = time.perf_counter()
        await world.settle(within_s=24 * 3600, step_s=30.0)
        settled_s = time.perf_counter() - started
        truth = await world.simulator.truth()
        before, writes = sum(truth["requests"].values()), len(truth["writes"])
        hours = 6
        for _ in range(hours * 12):
            await world.step(300)
            while await world.turn():
                pass
        truth = await world.simulator.truth()
        calls = sum(truth["requests"].values()) - before
        onboarding = before / tenants
    bench.table(
        f"{tenants} tenants of 8 components each, simulated Render",
        ("what", "figure"),
        [
            ("calls to bring one tenant up", onboarding),
            ("steady state, calls per tenant and hour", calls / tenants / hours),
            ("one GET per resource and resync would be", 8.0),
            ("writes in the steady state", len(truth["writes"]) - writes),
            ("real seconds to bring them up in virtual time", settled_s),
        ],
    )
    assert calls > 0
