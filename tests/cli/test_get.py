"""The verbs that look: get, describe, why, events, audit, cost, explain; in every form, hostile names included."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import yaml

from reconciler.cli.verbs import cost as cost_verb
from reconciler.core.status import ComponentStatus, ConditionType, Event, Phase, Reason
from reconciler.ports import Interval
from tests.cli.conftest import NOW, Cli, condition, execute, meter, pause, tell

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n\u202e'; DROP TABLE x; -- <script>"
READY = (
    condition(ConditionType.READY, "True", Reason.AVAILABLE),
    condition(ConditionType.SYNCED, "True", Reason.IN_SYNC),
    condition(ConditionType.DRIFTED, "False", Reason.IN_SYNC),
)
COMPONENTS = (
    ComponentStatus(
        component="db", kind="postgres", name="db-acme", state="available", healthy=True, id="dpg-1",
        since=NOW - timedelta(seconds=281), usd=Decimal("10.50"),
    ),
    ComponentStatus(component="app", kind="web service", name="app-acme", state="waits for db", healthy=False),
)  # fmt: skip


@pytest.fixture
def ready(fleet: str) -> str:
    tell(
        fleet,
        "acme",
        Event(reason=Reason.CREATED, message="db-acme created", component="db"),
        Event(reason=Reason.AVAILABLE, message="db after 47s", component="db"),
        conditions=READY,
        components=COMPONENTS,
        why="https://app-acme.onrender.com answers 200",
        url="https://app-acme.onrender.com",
        up=1,
        total=2,
        monthly_usd=Decimal("10.50"),
        monthly_usd_desired=Decimal("17.50"),
        next="14:00:00  create app",
        generation_since=NOW - timedelta(seconds=300),
        ready_since=NOW - timedelta(seconds=78),
    )
    return fleet


def test_tenants_are_a_table_that_scripts_can_cut(ready, cli: Cli):
    ran = cli("get", "tenants")
    assert ran.code == 0
    assert ran.lines == [
        "TENANT  BLUEPRINT  TIER     PHASE     UP  $/MONTH  WHY",
        "acme    crm r1     starter  Ready    1/2    17.50  https://app-acme.onrender.com answers 200",
        "bolt    crm r1     pro      Pending    -        -  accepted; not looked at yet",
    ]


def test_wide_json_yaml_and_name_forms(ready, cli: Cli):
    assert "EXTERNAL-ID" in cli("get", "tenants", "-o", "wide").lines[0]
    listed = json.loads(cli("get", "tenants", "-o", "json").out)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["acme", "bolt"]
    single = yaml.safe_load(cli("get", "tenant", "acme", "-o", "yaml").out)
    assert single["kind"] == "Tenant" and single["status"]["phase"] == "Ready"
    assert cli("get", "tenants", "-o", "name").lines == ["tenant/acme", "tenant/bolt"]
    assert cli("get", "tenant/acme", "-o", "name").lines == ["tenant/acme"]


def test_what_get_prints_can_be_applied_again(ready, cli: Cli, tmp_path):
    document = yaml.safe_load(cli("get", "tenant", "acme", "-o", "yaml").out)
    document.pop("status")
    document["metadata"] = {key: document["metadata"][key] for key in ("name", "labels")}
    (tmp_path / "acme.yaml").write_text(yaml.safe_dump(document))
    assert cli("apply", "-f", str(tmp_path / "acme.yaml")).out == "tenant/acme unchanged (generation 1)\n"


def test_labels_and_names_choose(fleet, cli: Cli):
    cli("apply", "bolt", "--set", "labels.segment=enterprise")
    assert cli("get", "tenants", "-l", "segment=enterprise", "-o", "name").lines == ["tenant/bolt"]
    assert cli("get", "tenants", "acme", "-o", "name").lines == ["tenant/acme"]
    assert cli("get", "tenants", "acme", "nobody").code == 4
    ran = cli("get", "tenants", "-l", "segment=none")
    assert (ran.code, ran.out, ran.err) == (0, "", "no tenants\n")
    assert cli("get", "tenants", "-l", "segment").code == 2
    assert cli("get", "elephants").code == 2


def test_an_edited_tenant_never_shows_its_older_status(ready, cli: Cli):
    cli("apply", "acme", "--set", "tier=pro")
    row = cli("get", "tenants").lines[1]
    assert "Pending" in row and "generation 2 accepted" in row and "Ready" not in row


def test_blueprints_revisions_queue_keys_and_journal_are_listed(fleet, specs, cli: Cli):
    crm = specs / "crm.yaml"
    crm.write_text(crm.read_text() + "  drift: report\n")
    assert cli("apply", "-f", str(crm)).out == "blueprint/crm changed (r2)\n"
    assert cli("get", "blueprints").lines[1].split()[:3] == ["crm", "r2", "2"]
    older = json.loads(cli("get", "bp", "crm", "--revision", "1", "-o", "json").out)
    assert "drift" not in older["spec"] and older["metadata"]["newestRevision"] == 2
    assert cli("get", "blueprint", "crm", "--revision", "9").code == 4
    assert "r2" in cli("rollout", "status").out
    assert cli("rollout", "retry", "crm").code == 4
    assert cli("get", "queue").err == "no tenants waiting for creates\n"
    assert cli("get", "keys").err == "no keys\n"
    assert cli("get", "operations", "acme").err == "no operations\n"
    assert cli("get", "operations").code == 2
    assert cli("get", "operations", "nobody").code == 4
    assert cli("get", "events", "-o", "json").code == 0
    assert cli("get", "audit").lines[0].startswith("TIME")


def test_describe_is_one_page_with_everything(ready, cli: Cli):
    ran = cli("describe", "tenant", "acme")
    assert ran.code == 0, ran.err
    assert ran.lines[0] == 'acme  "Acme"    Ready    1 of 2 up    $17.50 a month when done'
    assert "Why     https://app-acme.onrender.com answers 200" in ran.lines
    assert "You     nothing to do" in ran.lines
    assert "Next    14:00:00  create app" in ran.lines
    assert any(
        line.startswith("Spec    crm r1 (newest), starter, running; generation 1, acted on 1;") for line in ran.lines
    )
    table = next(place for place, line in enumerate(ran.lines) if line.startswith("COMPONENT"))
    assert ran.lines[table].split() == ["COMPONENT", "KIND", "STATE", "FOR", "LIVE", "$/MONTH"]
    db, app = ran.lines[table + 1].split(), ran.lines[table + 2].split()
    assert db[:3] + db[4:] == ["db", "postgres", "available", "db-acme", "dpg-1", "10.50"]
    assert app == ["app", "web", "service", "waits", "for", "db", "-", "-", "-"]
    assert any(line.startswith("Ready    True   Available") and "Drift  none" in line for line in ran.lines)
    assert any("Cost   " in line and "$17.50 a full month" in line for line in ran.lines)
    assert any(line.startswith("Events  ") and "Available  db after 47s" in line for line in ran.lines)
    assert json.loads(cli("describe", "acme", "-o", "json").out)["metadata"]["name"] == "acme"


def test_describe_of_others(fleet, cli: Cli):
    assert "crm    r1 of 1    2 tenants" in cli("describe", "blueprint", "crm").lines[0]
    assert cli("describe", "tenant", "nobody").code == 4
    assert cli("describe", "blueprint/crm", "-o", "name").out == "blueprint/crm\n"
    assert cli("describe", "a", "b", "c").code == 2
    assert cli("describe", "queue", "b").code == 2
    assert cli("describe", "bolt").code == 0


def test_why_of_a_refused_document_says_what_is_wrong(fleet, specs, cli: Cli):
    (specs / "fern.yaml").write_text(
        (specs / "tenants" / "acme.yaml").read_text().replace("acme", "fern") + "  hue: 1\n"
    )
    cli("apply", "-f", str(specs / "fern.yaml"))
    ran = cli("why", "fern")
    assert ran.code == 0 and "spec.hue" in ran.out and "untouched" in ran.out
    assert cli("get", "tenant", "fern").lines[1].split()[:4] == ["fern", "-", "-", "Invalid"]


def test_hostile_strings_reach_no_terminal(fleet, cli: Cli):
    tell(
        fleet,
        "acme",
        Event(reason=Reason.FAILED, message=HOSTILE, component="db", warning=True),
        conditions=READY,
        components=(
            ComponentStatus(component="x\x1b[1m", kind="web\n", name=HOSTILE, state=HOSTILE, healthy=False, id="\x1b"),
        ),
        why=HOSTILE,
        you=HOSTILE,
        next=HOSTILE,
        drift=(HOSTILE,),
        warnings=(HOSTILE,),
    )
    for arguments in (
        ("get", "tenants"),
        ("get", "tenants", "-o", "wide"),
        ("get", "tenants", "-o", "json"),
        ("get", "tenants", "-o", "yaml"),
        ("describe", "acme"),
        ("why", "acme"),
        ("events", "acme"),
        ("events", "acme", "-o", "json"),
    ):
        ran = cli(*arguments)
        assert ran.code == 0, (arguments, ran.err)
        assert all(c.isprintable() or c == "\n" for c in ran.out), arguments
    assert json.loads(cli("get", "tenant", "acme", "-o", "json").out)["status"]["why"] == HOSTILE


def test_a_terminal_gets_colours_and_no_color_takes_them_away(ready, cli: Cli, monkeypatch):
    monkeypatch.setattr("reconciler.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32mReady" in cli("get", "tenants").out
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in cli("get", "tenants").out


def test_events_are_listed_newest_last(ready, cli: Cli):
    ran = cli("events", "acme")
    assert [line.split()[2] for line in ran.lines] == ["REASON", "Created", "Available"]
    assert cli("events", "nobody").code == 4
    assert json.loads(cli("events", "-o", "json").out)["items"][0]["component"] == "db"


class Stop(Exception):
    pass


@pytest.mark.parametrize("arguments", [("events", "acme", "--watch"), ("events", "-w")])
def test_watched_events_come_once_each(ready, cli: Cli, monkeypatch, arguments):
    looks = iter(range(3))

    async def sleep(_seconds):
        if next(looks) == 1:
            raise KeyboardInterrupt

    pause(monkeypatch, "reconciler.cli.verbs.event", sleep)
    ran = cli(*arguments)
    assert ran.code == 130
    assert len(ran.lines) == 2 and "db-acme created" in ran.lines[0]


def test_watched_tenants_are_printed_when_they_change(ready, cli: Cli, monkeypatch):
    looks = iter(range(5))

    async def sleep(_seconds):
        match next(looks):
            case 0:
                execute(ready, "UPDATE reconciler.tenants SET tier = 'pro' WHERE name = 'acme'")
            case 2:
                raise KeyboardInterrupt

    pause(monkeypatch, "reconciler.cli.verbs.get", sleep)
    ran = cli("get", "tenants", "--watch")
    assert ran.code == 130
    assert [line.split()[0] for line in ran.lines] == ["TENANT", "acme", "bolt", "acme"]


def test_costs_come_from_the_ledger(ready, cli: Cli):
    interval = Interval(
        tenant="acme",
        component="db",
        resource_id="dpg-1",
        at=datetime.now(UTC) - timedelta(hours=73),
        uncertainty_s=0,
        facts={"kind": "postgres"},
        usd_per_month=Decimal("10.50"),
        book="b",
    )
    meter(ready, interval)
    ran = cli("cost", "--window", "30d")
    assert ran.code == 0, ran.err
    assert ran.lines[0].split() == ["TENANT", "USD", "$/MONTH", "FORECAST", "UNKNOWN"]
    key, usd, rate = ran.lines[1].split()[:3]
    assert (key, rate) == ("acme", "10.50") and 1.0 < float(usd) < 1.15  # 73 hours of a month of 28 to 31 days
    month = json.loads(cli("cost", "-o", "json").out)["items"][0]
    assert float(month["usdForecast"]) > float(month["usd"]) > 0
    for group in ("component", "kind", "blueprint", "tier", "label:segment"):
        assert "10.50" in cli("cost", "--by", group, "--window", "30d").out, group
    assert json.loads(cli("cost", "--window", "30d", "-o", "json").out)["items"][0]["usdPerMonth"] == "10.50"
    assert cli("cost", "--by", "mood").code == 2
    assert cli("cost", "--by", "label:").code == 2
    assert cli("cost", "-l", "segment=none", "--window", "30d").err == "no costs\n"
    assert any("so far" in line for line in cli("describe", "acme").lines)


def test_windows_are_read_as_people_write_them():
    now = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
    assert cost_verb.window_of("month", now) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert cost_verb.window_of("7d", now) == (now - timedelta(days=7), now)
    assert cost_verb.window_of("2026-10-01,2026-11-01T00:00+01:00", now) == (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 10, 31, 23, tzinfo=UTC),
    )
    for wrong in ("2026-11-01,2026-10-01", "x,y", "soon"):
        with pytest.raises(Exception, match="write"):
            cost_verb.window_of(wrong, now)


def test_explain_says_what_a_field_means(cli: Cli):
    assert "tiers" in cli("explain", "tenant.spec.tier").out
    assert "RECONCILER_WORKERS  default 8" in cli("explain", "settings").lines
    schema = json.loads(cli("explain", "--schema", "tenant").out)
    assert schema["title"] and "properties" in schema
    assert json.loads(cli("explain", "--schema", "all").out)["$defs"]
    assert cli("explain", "tenant.spec.colour").code == 4
    assert cli("explain", "--schema", "cat").code == 4
    assert cli("explain").code == 2


def test_phases_without_a_pass_are_pending(fleet, cli: Cli):
    assert json.loads(cli("get", "tenant", "acme", "-o", "json").out)["status"]["phase"] == Phase.PENDING
