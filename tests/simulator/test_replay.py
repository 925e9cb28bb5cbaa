"""The recordings of the real API, replayed over HTTP, and the tool that replays anybody's."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulator import comparison, replay

BASE = replay.recordings()
OWNER = "tea-cccccccccccccccccccc"
IMAGE_JOB = {
    "type": "cron_job", "name": "nightly", "ownerId": OWNER, "image": {"imagePath": "nginx", "ownerId": ""},
    "serviceDetails": {"runtime": "image", "schedule": "0 3 * * *"},
}  # fmt: skip


@pytest.mark.skipif(BASE is None, reason="the recordings are not beside the project")
def test_what_does_not_match_the_recordings_is_what_the_docs_list():
    assert BASE is not None
    with replay.player() as speaking:
        results = [speaking.run(scenario) for scenario in replay.load(BASE, [])]
    known = replay.known_mismatches()
    mismatches = [item for result in results for item in result.mismatches]
    assert [replay.explain(item, known) for item in mismatches if not item.documented(known)] == []
    found = {(item.scenario, item.index): {one.path for one in item.differences} for item in mismatches}
    assert found == known, "the docs list what matches by now"
    assert replay.per_cent(results) >= replay.PROMISED_PER_CENT


def test_the_docs_list_pairs_with_reasons_and_every_optional_key():
    text = replay.DOCS.read_text()
    rows = re.findall(r"^\| [\w/-]+ \| \d[\d-]* \| `[^`]+` \| (.+) \|$", text, re.MULTILINE)
    assert rows and all(len(reason.split()) > 3 for reason in rows)
    assert len(replay.known_mismatches()) >= len(rows)
    named = set(re.findall(r"`(\w+)`", text.partition("## How true it is")[2]))
    for keys in (*comparison.LATER_KEYS.values(), *comparison.NULL_OR_ABSENT.values()):
        assert keys <= named


def test_a_range_of_pairs_and_a_single_one_are_read(tmp_path: Path):
    table = tmp_path / "page.md"
    table.write_text("| a/b | 2-3 | `.status` | so |\n| a/b | 3 | `body` | so |\n| what | rule |\n")
    assert replay.known_mismatches(table) == {("a/b", 2): {".status"}, ("a/b", 3): {".status", "body"}}


# A recording of our own


def pair(method: str, path: str, sent: object, code: int, answer: str, **headers: str) -> dict[str, Any]:
    """Write one pair the way go-vcr does; limits are those of recent recordings."""
    limit = headers.pop("limit", "400" if method == "GET" else "100")
    kind = {"Content-Type": ["application/json; charset=utf-8"]} if answer else {}
    body = "" if sent is None else json.dumps(sent)
    return {
        "request": {"method": method, "url": f"https://api.testing.render.com/v1{path}", "body": body, "headers": {}},
        "response": {
            "code": code, "body": answer,
            "headers": {"Ratelimit-Limit": [limit], "Date": [f"Mon, 01 Jun 2026 10:00:{headers['at']} GMT"], **kind},
        },
    }  # fmt: skip


RECORDED_JOB = """{"autoDeploy":"yes","autoDeployTrigger":"commit","createdAt":"2026-06-01T10:00:00.000123Z",
"dashboardUrl":"https://dashboard.staging.render.com/cron/crn-d0ibivsfunbc73fd4g7g","id":"crn-d0ibivsfunbc73fd4g7g",
"imagePath":"docker.io/library/nginx:latest","name":"nightly","notifyOnFail":"default","ownerId":"tea-cccccccccccccccccccc",
"rootDir":"","serviceDetails":{"buildPlan":"starter","env":"image","envSpecificDetails":{"dockerCommand":"",
"dockerContext":"","dockerfilePath":""},"plan":"starter","region":"oregon","runtime":"image","schedule":"0 3 * * *"},
"slug":"nightly-d6na","suspended":"not_suspended","suspenders":[],"type":"cron_job",
"updatedAt":"2026-06-01T10:00:00.000123Z"}"""


def recording(folder: Path, job: str = RECORDED_JOB) -> Path:
    """Record: a cron job is created, read after some seconds, listed, deployed and deleted."""
    path = "/services/crn-d0ibivsfunbc73fd4g7g"
    cursor = base64.urlsafe_b64encode(b"12345678ivsfunbc73fd4g7g").decode()
    pairs = [
        pair("POST", "/services", IMAGE_JOB, 201, f'{{"deployId":"dep-d0ibivsfunbc73fd4gag","service":{job}}}',
             limit="20", at="00"),
        pair("GET", path, None, 200, job, at="07"),
        pair("GET", "/services?name=nightly&limit=1", None, 200, f'[{{"cursor":"{cursor}","service":{job}}}]', at="07"),
        pair("GET", f"/services?name=nightly&limit=1&cursor={cursor}", None, 200, "[]", at="08"),
        pair("DELETE", path, None, 204, "", at="09"),
        pair("GET", path, None, 404, '{"message":"not found: crn-d0ibivsfunbc73fd4g7g"}', at="10"),
    ]  # fmt: skip
    (folder / "cronjob").mkdir()
    (folder / "cronjob" / "own.yaml").write_text(yaml.safe_dump({"version": 2, "interactions": pairs}))
    (folder / "other.yaml").write_text("not: a recording\n")
    return folder


def test_a_recording_of_ones_own_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert replay.main(["--recordings", str(recording(tmp_path))]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^cronjob/own +6 +6 +0$", shown, re.MULTILINE)
    assert re.search(r"^all 1 +6 +6 +0 +100\.00 %$", shown, re.MULTILINE)


def test_the_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "recordings").mkdir()
    recording(tmp_path / "recordings")
    monkeypatch.setenv("RECONCILER_SHARED", str(tmp_path))
    assert replay.main(["cronjob"]) == 0


def test_a_mismatch_is_shown_with_both_values_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    changed = RECORDED_JOB.replace('"schedule":"0 3 * * *"', '"schedule":"0 4 * * *"')
    assert replay.main(["--recordings", str(recording(tmp_path, changed)), "own"]) == 1
    shown = capsys.readouterr().out
    assert "cronjob/own #1 GET /v1/services/crn-" in shown
    assert ".serviceDetails.schedule: '0 4 * * *' recorded, '0 3 * * *' live" in shown
    assert "NOT DOCUMENTED" in shown


def test_nothing_to_replay_is_said_and_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert replay.main(["--recordings", str(tmp_path / "nowhere")]) == 2
    assert "no recordings found" in capsys.readouterr().err
    assert replay.main(["--recordings", str(recording(tmp_path)), "no-such-scenario"]) == 2


def test_the_replay_knows_the_simulator_only_by_its_addresses():
    for module in ("replay", "comparison", "process"):
        text = (replay.ROOT / "tests" / "simulator" / f"{module}.py").read_text()
        assert not re.search(r"^\s*(from|import) reconciler", text, re.MULTILINE)
