"""What is kept of passes: everything a plan was made from and no secret, replayed byte for byte, also elsewhere."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from reconciler.core.errors import Unavailable
from reconciler.core.passes import Replay
from reconciler.core.values import SecretRef
from reconciler.ports import Brake, Verdict
from reconciler.postgres import passes
from tests.engine.documents import FULL, ONE_WEB, tenant
from tests.engine.world import ACTOR, World, env_of, give_secret, open_world, replays

SECRET = "s3cr3t-words-of-a-person"
SECRETIVE = FULL.replace(
    "- {key: SECRET_KEY, sync: false}", "- {key: SECRET_KEY, sync: false}\n          - {key: MAIL, sync: false}"
)
FILES = """
  secretFiles: {backend: {"id.pem": "key ${secrets.MAIL}"}}
"""
ELSEWHERE = """
import asyncio, json, sys
from reconciler import manifest
from reconciler.cli import database

async def main():
    async with database.open_registry(sys.argv[1], None) as (registry, _):
        found = {}
        for id in json.loads(sys.argv[2]):
            found[id] = str((await registry.get_pass(id)).replayed.outcome)
        print(json.dumps(found))

asyncio.run(main())
"""


@pytest.fixture
async def keeping(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world that keeps every pass of a long life."""
    async with open_world(database_url, tmp_path, passes_kept=1000) as opened:
        yield opened


async def documents(world: World) -> dict[int, dict[str, Any]]:
    """Every kept document as it was written, decompressed."""
    async with world.wiring.pool.connection() as connection:
        rows = await (await connection.execute("SELECT id, document FROM reconciler.passes ORDER BY id")).fetchall()
    return {row["id"]: passes.unpack(row["document"]) for row in rows}


async def results(world: World, name: str) -> list[str]:
    return [row.result for row in reversed(await world.registry.passes(name, 1000))]


async def a_whole_life(world: World) -> set[str]:
    """One tenant of every kind through creation, refusal, lost answers, edits, drift, stops, suspension and purge.

    Answers the plain text of every secret that there was meanwhile.
    """
    await world.simulator.fault(fault="status", status=400, method="POST", path="^/v1/postgres$", count=1)
    await world.simulator.fault(fault="reset", method="POST", path="^/v1/key-value$", count=1)
    await world.apply(
        SECRETIVE.replace("  tiers:", FILES + "  tiers:").replace("secrets:", "onDelete: {keepFor: 1h}\n  secrets:")
    )
    await world.apply(tenant("bolt", "full", env={"backend": {"MODE": "live"}}))
    while await world.turn():
        pass
    assert "MAIL" in (await world.tenant("bolt")).status.why  # type: ignore[union-attr]
    await give_secret(world, "bolt", "MAIL", SECRET)
    while await world.turn():
        pass
    await world.registry.reconcile("bolt", ACTOR)  # lifts the refusal
    await world.settle("bolt")
    secrets = await plaintexts(world)
    await world.simulator.human("suspend", "backend-bolt")
    await world.step(900)
    await world.settle("bolt")
    await world.registry.set_brake(Brake.OBSERVE, "a rehearsal", ACTOR)
    await world.change("bolt", tier="big")
    while await world.turn():
        pass
    await world.registry.set_hold("bolt", "incident", await world.now() + timedelta(minutes=10), ACTOR)
    await world.registry.set_brake(Brake.NORMAL, "", ACTOR)
    while await world.turn():
        pass
    await world.registry.clear_hold("bolt", ACTOR)
    await world.simulator.fault(fault="status", status=503, method="PATCH", count=2)
    await world.settle("bolt")
    await world.change("bolt", state="suspended")
    await world.settle("bolt", phase="Suspended")
    await world.change("bolt", state="running")
    await world.settle("bolt")
    secrets |= await plaintexts(world)
    await world.change("bolt", state="deleted")
    await world.settle("bolt", phase="Deleted", step_s=120.0)
    return secrets


def elsewhere(world: World, ids: Sequence[int], seed: str) -> dict[str, str]:
    """Replay in another process, whose sets and dictionaries of strings hash otherwise."""
    environment = os.environ | {"PYTHONHASHSEED": seed}
    arguments = [sys.executable, "-c", ELSEWHERE, world.settings.database_url, json.dumps(list(ids))]
    ran = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def texts(value: object) -> set[str]:
    match value:
        case dict():
            return {text for one in value.values() for text in texts(one)}
        case list() | tuple():
            return {text for one in value for text in texts(one)}
        case str():
            return {value}
        case _:
            return set()


async def plaintexts(world: World) -> set[str]:
    """Every secret there is: what a person gave, what was made, passwords of datastores, and what Render runs with."""
    record = await world.wiring.store.load("bolt", await world.now())
    known = {one.reveal() for one in (*record.secrets.values(), *record.connection.values())}
    backend = env_of(await world.live("services", "backend-bolt"))
    known |= {backend[key] for key in ("DATABASE_URL", "SECRET_KEY", "MAIL")} | {f"key {SECRET}"}
    known |= {env_of(await world.live("services", "search-bolt"))["MASTER"]}
    assert SecretRef("MAIL") in record.secrets and len(known) >= 6
    return known


@pytest.mark.long
async def test_a_whole_life_replays_byte_for_byte_here_and_elsewhere_and_holds_no_secret(keeping: World) -> None:
    secrets = await a_whole_life(keeping)

    found = await replays(keeping)
    assert len(found) >= 12
    assert {one.outcome for one in found.values()} == {Replay.SAME}, {i: r for i, r in found.items() if r.differences}
    assert {"changed", "failed", "waited"} <= set(await results(keeping, "bolt"))
    assert {one.ending for row in await keeping.registry.passes("bolt", 1000) for one in row.done} >= {
        "succeeded", "refused", "unknown"
    }  # fmt: skip
    for seed in ("1", "4242"):
        assert set(elsewhere(keeping, list(found), seed).values()) == {"same"}

    kept = await documents(keeping)
    assert sum(len(one["rounds"]) for one in kept.values()) > len(kept)
    said = json.dumps(list(kept.values()), ensure_ascii=False)
    assert "MAIL" in said, "names of secrets are there"
    words = texts(list(kept.values()))
    for secret in secrets:
        assert secret not in said
        assert not any(secret in one for one in words)
    with psycopg.connect(keeping.settings.database_url) as connection:
        rows = connection.execute("SELECT to_jsonb(p) - 'document' FROM reconciler.passes p").fetchall()
    assert not any(secret in json.dumps(rows, ensure_ascii=False) for secret in secrets)


async def test_a_pass_that_changed_nothing_stores_nothing_and_asks_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.settle("acme")
    await world.step(3600)
    while await world.turn():
        pass
    before = await documents(world)
    asked: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def counted(self: Any, query: Any, *rest: Any, **more: Any) -> Any:
        asked.append(query.as_string(None) if hasattr(query, "as_string") else str(query))
        return await execute(self, query, *rest, **more)

    finished: list[Verdict] = []
    finish = world.wiring.store.finish

    async def noted(claim: Any, verdict: Verdict, now: Any) -> None:
        finished.append(verdict)
        start = len(asked)
        await finish(claim, verdict, now)
        assert len(asked) - start == 1, "a quiet pass ends in one statement, as it did before passes were kept"

    world.wiring.store.finish = noted  # type: ignore[method-assign]
    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counted)
    await world.step(2 * 3600)
    while await world.turn():
        pass
    assert [verdict.kept for verdict in finished] == [None] * len(finished) and finished
    assert asked and not [one for one in asked if "reconciler.passes" in one]
    assert await documents(world) == before


async def test_a_tenant_that_waits_on_is_kept_once(world: World) -> None:
    blueprint = SECRETIVE
    await world.apply(blueprint)
    await world.apply(tenant("bolt", "full"))
    for _ in range(6):
        while await world.turn():
            pass
        await world.step(3700)
    rows = await world.registry.passes("bolt")
    assert [row.result for row in rows] == ["waited"]
    assert [wait.message for wait in rows[0].waits] == ["secret MAIL (backend) has no value"]
    assert rows[0].done == () and rows[0].summary == "secret MAIL (backend) has no value"


async def test_a_pass_that_an_error_ended_is_kept_with_what_it_had_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.settle("acme")

    async def away(*_: object, **__: object) -> Any:
        raise Unavailable("Render answers 503")

    with monkeypatch.context() as patched:
        patched.setattr("reconciler.engine.refresh.refresh", away)
        await world.registry.reconcile("acme", ACTOR)
        await world.turn()
        await world.step(60)
        await world.turn()
    broken = (await world.registry.passes("acme"))[0]
    assert (broken.result, broken.count, broken.summary) == ("broke", 2, "Unavailable: Render answers 503")
    kept = await world.registry.get_pass(broken.id)
    assert kept.replayed.outcome is Replay.NO_PLAN
    assert kept.document["blueprint"] == "one"
    row = await world.tenant("acme")
    assert (row.next_class, row.failures, row.under_way) == ("retry", 2, False)
    await world.settle("acme")


async def test_planning_that_breaks_is_replayed_as_it_broke(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))

    def broken(*_: object) -> Any:
        raise KeyError("a mistake in planning")

    with monkeypatch.context() as patched:
        patched.setattr("reconciler.engine.reconcile.make_plan", broken)
        patched.setattr("reconciler.core.passes.make_plan", broken)
        await world.turn()
        row = (await world.registry.passes("acme"))[0]
        assert row.result == "broke"
        assert (await world.registry.get_pass(row.id)).replayed.outcome is Replay.SAME
    mended = (await world.registry.get_pass(row.id)).replayed
    assert mended.outcome is Replay.DIFFERENT
    assert mended.differences == ("round 1: planning broke then, and does not now",)
    async with world.wiring.pool.connection() as connection:
        await connection.execute("DELETE FROM reconciler.passes")  # it is as it should be: the mistake is mended
    await world.settle("acme")


async def test_a_plan_that_comes_out_otherwise_is_shown_by_path(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    await world.settle("acme")
    first = (await world.registry.passes("acme"))[-1]
    assert first.done[0].component == "@project"
    with monkeypatch.context() as patched:
        patched.setattr("reconciler.core.plan.make.DEPLOY_ETA_S", 240.0)
        patched.setattr("reconciler.postgres.passes.version", lambda: "9.9.9")
        other = (await world.registry.get_pass(first.id)).replayed
    assert other.outcome is Replay.DIFFERENT
    assert other.message == "replayed: another plan; made by version 0.1.0, this is 9.9.9"
    assert any("plan.eta_s: " in one and one.startswith("round 1: ") for one in other.differences)
