"""The verbs `run` and `plan`: what reaches the composition root, and plans made by the real engine's own hand."""

import io
import json
import sys
from pathlib import Path

import httpx
import pytest

from reconciler import daemon
from tests.cli.conftest import Cli, execute, tenant_yaml


@pytest.fixture
def started(monkeypatch):
    """What `daemon.run` is called with, instead of a daemon."""
    calls = []
    monkeypatch.setattr(daemon, "run", lambda settings, options: calls.append((settings, options)) or 3)
    return calls


def test_a_local_run_gets_its_options_and_leaves_with_the_daemons_code(started, specs, tmp_path, cli: Cli):
    assert cli("run", "--local", "--once", "--timeout", "2m", "--role", "engine").code == 3
    ((settings, options),) = started
    assert (options.local, options.once, options.role, options.timeout_s) == (True, True, "engine", 120.0)
    assert options.apply == Path("specs") and settings.api_port == 8000


def test_specs_are_applied_only_where_they_are_or_where_asked(started, tmp_path, cli: Cli):
    (tmp_path / "mine").mkdir()
    cli("run", "--local")
    cli("run", "--local", "--apply", "mine")
    assert [options.apply for _, options in started] == [None, Path("mine")]
    assert cli("run", "--local", "--apply", "gone").code == 4
    assert cli("run", "--local", "--role", "boss").code == 2


def test_a_real_run_never_falls_back_to_a_simulation(started, cli: Cli, monkeypatch):
    ran = cli("run")
    assert ran.code == 1 and started == []
    for name in ("RENDER_API_KEY", "DATABASE_URL", "RECONCILER_ENCRYPTION_KEY"):
        assert f"error: {name}: is not set" in ran.err
    monkeypatch.setenv("RENDER_API_KEY", "rnd_secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:pw@h/d")
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", "k")
    assert cli("run").code == 3
    monkeypatch.setenv("RECONCILER_WORKERS", "none")
    ran = cli("run")
    assert ran.code == 1 and "RECONCILER_WORKERS" in ran.err and '"none"' in ran.err


async def test_the_daemon_is_told_what_was_applied(fleet, specs):
    from reconciler.cli import applying, database
    from reconciler.doors import Actor

    (specs / "fern.yaml").write_text(tenant_yaml("fern", tier="gold"))
    (specs / "local-secrets.yaml").write_text("tenants: {acme: {TOKEN: x}}\n")
    async with database.open_registry(fleet, None) as (registry, _clock):
        lines = await applying.apply_folder(registry, Actor(name="local run", via="cli"), specs)
    assert lines[0] == f"applied 1 blueprint, 2 tenants from {specs}/"
    assert len(lines) == 2 and lines[1].startswith(f"tenant/fern refused: {specs}/fern.yaml:7 spec.tier")


@pytest.fixture
def planning(fleet, simulator, monkeypatch):
    """A simulated Render for the engine to look at."""
    monkeypatch.setenv("RENDER_API_URL", f"{simulator}/v1")
    monkeypatch.setenv("RENDER_API_KEY", "k")
    return fleet


def test_a_plan_can_be_made_in_the_last_second_of_a_frozen_minute(planning, simulator, cli: Cli):
    now = httpx.get(f"{simulator}/_sim/clock").json()["epoch_s"]
    httpx.post(f"{simulator}/_sim/clock", json={"step_s": 59.5 - now % 60 + 60}).raise_for_status()
    assert cli("plan", "acme").code == 0


def give(monkeypatch, cli, *words):
    monkeypatch.setattr(sys, "stdin", io.StringIO("value-of-a-secret"))
    assert cli("secret", "set", *words).code == 0


def test_a_plan_says_what_it_waits_for_then_what_it_would_create(planning, cli: Cli, monkeypatch):
    ran = cli("plan", "acme")
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "acme  crm r1  starter"
    assert "reconciler secret set acme TOKEN" in ran.out and "Plan: nothing to do until that is settled." in ran.lines
    give(monkeypatch, cli, "acme", "TOKEN")
    give(monkeypatch, cli, "--blueprint", "crm", "DSN")
    ran = cli("plan", "acme", "--set", "tier=pro")
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "acme  crm r1  starter -> pro"
    drawn = {line.split()[line.split().index("+") + 1]: line for line in ran.lines if " + " in line}
    assert {"db", "app", "jobs"} <= set(drawn) and "$25.00" in drawn["app"]
    assert "No data is lost." in ran.out and "3 creates" in ran.out
    assert "value-of-a-secret" not in ran.out + cli("plan", "acme", "-o", "json").out
    assert cli("plan", "acme", "--detailed-exitcode").code == 2
    assert execute(planning, "SELECT count(*) FROM reconciler.operations") == [(0,)]


def test_plans_are_made_of_files_and_of_tenants_to_come(planning, specs, cli: Cli):
    (specs / "tenants" / "gaia.yaml").write_text(tenant_yaml("gaia"))
    ran = cli("plan", "-f", str(specs), "-R", "-o", "json")
    assert ran.code == 0, ran.err
    assert [plan["tenant"] for plan in json.loads(ran.out)] == ["acme", "bolt", "gaia"]
    assert "blueprint/crm is not planned" in ran.err
    assert cli("plan", "acme", "bolt", "-o", "name").lines == ["tenant/acme", "tenant/bolt"]
    assert json.loads(cli("plan", "acme", "-o", "json").out)["summary"]["delete"] == 0
    ran = cli("plan", "hugo", "--set", "blueprint=crm", "--set", "tier=pro", "--set", "params.locale=de")
    assert ran.code == 0 and ran.lines[0] == "hugo  crm  pro  (new)"


def test_what_cannot_be_planned_is_said_with_file_and_line(planning, specs, cli: Cli):
    (specs / "fern.yaml").write_text(tenant_yaml("fern", tier="gold"))
    (specs / "broken.yaml").write_text("kind: [")
    ran = cli("plan", "-f", str(specs / "fern.yaml"))
    assert ran.code == 1 and f"{specs}/fern.yaml:7 spec.tier" in ran.err
    assert cli("plan", "-f", str(specs / "fern.yaml"), "--detailed-exitcode").code == 1
    assert cli("plan", "-f", str(specs / "broken.yaml")).code == 1
    assert cli("plan", "nobody").code == 4
    assert cli("plan", "acme", "--set", "tier=gold").code == 1
    assert cli("plan").code == 2
    assert cli("plan", "-f", str(specs / "fern.yaml"), "--set", "tier=pro").code == 2


def test_a_plan_needs_what_a_pass_needs(fleet, cli: Cli):
    ran = cli("plan", "acme")
    assert ran.code == 1 and "RENDER_API_KEY: is not set" in ran.err
