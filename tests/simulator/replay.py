"""Replays recorded traffic of the real API against a simulator over HTTP and counts what does not match.

It starts a simulator process of its own, knows of it only its addresses, gives every scenario a key of its own and
steps the clock by the recorded `Date`s. The rules of the comparison are in comparison.py; mismatches that cannot be
otherwise are listed, with their reasons, in docs/simulator.md, from where they are read.

    python -m tests.simulator.replay [--recordings DIR] [NAME ...]

Recordings (go-vcr files, in folders or not) are looked for in DIR, else in $RECONCILER_SHARED/recordings, else in
`shared/recordings` beside or inside the project. NAMEs choose scenarios whose name contains one of them.
Exit code: 0; 1 under 99.5 % or when a mismatch is not in the list; 2 when nothing was found to replay.
"""

import argparse
import email.utils
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from tests.simulator import comparison
from tests.simulator.process import ROOT, Process

DOCS = ROOT / "docs" / "simulator.md"
PROMISED_PER_CENT = 99.5
DAY_S = 86_400
START = "2026-06-01T00:00:00Z"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it is there: ten times as fast
KNOWN_ROW = re.compile(r"\| ([\w/-]+) \| (\d+)(?:-(\d+))? \| `([^`]+)` \|")
Known = dict[tuple[str, int], set[str]]


def recordings() -> Path | None:
    """Find the recordings."""
    shared = os.environ.get("RECONCILER_SHARED")
    for base in filter(None, (shared, ROOT.parent / "shared", ROOT / "shared")):
        if (Path(base) / "recordings").is_dir():
            return Path(base) / "recordings"
    return None


def known_mismatches(docs: Path = DOCS) -> Known:
    """Read which fields of which pairs are documented not to match."""
    known: Known = {}
    for name, first, last, path in KNOWN_ROW.findall(docs.read_text()):
        for index in range(int(first), int(last or first) + 1):
            known.setdefault((name, index), set()).add(path)
    return known


@dataclass(frozen=True)
class Scenario:
    """A recorded scenario."""

    name: str
    interactions: list[dict[str, Any]]

    def overlap(self) -> str:
        """Tell which policy for overlapping deploys the workspace had: it shows in the status of a queued one."""
        queued = any(
            item["response"]["code"] == 202 and "/deploys" in item["request"]["url"] for item in self.interactions
        )
        return "wait" if queued else "override"


def load(base: Path, wanted: list[str]) -> Iterator[Scenario]:
    """Read the scenarios below a folder, in order of their names."""
    for path in sorted(base.rglob("*.yaml")):
        name = path.relative_to(base).with_suffix("").as_posix()
        if wanted and not any(part in name for part in wanted):
            continue
        content = yaml.load(path.read_text(), LOADER)  # noqa: S506 - a safe loader
        if isinstance(content, dict) and content.get("interactions"):
            yield Scenario(name, content["interactions"])


@dataclass(frozen=True)
class Mismatch:
    """A pair that does not match."""

    scenario: str
    index: int
    request: str
    differences: list[comparison.Difference]

    def documented(self, known: Known) -> bool:
        """Tell whether every difference is in the list."""
        return {item.path for item in self.differences} <= known.get((self.scenario, self.index), set())


@dataclass
class Result:
    """How a scenario went."""

    scenario: str
    pairs: int
    mismatches: list[Mismatch] = field(default_factory=list)


def per_cent(results: list[Result]) -> float:
    """Tell how many of a hundred pairs match."""
    pairs = sum(result.pairs for result in results)
    missed = sum(len(result.mismatches) for result in results)
    return 100 * (pairs - missed) / pairs if pairs else 0.0


class Player:
    """Replays scenarios against one simulator, one after the other in the same world."""

    def __init__(self, base: str) -> None:
        """Speak to the simulator at an address; its clock must be frozen."""
        self._http = httpx.Client(base_url=base, timeout=30)

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def _control(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        answer = self._http.request(method, f"/_sim{path}", json=body)
        answer.raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown

    def _begin(self, scenario: Scenario, recorded_s: int) -> None:
        """Make it the recorded time of day, so that windows of limits and schedules lie as they did."""
        now_s = float(self._control("GET", "/clock")["epoch_s"])
        self._control("POST", "/clock", {"step_s": (recorded_s - now_s) % DAY_S})
        self._control("PATCH", "/settings", {"deploy_overlap": scenario.overlap()})

    def run(self, scenario: Scenario) -> Result:
        """Send the requests of a scenario in order and compare the answers."""
        result = Result(scenario.name, len(scenario.interactions))
        names = comparison.Names()
        second = _second(scenario.interactions[0], 0)
        self._begin(scenario, second)
        for index, item in enumerate(scenario.interactions):
            ahead = _second(item, second) - second
            if ahead > 0:
                self._control("POST", "/clock", {"step_s": ahead})
                second += ahead
            url = names.request_url(item["request"]["url"])
            live = self._send(scenario, names, item["request"], url)
            differences = comparison.compare(names, _recorded(item["response"]), live)
            if differences:
                request = f"{item['request']['method']} {urlsplit(url).path}"
                result.mismatches.append(Mismatch(scenario.name, index, request, differences))
        return result

    def _send(
        self, scenario: Scenario, names: comparison.Names, request: dict[str, Any], url: str
    ) -> comparison.Answer:
        headers = {"Authorization": f"Bearer replay-{scenario.name}"}
        for name, values in (request.get("headers") or {}).items():
            if name.lower() in ("content-type", "accept"):
                headers[name] = values[0]
        body = names.request_body(urlsplit(url).path, request.get("body") or "")
        answer = self._http.request(request["method"], url, headers=headers, content=body.encode())
        sent = {name: answer.headers.get_list(name) for name in answer.headers}
        return comparison.Answer(answer.status_code, sent, answer.text)


def _second(item: dict[str, Any], default: int) -> int:
    """Read the second at which an answer was recorded; recordings without a `Date` stand still."""
    for name, values in item["response"]["headers"].items():
        if name.lower() == "date":
            return int(email.utils.parsedate_to_datetime(values[0]).timestamp())
    return default


def _recorded(response: dict[str, Any]) -> comparison.Answer:
    headers = {name.lower(): list(values) for name, values in response["headers"].items()}
    return comparison.Answer(response["code"], headers, response.get("body") or "")


@contextmanager
def player() -> Iterator[Player]:
    """Start a simulator and speak to it; it ends with the block."""
    process = Process("--frozen", "--start", START, "--seed", "1", "--exit-with-parent")
    speaking = Player(process.base)
    try:
        yield speaking
    finally:
        speaking.close()
        process.end()


def row(result: Result) -> str:
    """Write the line of a scenario."""
    missed = len(result.mismatches)
    return f"{result.scenario:<44} {result.pairs:>6} {result.pairs - missed:>8} {missed:>11}"


def explain(mismatch: Mismatch, known: Known) -> str:
    """Write what does not match in a pair."""
    note = "documented" if mismatch.documented(known) else "NOT DOCUMENTED"
    lines = [f"{mismatch.scenario} #{mismatch.index} {mismatch.request} ({note})"]
    return "\n".join([*lines, *(f"    {item}" for item in mismatch.differences)])


def main(arguments: list[str]) -> int:
    """Replay all scenarios, or those named, and print the table."""
    parser = argparse.ArgumentParser(prog="replay", description="Replay recorded traffic against the simulator.")
    parser.add_argument("--recordings", type=Path, default=recordings(), help="folder of go-vcr recordings")
    parser.add_argument("names", nargs="*", help="parts of the names of the scenarios wanted (default: all)")
    given = parser.parse_args(arguments)
    if given.recordings is None or not given.recordings.is_dir():
        print(f"no recordings found: {given.recordings or 'set RECONCILER_SHARED or --recordings'}", file=sys.stderr)
        return 2
    known, results = known_mismatches(), []
    print(f"{'scenario':<44} {'pairs':>6} {'matched':>8} {'mismatches':>11}")
    with player() as speaking:
        for scenario in load(given.recordings, given.names):
            results.append(speaking.run(scenario))
            print(row(results[-1]), flush=True)
    if not results:
        print("no scenario has such a name", file=sys.stderr)
        return 2
    mismatches = [mismatch for result in results for mismatch in result.mismatches]
    total = Result(f"all {len(results)}", sum(result.pairs for result in results), mismatches)
    print(f"{row(total)}   {per_cent(results):.2f} %")
    for mismatch in mismatches:
        print(explain(mismatch, known))
    undocumented = [mismatch for mismatch in mismatches if not mismatch.documented(known)]
    return 1 if undocumented or per_cent(results) < PROMISED_PER_CENT else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
