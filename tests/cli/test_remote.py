"""The same verbs over another operator's HTTP API: they print the same, and its refusals end with the same codes."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import httpx
import pytest
import structlog

from reconciler.cli import remote, wire
from reconciler.core.actions import Action, Change, Verb
from reconciler.core.kinds import Kind
from reconciler.core.plan import Plan
from reconciler.core.status import ComponentStatus, ConditionType, Event, Reason
from reconciler.daemon.planner import Preview, plan_json
from reconciler.ports import Interval
from tests.api import harness
from tests.cli.conftest import NOW, Cli, condition, execute, meter, tell, tenant_yaml
from tests.cli.passes import a_pass

UPGRADE = Plan(
    actions=(
        Action(
            verb=Verb.UPDATE,
            component="app",
            kind=Kind.WEB,
            name="app-acme",
            changes=(Change(field="plan", before="starter", after="standard"),),
            usd_before=Decimal(7),
            usd_after=Decimal(25),
        ),
    ),
    usd_before=Decimal(7),
    usd_after=Decimal(25),
    eta_s=180,
)


APP = ComponentStatus(
    component="app", kind="web service", name="app-acme", state="live", healthy=True, id="srv-1",
    since=NOW - timedelta(days=2), usd=Decimal(7),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The server's own thread would write between the lines of the commands."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


class Planner:
    """Answers a plan as the daemon writes it, and remembers what it was asked."""

    asked: ClassVar[list[tuple[str, object]]] = []

    async def plan(self, name, columns=None):
        self.asked.append((name, columns))
        made = Preview(
            tenant=name, blueprint="crm", revision=1, newest_revision=1, tier_before="", tier_after="", plan=UPGRADE
        )
        return plan_json(made)

    async def plan_text(self, name, columns=None):
        raise AssertionError("the command line draws plans itself")


@pytest.fixture
def api(fleet: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[harness.ApiServer]:
    tell(
        fleet,
        "acme",
        Event(reason=Reason.CREATED, message="made", component="app"),
        conditions=(condition(ConditionType.READY, "True", Reason.AVAILABLE, NOW - timedelta(days=2)),),
        components=(APP,),
        why="it answers 200",
        url="https://app-acme.onrender.com",
        up=1,
        total=1,
        monthly_usd=Decimal(7),
        monthly_usd_desired=Decimal(7),
        kept=a_pass,
    )  # fmt: skip
    meter(
        fleet,
        Interval(tenant="acme", component="app", resource_id="srv-1", at=NOW - timedelta(hours=3), uncertainty_s=0,
                 facts={"kind": "web service"}, usd_per_month=Decimal(7), book="b"),
    )  # fmt: skip
    monkeypatch.setattr(harness, "FixedPlanner", Planner)
    server = harness.ApiServer(fleet, requests_per_minute=60_000)
    yield server
    server.stop()


@pytest.fixture
def over_http(api: harness.ApiServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Switch the command line to the API, with a key of these scopes."""

    def switch(*scopes: str) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("RECONCILER_URL", api.url)
        monkeypatch.setenv("RECONCILER_KEY", api.key(*scopes))

    return switch


SAME = [
    "get tenants",
    "get tenants -l segment=smb -o name",
    "get tenants -l segment=none -o name",
    "get tenants acme",
    "get tenant acme -o json",
    "get blueprints -o json",
    "get blueprint crm --revision 1 -o yaml",
    "get queue",
    "get keys -o json",
    "get operations acme",
    "get events acme -o json",
    "events -o json",
    "audit -o json --limit 3",
    "describe acme -o json",
    "why acme -o json",
    "why bolt",
    "why acme -o yaml",
    "why acme --passes",
    "why acme --passes -o json",
    "why --pass 1",
    "why --pass 1 -o json",
    "why --pass 77",
    "brake",
    "secret list acme",
    "secret list --blueprint crm",
    "rollout status -o name",
    "wait acme --timeout 1s",
    "get tenant nobody",
    "get operations nobody",
    "describe blueprint nothing",
    "hold acme --release",
    "apply acme --set tier=gold",
    "apply acme --set tier=starter",
]


def test_what_is_printed_does_not_depend_on_the_way(api, over_http, cli: Cli):
    direct = {words: cli(*words.split()) for words in SAME}
    over_http("admin")
    # The key this needs is one more than there was before.
    far = {words: cli(*words.split()) for words in SAME if words not in ("get keys -o json", "audit -o json --limit 3")}
    for words, ran in far.items():
        assert (ran.code, ran.out) == (direct[words].code, direct[words].out), (words, ran.err)


def test_every_change_can_be_made_over_http(api, over_http, specs, cli: Cli, monkeypatch):
    over_http("admin")
    assert cli("apply", "-f", str(specs), "-R").lines == [
        "blueprint/crm unchanged (r1)",
        "tenant/acme unchanged (generation 1)",
        "tenant/bolt unchanged (generation 1)",
    ]
    assert cli("apply", "acme", "--set", "tier=pro").out == "tenant/acme changed (generation 2)\n"
    assert cli("apply", "gaia", "--set", "blueprint=crm", "--set", "tier=pro", "--set", "params.locale=de").code == 0
    (specs / "crm.yaml").write_text((specs / "crm.yaml").read_text() + "  drift: report\n")
    assert cli("apply", "-f", str(specs / "crm.yaml")).out == "blueprint/crm changed (r2)\n"
    assert cli("suspend", "acme", "nobody").code == 7
    assert cli("resume", "acme").code == 0
    assert cli("delete", "acme", "--orphan", "--yes").code == 0
    assert execute(api.database_url, "SELECT purge_mode FROM reconciler.tenants WHERE name = 'acme'") == [("orphan",)]
    assert cli("hold", "bolt", "--for", "2h", "--why", "x").code == 0
    assert cli("hold", "bolt", "--release").code == 0
    assert cli("brake", "observe", "--why", "x").out == "brake    OBSERVE    x\n"
    assert cli("reconcile", "bolt").code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret-value"))
    assert cli("secret", "set", "bolt", "TOKEN").code == 0
    assert cli("secret", "list", "bolt").lines[1].startswith("TOKEN")
    assert cli("secret", "delete", "bolt", "TOKEN", "--yes").code == 0
    made = cli("key", "create", "reader", "--scope", "read")
    assert made.out.startswith("rcl_")
    assert cli("key", "revoke", "reader", "--yes").code == 0
    assert cli("rollout", "retry", "crm").code == 4
    rows = json.loads(cli("audit", "bolt", "-o", "json").out)["items"]
    assert {row["via"] for row in rows if row["action"] != "create tenant"} == {"http"}


def test_refused_documents_are_told_with_file_and_line_and_kept(api, over_http, specs, cli: Cli):
    over_http("operator")
    fern = specs / "fern.yaml"
    fern.write_text(tenant_yaml("fern", tier="gold"))
    ran = cli("apply", "-f", str(fern))
    assert ran.code == 1 and f"{fern}:7 spec.tier" in ran.err


def test_costs_and_describe_work_over_http(api, over_http, cli: Cli):
    over_http("read")
    ran = cli("cost", "--by", "component")
    assert ran.code == 0 and ran.lines[1].split()[0] == "acme/app" and ran.lines[1].split()[2] == "7.00"
    assert cli("cost", "-l", "segment=none").err == "no costs\n"
    assert "$7.00 a full month" in cli("describe", "acme").out


def test_plans_are_asked_for_and_drawn_here(api, over_http, cli: Cli):
    over_http("operator")
    Planner.asked.clear()
    ran = cli("plan", "acme", "--set", "tier=pro")
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "acme  crm r1  starter -> pro"
    assert ran.lines[1] == "  1  ~  app  web service  plan starter -> standard  $7.00 -> $25.00"
    assert Planner.asked[0][1]["tier"] == "pro"
    assert cli("plan", "acme", "--detailed-exitcode").code == 2
    assert Planner.asked[-1] == ("acme", None)
    ran = cli("plan", "gaia", "--set", "blueprint=crm", "--set", "tier=pro", "--set", "params.locale=de")
    assert ran.code == 0 and ran.lines[0] == "gaia  crm  pro  (new)"


SCOPED = [
    ("read", "suspend acme", 6, "scope"),
    ("read", "get keys", 6, "scope"),
    ("signup", "get tenants", 0, ""),
    ("signup", "cost", 6, "scope"),
    ("admin", "get tenant nobody", 4, "nobody"),
    ("admin", "migrate", 2, "DATABASE_URL"),
    ("admin", "key create local --scope admin", 0, ""),
]


def test_scopes_decide_and_codes_tell(over_http, cli: Cli):
    for scope, words, code, told in SCOPED:
        over_http(scope)
        ran = cli(*words.split())
        assert ran.code == code and told in ran.err, (scope, words, ran.err)


def test_a_moved_generation_is_a_conflict(api, over_http, cli: Cli, monkeypatch):
    over_http("operator")
    asked = remote.RemoteRegistry.get_tenant

    async def behind(self, name):
        row = await asked(self, name)
        execute(api.database_url, "UPDATE reconciler.tenants SET priority = priority + 1 WHERE name = 'acme'")
        return row

    monkeypatch.setattr(remote.RemoteRegistry, "get_tenant", behind)
    assert cli("apply", "acme", "--set", "tier=pro").code == 5


def test_wrong_addresses_and_keys_are_clear(api, cli: Cli, monkeypatch):
    monkeypatch.setenv("RECONCILER_URL", api.url)
    assert "RECONCILER_KEY" in cli("get", "tenants").err
    monkeypatch.setenv("RECONCILER_KEY", "rcl_wrong-key-value")
    ran = cli("get", "tenants")
    assert ran.code == 1 and "refused the key" in ran.err and "wrong-key-value" not in ran.err
    for address in ("http://127.0.0.1:9", "nonsense", "http://nowhere.invalid"):
        monkeypatch.setenv("RECONCILER_URL", address)
        ran = cli("get", "tenants")
        assert ran.code == 1 and address in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(429, "", 1), (503, '{"detail": "The database does not answer."}', 1), (500, "<html>", 1), (200, "<html>", 1)],
)
def test_what_an_api_of_ours_would_not_say_is_told_all_the_same(status, body, code, cli: Cli, monkeypatch):
    transport = httpx.MockTransport(lambda request: httpx.Response(status, text=body))
    make = httpx.AsyncClient
    monkeypatch.setattr(remote.httpx, "AsyncClient", lambda **given: make(transport=transport, **given))
    monkeypatch.setenv("RECONCILER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("RECONCILER_KEY", "k")
    ran = cli("get", "tenants")
    assert ran.code == code and "http://127.0.0.1:1" in ran.err and "Traceback" not in ran.err


def test_answers_of_another_version_are_named_so():
    with pytest.raises(wire.Garbled):
        wire.tenant({"metadata": {"name": "acme"}, "apiVersion": "reconciler/v1", "spec": {"blueprint": "crm"}})
    with pytest.raises(wire.Garbled):
        wire.moment("yesterday")
