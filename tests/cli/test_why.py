"""`why`: the two lines and what they rest on, kept passes, and one of them replayed."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from reconciler.core.status import ComponentStatus, ConditionType, Phase, Reason
from reconciler.postgres import passes
from tests.cli.conftest import NOW, condition, execute, tell
from tests.cli.passes import BLOCKED, a_pass, waiting
from tests.cli.test_get import Cli

READY = (
    condition(ConditionType.READY, "True", Reason.AVAILABLE),
    condition(ConditionType.SYNCED, "True", Reason.IN_SYNC),
    condition(ConditionType.DRIFTED, "False", Reason.IN_SYNC),
)
QUEUED = (
    condition(ConditionType.READY, "False", Reason.QUEUED),
    condition(ConditionType.SYNCED, "False", Reason.QUEUED),
    condition(ConditionType.DRIFTED, "False", Reason.IN_SYNC),
)
DB = ComponentStatus(
    component="db", kind="postgres", name="db-acme", state=f"waits for {BLOCKED.message}", healthy=False,
    since=NOW - timedelta(minutes=4),
)  # fmt: skip


@pytest.fixture
def queued(fleet: str) -> str:
    tell(fleet, "acme", conditions=READY, kept=a_pass)
    tell(
        fleet, "acme", conditions=QUEUED, components=(DB,), phase=Phase.PROVISIONING, kept=waiting,
        why="db waits for a create", next="create postgres db",
    )  # fmt: skip
    execute(
        fleet,
        "INSERT INTO reconciler.create_demand (tenant, wanted, ready, started, priority, since) "
        "VALUES ('bolt', 20, 1, true, 90, %(at)s), ('acme', 3, 1, true, 50, %(at)s)",
        {"at": NOW},
    )
    return fleet


def labelled(lines: list[str]) -> dict[str, str]:
    """The page by its labels; a label's further lines are joined to it."""
    found: dict[str, str] = {}
    label = ""
    for line in lines:
        label = line[:8].strip() or label
        found[label] = f"{found.get(label, '')} {line[8:]}".strip()
    return found


def test_a_tenant_that_has_nothing_to_do_says_its_two_lines_and_when_it_is_looked_at(fleet: str, cli: Cli):
    tell(fleet, "acme", conditions=READY, why="https://app-acme.onrender.com answers 200")
    page = cli("why", "acme").lines
    assert page[:2] == ["Why     https://app-acme.onrender.com answers 200", "You     nothing to do"]
    said = labelled(page)
    assert said["Last"] == f"{NOW:%H:%M:%S}  looked, nothing to do"
    assert said["Next"] == "at once (drift)"
    assert set(said) == {"Why", "You", "Last", "Next"}
    assert cli("why", "nobody").code == 4
    assert cli("why", "bolt").lines[0] == "Why     accepted; not looked at yet"


def test_it_says_who_waits_for_what_since_when_and_its_place_in_the_queue(queued: str, cli: Cli):
    said = labelled(cli("why", "acme").lines)
    assert said["Why"] == "db waits for a create"
    assert said["Last"] == f"{NOW:%H:%M:%S}  waited (pass 2, drift, took 0.0s)"
    waits = {line.split()[0]: line for line in cli("why", "acme").lines if "  for " in line for line in [line[8:]]}
    assert "20 of 20 used; position 1" in waits["db"]
    assert f"until {NOW + timedelta(minutes=30):%H:%M:%S}" in waits["db"]
    minutes = re.search(r"  for (\d+)m", waits["db"])
    assert minutes and int(minutes[1]) >= 4, "as long as the component stands so"
    assert "waits for the values of DSN, TOKEN" in waits["app"]
    assert said["Queue"].startswith("2 of 2 stacks, 3 creates wanted, about ")
    assert said["Next"] == "at once (drift): create postgres db"


def test_a_pass_that_found_it_still_waiting_is_said_beside_the_one_that_was_kept(queued: str, cli: Cli):
    execute(queued, "UPDATE reconciler.status SET updated_at = updated_at + interval '5 minutes'")
    lines = cli("why", "acme").lines
    place = next(index for index, line in enumerate(lines) if line.startswith("Last"))
    said = labelled(lines)
    assert f"{NOW + timedelta(minutes=5):%H:%M:%S}  looked again, still so" in "\n".join(lines[place:])
    assert "Waits" in said
    tell(queued, "acme", conditions=READY, why="it answers 200")
    execute(queued, "UPDATE reconciler.status SET updated_at = updated_at + interval '9 minutes'")
    after = labelled(cli("why", "acme").lines)
    assert after["Last"].endswith("looked, nothing to do") and after["Before"].startswith(
        f"{NOW:%H:%M:%S}  waited (pass 2, "
    )
    assert "Waits" not in after


def test_what_stops_it_is_said_with_the_way_out(queued: str, cli: Cli):
    assert cli("brake", "observe", "--why", "Render incident").code == 0
    assert cli("hold", "acme", "--for", "2h", "--why", "incident 311").code == 0
    lines = [line for line in cli("why", "acme").lines if line.startswith("Stops")]
    assert lines[0] == "Stops   the brake is on observe (Render incident): reconciler brake normal"
    assert lines[1].endswith("incident 311: reconciler hold acme --release")
    later = "now() + interval '90 minutes'"
    execute(queued, f"UPDATE reconciler.tenant_queue SET due_at = {later}, failures = 3, wake_class = 'retry'")
    said = labelled(cli("why", "acme").lines)["Next"]
    assert ", in 1h" in said
    assert "(retry, after 3 failures in a row)" in said
    execute(queued, "UPDATE reconciler.tenant_queue SET lease_owner = 'w', lease_until = now() + interval '1 minute'")
    assert labelled(cli("why", "acme").lines)["Next"] == "a pass is under way now"


def test_programs_get_the_same(queued: str, cli: Cli):
    told = json.loads(cli("why", "acme", "-o", "json").out)
    assert yaml.safe_load(cli("why", "acme", "-o", "yaml").out) == told
    assert (told["tenant"], told["phase"], told["why"]) == ("acme", "Provisioning", "db waits for a create")
    assert told["newestKeptPass"]["id"] == 2 and told["newestKeptPass"]["result"] == "waited"
    db = next(one for one in told["waits"] if one["component"] == "db")
    assert db["since"] == (NOW - timedelta(minutes=4)).isoformat().replace("+00:00", "Z")
    assert told["queue"] == told["queue"] | {"position": 2, "length": 2, "wanted": 3}
    assert told["brake"] == {"brake": "normal", "why": ""} and told["hold"] is None
    assert told["nextPass"]["class"] == "drift"
    assert cli("why", "acme", "-o", "name").out == "tenant/acme\n"


def test_kept_passes_are_listed_newest_first(queued: str, cli: Cli):
    lines = cli("why", "acme", "--passes").lines
    assert lines[0].split() == ["PASS", "AT", "CLASS", "TOOK", "TIMES", "RESULT", "WHAT"]
    assert [line.split()[:6] for line in lines[1:]] == [
        ["2", f"{NOW:%H:%M:%S}", "drift", "0.0s", "1", "waited"],
        ["1", f"{NOW:%H:%M:%S}", "user", "1.2s", "1", "changed"],
    ]
    assert lines[2].endswith("create project")
    assert [one["id"] for one in json.loads(cli("why", "acme", "--passes", "-o", "json").out)["items"]] == [2, 1]
    assert cli("why", "acme", "--passes", "-o", "name").lines == ["pass/2", "pass/1"]
    assert "crm r1" in cli("why", "acme", "--passes", "-o", "wide").out
    assert cli("why", "bolt", "--passes").code == 0
    assert cli("why", "nobody", "--passes").code == 4


def test_one_pass_shows_its_inputs_its_plan_and_its_replay(queued: str, cli: Cli):
    ran = cli("why", "--pass", "1")
    assert ran.code == 0
    assert ran.lines[0] == f"pass 1 of acme    changed    {NOW:%H:%M:%S}    user"
    said = labelled(ran.lines)
    assert said["What"] == "create project" and said["Took"].startswith("1.2s, epoch ")
    assert said["From"].startswith("crm r1, starter, generation 1, state running, 0 objects ours, ")
    assert "secrets missing" not in said["From"]
    assert said["Did"].startswith("create project: succeeded (operation 1)")
    assert "Its plan (2 rounds, this is the first):" in ran.lines
    assert any("+  db" in line and "postgres" in line for line in ran.lines)
    assert any(line.startswith("Plan: ") for line in ran.lines)
    assert "20 of 20 used; position 1" in said["Left"]
    assert ran.lines[-1] == "replayed: same plan"
    whole = json.loads(cli("why", "--pass", "1", "-o", "json").out)
    assert whole["replay"] == {"outcome": "same", "message": "replayed: same plan", "differences": []}
    assert whole["document"]["rounds"][0]["stops"]["brake"] == "normal"
    assert cli("why", "--pass", "1", "-o", "name").out == "pass/1\n"
    assert "Times" not in said and "Its plan:" in cli("why", "--pass", "2").out


def test_inputs_that_stood_in_the_way_are_named(fleet: str, cli: Cli):
    def stopped(record):
        made = waiting(record)
        one = made.rounds[0]
        stops = replace(one.stops, brake="observe", swept=False, hold=None)
        view = replace(one.view, missing_secrets={"TOKEN": ("app",)}, open={"db": BLOCKED})
        return replace(made, rounds=(replace(one, view=view, stops=stops),))

    tell(fleet, "acme", conditions=QUEUED, kept=stopped)
    tell(fleet, "acme", conditions=QUEUED, kept=stopped)
    ran = cli("why", "--pass", "1")
    said = " ".join(line.strip() for line in ran.lines)
    assert "without an outcome: db, secrets missing: TOKEN, brake observe, before the first sweep" in said
    assert "2 passes in a row said so since" in said
    assert "replayed: another plan" in said, "this plan was not made from these inputs"
    assert any(line.startswith("  round 1: plan.") for line in ran.lines)


def test_a_pass_of_another_version_is_shown_as_far_as_it_goes(queued: str, cli: Cli):
    document = passes.unpack(execute(queued, "SELECT document FROM reconciler.passes WHERE id = 1")[0][0])
    document["rounds"][0]["view"]["weather"] = "fine"
    document["rounds"][0]["plan"]["actions"][0]["verb"] = "bless"
    new = {"new": passes.pack(document)}
    execute(queued, "UPDATE reconciler.passes SET version = '0.0.1', document = %(new)s WHERE id = 1", new)
    ran = cli("why", "--pass", "1")
    assert ran.code == 0
    assert "its plan was written by another version: -o json shows it as it is" in ran.lines
    assert ran.lines[-1].startswith("not replayed: kept by another version (0.0.1); this is ")
    assert json.loads(cli("why", "--pass", "1", "-o", "json").out)["replay"]["outcome"] == "other version"
    assert cli("why", "acme", "--passes").lines[2].endswith("create project")


@pytest.mark.parametrize("words", [("why",), ("why", "acme", "--pass", "1"), ("why", "--pass", "1", "--passes")])
def test_it_takes_a_tenant_or_a_pass(fleet: str, cli: Cli, words: tuple[str, ...]):
    assert cli(*words).code == 2


def test_a_pass_that_is_not_kept_is_not_found(fleet: str, cli: Cli):
    ran = cli("why", "--pass", "77")
    assert ran.code == 4 and "no pass 77 is kept" in ran.err
