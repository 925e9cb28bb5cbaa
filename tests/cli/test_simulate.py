"""The simulator's verbs, against a real simulator over HTTP."""

import json
import sys

import httpx
import pytest

from reconciler.cli.verbs import simulate as verb
from tests.cli.conftest import Cli


@pytest.fixture
def at(simulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RENDER_API_URL", f"{simulator}/v1")
    body = {
        "type": "web_service",
        "name": "backend-acme",
        "ownerId": "tea-1",
        "image": {"ownerId": "tea-1", "imagePath": "docker.io/library/nginx:1.27"},
        "serviceDetails": {"runtime": "image"},
    }
    httpx.post(f"{simulator}/_sim/reset", timeout=5)
    answer = httpx.post(f"{simulator}/v1/services", json=body, headers={"Authorization": "Bearer k"}, timeout=5)
    assert answer.status_code == 201, answer.text
    return simulator


def test_a_human_acts_behind_our_back(at: str, cli: Cli):
    ran = cli("simulate", "human", "suspend", "backend-acme")
    assert ran.code == 0 and ran.out.startswith("suspend backend-acme: done")
    ran = cli("simulate", "human", "env-set", "backend-acme", "key=DEBUG", 'value="1"')
    assert ran.code == 0, ran.err
    truth = json.loads(cli("simulate", "truth", "-o", "json").out)
    assert '"DEBUG"' in json.dumps(truth) and "suspended" in json.dumps(truth)


def test_what_a_human_cannot_do_is_one_clear_line(at: str, cli: Cli):
    assert cli("simulate", "human", "suspend", "nobody").code == 4
    ran = cli("simulate", "human", "dance", "backend-acme")
    assert (ran.code, ran.err) == (1, "error: unknown action: dance\n")
    assert cli("simulate", "human", "plan", "backend-acme", "standard").code == 2


def test_the_clock_is_shown_and_stepped(at: str, cli: Cli):
    before = json.loads(cli("simulate", "clock", "-o", "json").out)
    assert cli("simulate", "clock", "--step", "1h").out.rstrip().endswith("stands still")
    after = json.loads(cli("simulate", "clock", "-o", "json").out)
    assert after["epoch_s"] - before["epoch_s"] == pytest.approx(3600, abs=1)
    assert cli("simulate", "clock", "--step", "soon").code == 2


def test_faults_are_added_listed_and_dropped(at: str, cli: Cli):
    assert "flt-" in cli("simulate", "fault", "status", "status=503", "probability=0.1").out
    assert cli("simulate", "fault", "timeout_after", "method=POST", "count=1").code == 0
    table = cli("simulate", "fault")
    assert [line.split()[1] for line in table.lines] == ["FAULT", "status", "timeout_after"]
    name = table.lines[1].split()[0]
    assert cli("simulate", "fault", "--drop", name).out == "1 dropped\n"
    assert cli("simulate", "fault", "--clear").out == "1 dropped\n"
    assert cli("simulate", "fault", "meteor").code == 1
    assert cli("simulate", "fault", "--drop", "flt-99").code == 4


def test_every_option_of_a_rule_works_from_the_shell(at: str, cli: Cli):
    def ask(path: str) -> int:
        return httpx.get(f"{at}/v1{path}", headers={"Authorization": "Bearer k"}, timeout=5).status_code

    service = json.loads(cli("simulate", "truth", "-o", "json").out)["services"][0]["id"]
    words = ["method=GET", "path=/v1/services", "service=backend-.*", "probability=0.5", "count=2", "seed=4"]
    assert cli("simulate", "fault", "status", "status=503", *words).code == 0
    rule = json.loads(cli("simulate", "fault", "-o", "json").out)["items"][0]
    assert (rule["method"], rule["path"], rule["service"]) == ("GET", "/v1/services", "backend-.*")
    assert (rule["probability"], rule["count"], rule["seed"], rule["params"]) == (0.5, 2, 4, {"status": 503})
    asked = [ask(f"/services/{service}") for _ in range(20)]
    assert asked.count(503) == 2 and asked[-1] == 200
    assert ask("/services") == 200, "a list is about no service"
    assert cli("simulate", "fault", "status", "path=(").code == 1
    assert cli("simulate", "fault", "latency", "latencys=3").err == "error: latency has no latencys; it takes " + (
        "latency_s, sim_latency_s\n"
    )


def test_the_known_faults_are_listed(at: str, cli: Cli):
    known = json.loads(cli("simulate", "fault", "--known", "-o", "json").out)["items"]
    assert {"billing_suspended", "latency", "postgres_stuck"} <= {one["fault"] for one in known}
    table = cli("simulate", "fault", "--known")
    assert table.lines[0].split() == ["FAULT", "PARAMETERS", "OPTIONS"] and len(table.lines) == len(known) + 1
    assert any(line.startswith("reset ") and " method, path, service" in line for line in table.lines)


def test_settings_and_the_bill_can_be_asked_for(at: str, cli: Cli):
    assert "build_docker_s: 7.0" in cli("simulate", "settings", "build_docker_s=7").out
    assert cli("simulate", "settings", "nonsense=7").code == 1
    assert cli("simulate", "truth", "--bill").code == 0


def test_no_simulator_is_said_with_its_address(cli: Cli, monkeypatch):
    monkeypatch.setenv("RENDER_API_URL", "http://127.0.0.1:9/v1")
    ran = cli("simulate", "clock")
    assert ran.code == 1 and "http://127.0.0.1:9" in ran.err and "reconciler simulate" in ran.err


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines of simulators that would have taken this process's place."""
    found: list[list[str]] = []
    monkeypatch.setattr(verb.os, "execv", lambda program, arguments: found.append(arguments))
    return found


def test_the_bare_command_serves_on_loopback_in_real_time(cli: Cli, started, monkeypatch):
    # Port and speed of a local run are another matter: they are not those of this command.
    monkeypatch.setenv("RECONCILER_SIMULATOR_SPEED", "30")
    monkeypatch.setenv("RECONCILER_SIMULATOR_PORT", "9999")
    assert cli("simulate").code == 0
    flags = ["--host", "127.0.0.1", "--port", "8787", "--speed", "1.0"]
    assert started == [[sys.executable, "-m", "reconciler.simulator", *flags]]


def test_serving_hands_the_flags_to_the_simulator_itself(cli: Cli, started):
    flags = [
        "--host", "::1", "--port", "0", "--speed", "600.0", "--frozen", "--state", "world.db", "--seed", "7",
        "--owner-id", "tea-9",
    ]  # fmt: skip
    assert cli("simulate", *flags, "--api-key", "rnd_a", "--api-key", "-b").code == 0
    assert started == [[sys.executable, "-m", "reconciler.simulator", *flags, "--api-key=rnd_a", "--api-key=-b"]]


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--port", "70000", "65535"),
        ("--port", "http", "integer"),
        ("--speed", "0", "0.001"),
        ("--speed", "fast", "number"),
        ("--seed", "x", "integer"),
    ],
)
def test_a_bad_value_names_its_option_and_what_is_allowed(cli: Cli, started, option, value, remedy):
    ran = cli("simulate", option, value)
    assert ran.code == 2 and option in ran.err and remedy in ran.err
    assert started == []
