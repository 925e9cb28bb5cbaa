"""The verbs that steer: suspend, resume, delete, wait, hold, brake, reconcile; each tenant for itself, with codes."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from reconciler.core.status import ComponentStatus, Event, Phase, Reason
from tests.cli.conftest import NOW, Cli, execute, pause, tell


def state_of(url, name):
    return execute(url, "SELECT state, purge_mode FROM reconciler.tenants WHERE name = %(name)s", {"name": name})[0]


def test_suspend_and_resume_set_one_word(fleet, cli: Cli):
    assert cli("suspend", "acme").out == "tenant/acme suspended from now on\n"
    assert state_of(fleet, "acme") == ("suspended", "wait")
    assert cli("suspend", "acme").out == "tenant/acme already suspended\n"
    assert cli("resume", "acme").out == "tenant/acme running from now on\n"
    assert cli("resume", "acme").out == "tenant/acme already running\n"


def test_several_tenants_do_not_depend_on_each_other(fleet, cli: Cli):
    ran = cli("suspend", "acme", "nobody", "bolt")
    assert ran.code == 7 and ran.lines == ["tenant/acme suspended from now on", "tenant/bolt suspended from now on"]
    assert ran.err == 'error: nobody: there is no tenant "nobody"\n'
    assert cli("suspend", "nobody").code == 4
    assert cli("suspend", "nobody", "noone").code == 1


def test_a_deletion_waits_and_can_be_undone(fleet, cli: Cli):
    ran = cli("delete", "acme", "--yes")
    assert ran.code == 0 and "purged 20" in ran.out and "`reconciler resume acme` undoes it" in ran.out
    assert state_of(fleet, "acme") == ("deleted", "wait")
    assert cli("resume", "acme").out == "tenant/acme running from now on (the deletion is undone)\n"


@pytest.mark.parametrize(("flag", "mode", "word"), [("--now", "now", "purged"), ("--orphan", "orphan", "forgotten")])
def test_a_deletion_can_be_final(flag, mode, word, fleet, cli: Cli):
    ran = cli("delete", "acme", flag, "--yes")
    assert ran.code == 0 and word in ran.out
    assert state_of(fleet, "acme") == ("deleted", mode)


def test_nothing_is_deleted_without_a_word(fleet, cli: Cli, monkeypatch):
    ran = cli("delete", "acme")
    assert ran.code == 6 and "--yes" in ran.err
    monkeypatch.setattr("reconciler.cli.output.is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question: False)
    assert cli("delete", "acme", "--now").code == 6
    assert state_of(fleet, "acme") == ("running", "wait")
    monkeypatch.setattr("typer.confirm", lambda question: "Purge acme with all data now" in question)
    assert cli("delete", "acme", "--now").code == 0
    assert cli("delete", "acme", "--now", "--orphan", "--yes").code == 2
    assert cli("delete", "acme", "--wait", "--yes").code == 2


COMPONENTS = (
    ComponentStatus(
        component="db", kind="postgres", name="db-acme", state="available", healthy=True, id="dpg-1",
        since=NOW - timedelta(seconds=200), usd=Decimal(1),
    ),
    ComponentStatus(
        component="app", kind="web service", name="app-acme", state="live", healthy=True, id="srv-1",
        since=NOW - timedelta(seconds=30),
    ),
)  # fmt: skip


def make_ready(url, name="acme", **more):
    said = {
        "components": COMPONENTS,
        "url": "https://app-acme.onrender.com",
        "generation_since": NOW - timedelta(seconds=247),
        "ready_since": NOW - timedelta(seconds=25),
    }
    tell(url, name, **(said | more))


def test_wait_ends_with_how_long_each_component_took(fleet, cli: Cli):
    make_ready(fleet)
    ran = cli("wait", "acme")
    assert ran.code == 0, ran.err
    assert ran.lines == [
        "acme  db 47s, app 3m37s",
        "acme  Ready after 3m42s  https://app-acme.onrender.com",
    ]


def test_the_time_of_a_component_counts_from_its_own_creation(fleet, cli: Cli):
    make_ready(fleet)
    tell(fleet, "acme", Event(reason=Reason.CREATED, message="made", component="app"), components=COMPONENTS)
    execute(fleet, "UPDATE reconciler.events SET last_at = %(at)s", {"at": NOW - timedelta(seconds=201)})
    make_ready(fleet)
    assert cli("wait", "acme").lines[0] == "acme  db 47s, app 2m51s"


def test_wait_says_on_the_way_where_everybody_stands(fleet, cli: Cli, monkeypatch):
    looks = iter(range(3))

    async def sleep(_seconds):
        match next(looks):
            case 0:
                execute(fleet, "SELECT 1")
            case 1:
                execute(
                    fleet,
                    "UPDATE reconciler.status SET document = jsonb_set(document, '{phase}', '\"Ready\"') "
                    "WHERE name = 'acme'",
                )

    tell(fleet, "acme", phase=Phase.PROVISIONING, why="waits for postgres db", up=0, total=2)
    pause(monkeypatch, "reconciler.cli.waiting", sleep)
    ran = cli("wait", "acme")
    assert ran.code == 0, ran.err
    assert ran.err == "acme  Provisioning  0/2  waits for postgres db\n"


def test_the_timeout_has_a_code_of_its_own_and_says_why(fleet, cli: Cli):
    tell(fleet, "acme", phase=Phase.BLOCKED, why="secret TOKEN has no value", you="reconciler secret set acme TOKEN")
    ran = cli("wait", "acme", "bolt", "--timeout", "0s")
    assert ran.code == 3
    assert "acme is not Ready after 0s (1 more tenant too): Blocked, secret TOKEN has no value" in ran.err
    assert "reconciler secret set acme TOKEN" in ran.err
    assert cli("wait", "acme", "--for", "condition=Ready", "--timeout", "0").code == 3


def test_what_can_never_come_is_not_waited_for(fleet, cli: Cli, specs):
    tell(fleet, "acme", phase=Phase.INVALID, why="spec.tier: crm r2 has no tier", observed_generation=1)
    ran = cli("wait", "acme")
    assert ran.code == 1 and "Invalid" in ran.err
    cli("suspend", "bolt")
    ran = cli("wait", "bolt")
    assert ran.code == 1 and "bolt is suspended in its spec" in ran.err
    assert cli("wait", "acme", "--for", "Deleted").code == 1
    assert cli("wait", "nobody").code == 4
    assert cli("wait", "acme", "--for", "Happy").code == 2
    assert cli("wait", "acme", "--timeout", "soon").code == 2


def test_other_goals(fleet, cli: Cli):
    cli("suspend", "acme")
    tell(fleet, "acme", phase=Phase.SUSPENDED, why="suspended in its spec")
    assert cli("wait", "acme", "--for", "Suspended").out == "acme  Suspended\n"
    assert "generation 2 acted on: Suspended" in cli("wait", "acme", "--for", "generation").out
    cli("delete", "bolt", "--now", "--yes")
    execute(fleet, "UPDATE reconciler.tenants SET purged_at = now() WHERE name = 'bolt'")
    assert cli("wait", "bolt", "--for", "deleted").out == "bolt  Deleted\n"
    ran = cli("suspend", "bolt")
    assert ran.code == 1 and "purged" in ran.err


def test_apply_waits_for_what_each_spec_asks(fleet, specs, cli: Cli):
    make_ready(fleet)
    ran = cli("apply", "acme", "--set", "tier=starter", "--wait", "--timeout", "5s")
    assert ran.code == 0 and ran.lines[-1].startswith("acme  Ready after")
    ran = cli("apply", "acme", "--set", "tier=pro", "--wait", "--timeout", "0s")
    assert ran.code == 3 and ran.lines == ["tenant/acme changed (generation 2)"]


def test_hold_needs_an_end_and_a_reason_and_is_shown(fleet, cli: Cli):
    assert cli("hold", "acme").code == 2
    assert cli("hold", "acme", "--for", "2h").code == 2
    assert cli("hold", "acme", "--for", "0s", "--why", "x").code == 2
    assert cli("hold", "acme", "--release", "--why", "x").code == 2
    ran = cli("hold", "acme", "--for", "2h", "--why", "incident\x1b[2J 311")
    assert ran.code == 0 and ran.out.startswith("tenant/acme held until ")
    page = cli("describe", "acme").out
    assert "Held    by " in page and '"incident\\x1b[2J 311"' in page
    assert cli("hold", "nobody", "--for", "2h", "--why", "x").code == 4
    assert cli("hold", "acme", "--release").out == "tenant/acme released\n"
    assert cli("hold", "acme", "--release").code == 4


def test_the_brake_needs_a_reason_to_hold_all(fleet, cli: Cli):
    assert cli("brake").out == "brake    normal\n"
    assert cli("brake", "stop").code == 2
    assert cli("brake", "stop", "--why", "Render incident").out == "brake    STOP    Render incident\n"
    assert json.loads(cli("brake", "-o", "json").out) == {"brake": "stop", "why": "Render incident"}
    assert cli("brake", "observe", "--why", "audit", "-o", "name").out == "brake/observe\n"
    assert cli("brake", "normal").out.startswith("brake    normal")


def test_reconcile_asks_for_a_pass_and_can_wait_for_it(fleet, cli: Cli, monkeypatch):
    assert cli("reconcile", "acme").out == "tenant/acme will be looked at now\n"
    assert cli("reconcile", "nobody").code == 4
    assert cli("reconcile", "acme", "--wait", "--timeout", "0s").code == 3
    asked = []

    async def sleep(_seconds):
        asked.append(1)
        ((token,),) = execute(fleet, "SELECT reconcile_token FROM reconciler.tenants WHERE name = 'acme'")
        execute(
            fleet,
            "UPDATE reconciler.status SET document = jsonb_set(document, '{handled_token}', to_jsonb(%(t)s::text))",
            {"t": token},
        )

    make_ready(fleet, why="it answers")
    pause(monkeypatch, "reconciler.cli.verbs.guard", sleep)
    ran = cli("reconcile", "acme", "--wait")
    assert ran.code == 0 and ran.lines[-1] == "acme  looked at: it answers" and asked == [1]
