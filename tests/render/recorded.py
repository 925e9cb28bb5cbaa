"""Recorded traffic of Render's API, read where it lies: pairs in time order, ids and paths taken apart.

Scenarios are read as they are, none is copied; see the README of the recordings for their format.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from reconciler.render.calls import Result
from reconciler.render.transport import Answer

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ID = r"(?:srv|crn|dpg|red|evg|prj|evm|dsk|dep)-[0-9a-v]{20}(?:-[a-z])?"


@dataclass(frozen=True)
class Pair:
    """One request with its answer. `path` is without /v1 and query; header names are lower-case."""

    scenario: str
    method: str
    path: str
    query: dict[str, list[str]]
    body: str
    status: int
    answer: bytes
    headers: dict[str, str]

    @property
    def asked(self):
        """The request's JSON; None where there is none."""
        return json.loads(self.body) if self.body else None

    @property
    def told(self):
        """The answer's JSON; None where there is none."""
        return json.loads(self.answer) if self.answer.strip() else None

    @property
    def result(self) -> Result:
        """The answer as the client's readers get it."""
        return result_of(self.method, self.path, self.status, self.answer, self.headers)

    def __str__(self) -> str:
        return f"{self.scenario}: {self.method} {self.path}"


def result_of(method, where, status, body, headers=None):
    """An answer as the client's readers get it."""
    answer = Answer(status=status, headers=headers or {}, body=body, seconds=0.1, sent_at=0.0)
    return Result(method=method, what=where, answer=answer, limits=None)


@functools.cache
def simulated() -> tuple[Pair, ...]:
    """All pairs of our own cassettes: what the simulator answered to the contract suite."""
    found = []
    for file in sorted((Path(__file__).parent / "cassettes").glob("*.yaml")):
        for item in yaml.load(file.read_text(), Loader=LOADER)["interactions"]:  # noqa: S506 - a safe loader
            request, response = item["request"], item["response"]
            url = urlsplit(request["uri"])
            found.append(
                Pair(
                    scenario=file.stem,
                    method=request["method"],
                    path=re.sub(r"^/v1", "", url.path),
                    query=parse_qs(url.query, keep_blank_values=True),
                    body=request["body"] or "",
                    status=response["status"]["code"],
                    answer=(response["body"]["string"] or "").encode(),
                    headers={name.lower(): ", ".join(values) for name, values in response["headers"].items()},
                )
            )
    return tuple(found)


@functools.cache
def pairs(folder: Path) -> tuple[Pair, ...]:
    """All pairs of all scenarios, a scenario at a time, in time order."""
    found = []
    for file in sorted(folder.glob("*/*.yaml")):
        for item in yaml.load(file.read_text(), Loader=LOADER)["interactions"]:  # noqa: S506 - a safe loader
            request, response = item["request"], item["response"]
            url = urlsplit(request["url"])
            found.append(
                Pair(
                    scenario=f"{file.parent.name}/{file.stem}",
                    method=request["method"],
                    path=re.sub(r"^/v1", "", url.path),
                    query=parse_qs(url.query, keep_blank_values=True),
                    body=request["body"] or "",
                    status=response["code"],
                    answer=(response["body"] or "").encode(),
                    headers={name.lower(): ", ".join(values) for name, values in response["headers"].items()},
                )
            )
    return tuple(found)
