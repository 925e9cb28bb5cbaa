"""Whatever is sent, the simulator answers: with what was asked for or with a refusal, never with an own error."""

import copy
import json
import random
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.simulator.assembly import ROUTES
from reconciler.simulator.config import SimulatorConfig
from tests.simulator import bodies
from tests.simulator.conftest import OWNER, START_NS, Simulator, free_port, run

LONE_SURROGATE = "\ud800"
NESTED: Any = "leaf"
for _ in range(300):
    NESTED = [NESTED]
VALUES: list[Any] = [
    None, True, 0, -1, 2, 1.5, 10**30, float("nan"), float("inf"), "", " ", "x", "yes", LONE_SURROGATE, "a\x00b\nü",
    "%00/../x", "0 0 31 2 *", "9" * 400, "x" * 70_000, [], [None], [[]], [1], ["x"], {}, {"": None},
    {"key": [], "name": {}, "id": 1}, NESTED,
]  # fmt: skip
BODIES = [
    b"", b" ", b"null", b"[]", b"[null]", b"[[]]", b"[{}]", b"{}", b'"x"', b"1", b"true", b"-", b"{", b"nan", b"NaN",
    b'{"a":Infinity}', b"\xff\xfe", b"\x00", b'{"name":"\xed\xa0\x80"}', b'[{"key":"\\ud800","value":"\\udfff"}]',
    b"[" * 100_000, b'{"a":' * 100_000, b'{"a":1' + b"0" * 5_000 + b"}", "\ufeff{}".encode(),
]  # fmt: skip
SEGMENTS = ["x", "%", "%00", "%ff", "%ED%A0%80", "%2E%2E", "a%2Fb", "%F0%9F%92%A9", "x" * 3_000, "-", "srv-", "null"]
QUERIES = [
    "limit=0", "limit=-1", "limit=x", "limit=1e3", "limit=%C2%B2", "limit=" + "9" * 400, "cursor=x", "cursor=%00",
    "cursor=" + "A" * 32, "cursor=%C3%BC", "createdAfter=x", "createdAfter=0", "createdBefore=" + "9" * 400,
    "createdBefore=0001-01-01T00:00:00Z", "updatedAfter=9999-12-31T23:59:59.999999999999Z", "name=%FF&name=", "=&&=",
    "startTime=9999-12-31T23:59:59Z&endTime=x", "endTime=1e9&startTime=%C2%B2", "resolutionSeconds=%C2%B2",
    "startTime=0001-01-01T00:00:00Z", "endTime=9999-12-31T23:59:59Z", "startTime=0&endTime=1", "type=,,&suspended=",
    "resolutionSeconds=" + "9" * 30, "finishedAfter=.", "sentAfter=5.", "includeReplicas=x&ownerId=", "limit=1&limit=",
]  # fmt: skip


class Sender:
    """Sends junk to a world that has one of everything and is filled again when the junk has emptied it."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.ids: dict[str, str] = {}
        self.fill()

    def fill(self) -> None:
        """Begin anew with one of everything."""
        sim = self.sim
        sim.sim("POST", "/reset")
        sim.set(limits_enabled=False)
        self.ids = {"key": "A", "name": "f", "username": "u", "owners": OWNER, "owner": OWNER, "metrics-stream": OWNER}
        plain = ("registrycredentials", "webhooks", "dedicated-ips", "env-groups", "postgres", "key-value", "redis")
        for name in plain:
            self.ids[name] = self.create(f"/{name}")["id"]
        self.ids["credential"] = self.ids["registrycredentials"]
        project = self.create("/projects")
        self.ids |= {"project": project["id"], "projects": project["id"], "environments": project["environmentIds"][0]}
        for kind in bodies.KINDS:
            self.ids[kind] = self.create("/services", bodies.service(kind))["service"]["id"]
        web = sim.service("web", serviceDetails={"plan": "standard"}, envVars=[{"key": "A", "value": "1"}])
        held = sim.read({"id": self.ids["private_service"]})
        self.ids |= {
            "web": web["id"], "services": web["id"], "service": web["id"], "resource": web["id"],
            "disks": held["serviceDetails"]["disk"]["id"], "headers": self.ids["static_site"],
            "routes": self.ids["static_site"], "cron-jobs": self.ids["cron_job"],
            "rule": sim.ok("GET", f"/services/{self.ids['static_site']}/routes")[0]["route"]["id"],
        }  # fmt: skip
        sim.step(300)
        path = f"/services/{web['id']}"
        self.ids["deploy"] = sim.deploys(web)[0]["id"]
        self.ids["domain"] = sim.ok("POST", f"{path}/custom-domains", {"name": "a.example.com"})[0]["id"]
        self.ids["job"] = sim.ok("POST", f"{path}/jobs", {"startCommand": "x"})["id"]
        self.ids["now"] = sim.sim("GET", "/clock")["now"]

    def create(self, path: str, body: object = None) -> Any:
        """Create something from its template."""
        answer = self.send("POST", path, bodies.TEMPLATES[f"POST {path}"] if body is None else body)
        assert answer.is_success, answer.text
        return answer.json()

    def path(self, pattern: str, kind: str = "services") -> str:
        """Put ids of what exists into a pattern."""
        segments = pattern.split("/")
        for at, segment in enumerate(segments):
            if segment == "{id}":
                part = segments[at + 1] if segments[at + 1 : at + 2] in (["headers"], ["routes"]) else segments[at - 1]
                segments[at] = self.ids.get(kind if part == "services" else part, self.ids["web"])
            elif segment.startswith("{"):
                segments[at] = self.ids.get(segment[1:-1], "x")
        return "/".join(segments)

    def send(self, method: str, path: str, body: object = b"") -> httpx.Response:
        """Send a body as it is, or as JSON, and check that the answer is one of the API's."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        for name in ("deploy", "rule", "project", "web", "credential", "now"):
            if (mark := f"{{{name}}}".encode()) in raw:
                raw = raw.replace(mark, self.ids[name].encode())
        try:
            answer = self.sim.http.request(method, f"/v1{path}", content=raw, headers={"Authorization": "Bearer k"})
        except httpx.HTTPError as error:
            raise AssertionError(f"{method} {path[:300]} with {raw[:300]!r}: {error!r}") from error
        said = f"{method} {path[:300]} with {raw[:300]!r}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, said
        assert "ratelimit-limit" in answer.headers, said
        if answer.content:
            json.loads(answer.content, parse_constant=lambda word: pytest.fail(f"{word} is no JSON: {said}"))
        if not answer.is_success and method != "HEAD":
            assert isinstance(answer.json()["message"], str), said
        return answer

    def still_whole(self) -> None:
        """Check that what the junk left can be listed, told and lived through; then begin anew."""
        for pattern in ("/services", "/postgres", "/key-value", "/env-groups", "/projects", "/disks", "/webhooks"):
            assert self.send("GET", f"{pattern}?limit=100").status_code == 200
        self.sim.truth()
        self.sim.sim("GET", "/truth/bill")
        self.sim.step(3 * 86_400)
        for item in self.send("GET", "/services?limit=100").json():
            self.send("GET", f"/services/{item['service']['id']}/deploys")
        self.fill()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    """A sender to a simulator that keeps its state in a file."""
    config = SimulatorConfig(port=free_port(), frozen=True, start_ns=START_NS, seed=3, state=tmp_path / "s.sqlite")
    for sim in run(config):
        yield Sender(sim)


def spots(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Name every place in a body."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        yield (*at, key)
        yield from spots(inner, (*at, key))


def replaced(template: object, at: tuple[str | int, ...], value: object) -> Any:
    """Put a value into a place of a body."""
    body: Any = copy.deepcopy(template)
    inner = body
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return body


CASES = [
    (route, "services", template, at)
    for route, template in bodies.TEMPLATES.items()
    if route not in ("POST /services", "PATCH /services/{id}")
    for at in spots(template)
] + [
    (route, kind, bodies.service(kind), at)
    for route in ("POST /services", "PATCH /services/{id}")
    for kind in bodies.KINDS
    for at in spots(bodies.service(kind))
]
Case = tuple[str, str, Any, tuple[str | int, ...]]
NONE_EXISTS = ("/blueprints", "/maintenance", "/disks/{id}/snapshots")


def try_place(sender: Sender, case: Case, value: object) -> None:
    """Send a body with junk in one place."""
    route, kind, template, at = case
    method, pattern = route.split(" ")
    answer = sender.send(method, sender.path(pattern, kind), replaced(template, at, value))
    if answer.status_code == 404 and not pattern.startswith(NONE_EXISTS):
        sender.fill()


def test_the_bodies_that_are_spoiled_here_are_good(sender: Sender):
    known = {f"{route.method} {route.pattern}" for route in ROUTES}
    assert set(bodies.TEMPLATES) <= known
    for route, template in bodies.TEMPLATES.items():
        method, pattern = route.split(" ")
        kinds = bodies.KINDS if route == "PATCH /services/{id}" else ["services"]
        for kind in kinds if route != "POST /services" else ():
            body = template if kind == "services" else bodies.service(kind)
            answer = sender.send(method, sender.path(pattern, kind), body)
            if not answer.is_success:  # what went before may stand in its way
                sender.fill()
                answer = sender.send(method, sender.path(pattern, kind), body)
            assert answer.is_success or pattern.startswith(NONE_EXISTS), f"{route} {kind}: {answer.text}"


def test_bodies_that_are_none_are_refused_on_every_route(sender: Sender):
    chance = random.Random(13)  # noqa: S311 - repeatable, not secret
    for route in sorted(ROUTES, key=lambda item: item.method == "DELETE"):
        for body in chance.sample(BODIES, 9) if route.method in ("POST", "PUT", "PATCH") else BODIES[:1]:
            sender.send(route.method, sender.path(route.pattern), body)
    sender.still_whole()


def test_paths_and_queries_that_mean_nothing_are_refused(sender: Sender):
    chance = random.Random(12)  # noqa: S311 - repeatable, not secret
    for route in ROUTES:
        path = sender.path(route.pattern)
        if route.method == "GET":
            for query in chance.sample(QUERIES, 8):
                sender.send("GET", f"{path}?{query}")
        if "{" in route.pattern and route.method != "DELETE":
            for segment in chance.sample(SEGMENTS, 4):
                odd = "/".join(segment if part.startswith("{") else part for part in route.pattern.split("/"))
                sender.send(route.method, odd, bodies.TEMPLATES.get(f"{route.method} {route.pattern}", {}))
    for path in ("/", "//", "/services/", "/nowhere", "/" + urllib.parse.quote("ü" * 500), "/services//env-vars"):
        for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD"):
            sender.send(method, path)
    sender.still_whole()


def test_junk_in_some_field_is_stored_or_refused(sender: Sender):
    chance = random.Random(11)  # noqa: S311 - repeatable, not secret
    for case in chance.sample(CASES, 400):
        for value in chance.sample(VALUES, 2):
            try_place(sender, case, value)
    sender.still_whole()


CONTROLS: dict[str, dict[str, Any]] = {
    "POST /clock": {"speed": 1, "frozen": True, "step_s": 1, "now": "2026-05-28T21:00:00Z"},
    "PATCH /settings": {"build_native_s": 1.0, "keep_deploys": 5, "deploy_overlap": "wait", "limits_enabled": False},
    "POST /faults": {"fault": "latency", "method": "GET", "path": "/none", "service": "s", "probability": 0.5,
                     "count": 1, "seed": 1},
    "POST /human": {"action": "env-set", "service": "web", "key": "A", "value": "b"},
}  # fmt: skip


def test_the_control_plane_refuses_junk_too(sender: Sender):
    for route, template in CONTROLS.items():
        method, path = route.split(" ")
        spoiled = [{**template, name: value} for name in template for value in [*VALUES, "nan", "(", 10**400]]
        for body in [*BODIES, *(json.dumps(body).encode() for body in spoiled)]:
            answer = sender.sim.http.request(method, f"/_sim{path}", content=body)
            assert answer.status_code in (200, 400, 404), f"{route} with {body[:300]!r}: {answer.text[:300]}"
            if path == "/clock":
                sender.sim.sim("POST", "/clock", {"frozen": True, "speed": 1})
    sender.sim.sim("DELETE", "/faults")
    sender.still_whole()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_junk_in_every_field_is_stored_or_refused(sender: Sender):
    for count, case in enumerate(CASES):
        for value in VALUES:
            try_place(sender, case, value)
        if count % 50 == 0:
            sender.still_whole()
    sender.still_whole()
