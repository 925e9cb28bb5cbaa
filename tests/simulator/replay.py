"""Replays recorded traffic of the real API against the simulator and counts what differs.

Rules: ids, times, cursors, addresses, secrets, commits and digests are compared by type only; keys that
recordings of one time have and others lack are optional; statuses that depend on when one asked are reached
by stepping the clock by the recorded `Date`; everything else is compared by value, `Ratelimit-Limit` too.
The recordings are looked for in $RECONCILER_SHARED/recordings or in `shared` beside the project.

    python tests/simulator/replay.py [scenario ...]
"""

import email.utils
import json
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from reconciler.simulator import api
from reconciler.simulator.assembly import make_api
from reconciler.simulator.config import SimulatorConfig

ID = re.compile(r"\b(?:srv|crn|dpg|red|evg|prj|evm|dsk|dep|cdm|hdr|rdr|rgc|whk|egs|tea)-[0-9a-v]{20}(?:-[a-z])?\b")
CURSOR = re.compile(r"(cursor=)([A-Za-z0-9_\-%=]+)")
BY_TYPE = {
    "createdAt", "updatedAt", "startedAt", "finishedAt", "cursor", "dashboardUrl", "url", "sshAddress", "slug",
    "password", "externalConnectionString", "internalConnectionString", "psqlCommand", "cliCommand",
    "redisCLICommand", "sha", "email", "ownerId", "databaseName", "databaseUser", "ips", "secret", "deployId",
}  # fmt: skip
OPTIONAL = {"autoDeployTrigger", "ipAllowList", "networkIsolationEnabled", "connectionPool", "finishedAt", "startedAt",
            "diskAutoscalingEnabled"}  # fmt: skip
MAX_WAIT_S = 25
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it is there: ten times as fast


def recordings() -> Path | None:
    """Find the recordings."""
    shared = os.environ.get("RECONCILER_SHARED")
    here = Path(__file__).resolve().parents[2]
    for base in filter(None, (shared, here.parent / "shared", here / "shared")):
        if (Path(base) / "recordings").is_dir():
            return Path(base) / "recordings"
    return None


@dataclass
class Replay:
    """One scenario under way."""

    api: api.Api
    ids: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    pairs: int = 0

    def translate(self, text: str) -> str:
        """Put live ids and cursors where recorded ones are."""
        text = ID.sub(lambda found: self.ids.get(found[0], found[0]), text)
        return CURSOR.sub(lambda found: found[1] + self.cursors.get(found[2], found[2]), text)

    def learn(self, recorded: Any, live: Any) -> None:
        """Map the ids and cursors of a recorded answer to those of the live one."""
        if isinstance(recorded, dict) and isinstance(live, dict):
            for name, value in recorded.items():
                if name in live:
                    self.learn(value, live[name])
                if name == "cursor" and isinstance(live.get(name), str):
                    self.cursors[value] = live[name]
        elif isinstance(recorded, list) and isinstance(live, list):
            for one, other in zip(recorded, live, strict=False):
                self.learn(one, other)
        elif isinstance(recorded, str) and isinstance(live, str) and ID.fullmatch(recorded):
            self.ids.setdefault(recorded, live)


@dataclass
class Comparison:
    """A recorded answer beside a live one."""

    replay: Replay
    generated: set[str]
    found: list[str] = field(default_factory=list)

    def note(self, path: str, recorded: object, live: object) -> None:
        """Note a difference."""
        self.found.append(f"{path}: {recorded!r} recorded, {live!r} live")

    def compare(self, recorded: Any, live: Any, path: str) -> None:
        """Compare two values."""
        name = path.rsplit(".", 1)[-1].split("[", maxsplit=1)[0]
        if name in OPTIONAL and (recorded is None or live is None):
            return
        if name in BY_TYPE:
            if type(recorded) is not type(live):
                self.note(path, recorded, live)
        elif isinstance(recorded, dict) and isinstance(live, dict):
            self.compare_objects(recorded, live, path, name)
        elif isinstance(recorded, list) and isinstance(live, list):
            self.compare_lists(recorded, live, path)
        elif isinstance(recorded, str) and isinstance(live, str):
            if self.replay.translate(recorded) != live:
                self.note(path, recorded, live)
        elif recorded != live or type(recorded) is not type(live):
            self.note(path, recorded, live)

    def compare_objects(self, recorded: dict[str, Any], live: dict[str, Any], path: str, name: str) -> None:
        """Compare two objects key by key; of owners and commits only which keys there are."""
        for key in recorded.keys() ^ live.keys():
            if key not in OPTIONAL:
                self.found.append(f"{path}.{key}: only {'live' if key in live else 'recorded'}")
        if name in ("owner", "commit"):
            return
        random_value = recorded.get("key") in self.generated
        for key in recorded.keys() & live.keys():
            if not (random_value and key == "value"):
                self.compare(recorded[key], live[key], f"{path}.{key}")

    def compare_lists(self, recorded: list[Any], live: list[Any], path: str) -> None:
        """Compare two lists item by item."""
        if len(recorded) != len(live):
            self.found.append(f"{path}: {len(recorded)} items recorded, {len(live)} live")
            return
        for index, (one, other) in enumerate(zip(recorded, live, strict=True)):
            self.compare(one, other, f"{path}[{index}]")


def instant(headers: dict[str, list[str]]) -> int:
    """Read the second at which an answer was recorded."""
    values = {name.lower(): value for name, value in headers.items()}
    return int(email.utils.parsedate_to_datetime(values["date"][0]).timestamp())


def run(path: Path) -> Replay:
    """Replay one scenario against a fresh world."""
    interactions = yaml.load(path.read_text(), LOADER)["interactions"]  # noqa: S506 - a safe loader
    start = instant(interactions[0]["response"]["headers"])
    queued = any(item["response"]["code"] == 202 and "/deploys" in item["request"]["url"] for item in interactions)
    config = SimulatorConfig(
        frozen=True, start_ns=start * 1_000_000_000, seed=1,
        settings={"deploy_overlap": "wait" if queued else "override"},
    )  # fmt: skip
    replay = Replay(make_api(config))
    generated: set[str] = set()
    for index, item in enumerate(interactions):
        request, response = item["request"], item["response"]
        ahead = instant(response["headers"]) * 1_000_000_000 - replay.api.world.now_ns()
        if ahead > 0:
            replay.api.world.clock.step(ahead / 1_000_000_000)
        raw = request.get("body") or ""
        for found in re.finditer(r'\{[^{}]*"generateValue":true[^{}]*\}', raw):
            generated.add(json.loads(found[0])["key"])
        url = urlsplit(replay.translate(request["url"]))
        sent = api.Request(
            request["method"], url.path, url.query, {b"authorization": b"Bearer replay"},
            replay.translate(raw).encode(),
        )  # fmt: skip
        replay.pairs += 1
        lines = compare(replay, response, replay.api.handle(sent), generated)
        for _ in range(MAX_WAIT_S if request["method"] == "GET" else 0):
            if not lines or not all(line.startswith(".status:") for line in lines):
                break
            replay.api.world.clock.step(1)
            lines = compare(replay, response, replay.api.handle(sent), generated)
        if lines:
            replay.mismatches.append(f"{path.parent.name}/{path.stem} #{index} {request['method']} {url.path}: {lines}")
    return replay


def compare(replay: Replay, response: dict[str, Any], answer: api.Answer, generated: set[str]) -> list[str]:
    """Compare one answer with the recorded one."""
    lines = []
    if answer.status != response["code"]:
        lines.append(f"status {response['code']} recorded, {answer.status} live {answer.body[:120]!r}")
    limit = {name.lower(): value for name, value in response["headers"].items()}.get("ratelimit-limit", ["?"])
    live_limit = next(value.decode() for name, value in answer.headers if name == b"ratelimit-limit")
    if limit[0] != live_limit:
        lines.append(f"limit {limit} recorded, {live_limit} live")
    recorded_text = (response["body"] or "").strip()
    if bool(recorded_text) != bool(answer.body.strip()):
        return [*lines, f"body {recorded_text[:60]!r} recorded, {answer.body[:60]!r} live"]
    if recorded_text:
        recorded, live = json.loads(recorded_text), json.loads(answer.body)
        replay.learn(recorded, live)
        comparison = Comparison(replay, generated)
        comparison.compare(recorded, live, "")
        lines += comparison.found
    return lines


def main(arguments: list[str]) -> int:
    """Replay all scenarios, or those named, and print the table."""
    base = recordings()
    if base is None:
        print("no recordings found: nothing replayed")
        return 0
    total: Counter[str] = Counter()
    for path in sorted(base.glob("*/*.yaml")):
        name = f"{path.parent.name}/{path.stem}"
        if arguments and not any(wanted in name for wanted in arguments):
            continue
        replay = run(path)
        total["pairs"] += replay.pairs
        total["mismatches"] += len(replay.mismatches)
        print(f"{name:45} {replay.pairs:5} {len(replay.mismatches):4}")
        for line in replay.mismatches:
            print("   ", line[:600])
    rate = 100 * (1 - total["mismatches"] / max(1, total["pairs"]))
    print(f"{'all':45} {total['pairs']:5} {total['mismatches']:4}  {rate:.2f} % match")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
