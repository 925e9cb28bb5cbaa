"""The recordings once more, said otherwise: what means the same must be answered the same.

Each variant changes requests and recorded answers alike, so the recording stays the measure of the answer.
"""

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator import replay
from tests.simulator.replay import Scenario

BASE = replay.recordings()
PLAIN_NAME = re.compile(r"[a-z][a-z-]{7,}")
UNSAID = {  # optional fields that clients leave out or send as null
    "POST /services": ("environmentId", "buildFilter", "envVars", "secretFiles", "rootDir", "branch", "autoDeploy"),
    "POST /postgres": ("environmentId", "parameterOverrides", "readReplicas", "databaseName", "databaseUser"),
    "POST /key-value": ("environmentId", "persistenceMode"),
    "POST /redis": ("environmentId", "persistenceMode"),
    "POST /env-groups": ("environmentId", "secretFiles", "serviceIds"),
}  # fmt: skip
pytestmark = pytest.mark.skipif(BASE is None, reason="the recordings are not beside the project")


def changed(scenario: Scenario, change: Callable[[str, Any], Any]) -> Scenario:
    """Change the JSON bodies of a scenario's requests; `change` is told the method and path."""
    interactions = []
    for item in scenario.interactions:
        request, raw = item["request"], item["request"].get("body") or ""
        call = f"{request['method']} {request['url'].split('/v1', 1)[1].partition('?')[0]}"
        body = json.dumps(change(call, json.loads(raw))) if raw else raw
        interactions.append({"request": {**request, "body": body}, "response": item["response"]})
    return Scenario(scenario.name, interactions)


def unknown_fields(_call: str, body: Any) -> Any:
    """Say in every object something the API does not know."""
    if isinstance(body, list):
        return [unknown_fields("", item) for item in body]
    if not isinstance(body, dict):
        return body
    return {name: unknown_fields("", value) for name, value in body.items()} | {"notKnownHere": {"registry": [1]}}


def other_order(_call: str, body: Any) -> Any:
    """Say the same in another order."""
    if isinstance(body, list):
        return [other_order("", item) for item in body]
    if not isinstance(body, dict):
        return body
    names = sorted(body, key=lambda name: random.Random(name).random())  # noqa: S311 - repeatable, not secret
    return {name: other_order("", body[name]) for name in names}


def nulls(call: str, body: Any) -> Any:
    """Say null where nothing was said."""
    return {**dict.fromkeys(UNSAID.get(call, ()), None), **body} if isinstance(body, dict) else body


def rewritten(scenario: Scenario, old: str, new: str) -> Scenario:
    """Write something else for a pattern in requests and answers."""
    return Scenario(scenario.name, json.loads(re.sub(old, new, json.dumps(scenario.interactions))))


def other_names(scenario: Scenario) -> Scenario:
    """Give everything another name."""
    found = set()
    for item in scenario.interactions:
        if item["request"]["method"] == "POST" and item["request"].get("body"):
            name = str(json.loads(item["request"]["body"]).get("name"))
            found |= {name} if PLAIN_NAME.fullmatch(name) else set()
    for name in sorted(found):
        other = f"{name[:3]}-else-{name[3:]}".replace("--", "-")
        scenario = rewritten(scenario, name, other)
        # A database's name is made of it; `background_worker` is not.
        scenario = rewritten(
            scenario, name.replace("-", "_") + r"(?=_[a-z0-9]{4}(?![a-z0-9]))", other.replace("-", "_")
        )
    return scenario


VARIANTS: dict[str, Callable[[Scenario], Scenario]] = {
    "unknown fields": lambda scenario: changed(scenario, unknown_fields),
    "another order": lambda scenario: changed(scenario, other_order),
    "nulls": lambda scenario: changed(scenario, nulls),
    "other names": other_names,
    "another region": lambda scenario: rewritten(scenario, "oregon", "frankfurt"),
}


def undocumented(scenarios: list[Scenario]) -> list[str]:
    """Replay; what is not in the list of known mismatches."""
    known = replay.known_mismatches()
    with replay.player() as speaking:
        results = [speaking.run(scenario) for scenario in scenarios]
    assert sum(result.pairs for result in results) > 2_000
    return [replay.explain(item, known) for one in results for item in one.mismatches if not item.documented(known)]


def test_everything_said_otherwise_at_once_is_answered_alike():
    assert BASE is not None
    scenarios = list(replay.load(BASE, []))
    for variant in VARIANTS.values():
        scenarios = [variant(scenario) for scenario in scenarios]
    assert undocumented(scenarios) == []


@pytest.mark.long
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_way_of_saying_it_is_answered_alike(variant: str):
    assert BASE is not None
    assert undocumented([VARIANTS[variant](scenario) for scenario in replay.load(BASE, [])]) == []


@pytest.mark.long
def test_the_order_of_scenarios_in_one_world_does_not_matter():
    assert BASE is not None
    scenarios = list(replay.load(BASE, []))
    random.Random(5).shuffle(scenarios)  # noqa: S311 - repeatable, not secret
    assert undocumented(scenarios) == []
