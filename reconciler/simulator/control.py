"""Answers the control plane, with which tests and people move the simulated world from outside its API.

No key, no limits, this machine only. Bodies and answers are JSON; a refusal is `{"message": ...}`.

    GET    /_sim/health          {"ok", "name", "state", "owner_id", "pid"}
    GET    /_sim/clock           {"now", "epoch_s", "speed", "frozen", "next_due"}
    POST   /_sim/clock           {speed?, frozen?, step_s?, now?} -> the clock
    GET    /_sim/settings        every setting and its value
    PATCH  /_sim/settings        {name: value, ...} -> every setting
    GET    /_sim/faults          the fault rules
    GET    /_sim/faults/known    every fault there is: {"fault", "params", "options"}
    POST   /_sim/faults          {fault, method?, path?, service?, probability?, count?, seed?, ...} -> the rule
    DELETE /_sim/faults          drop all rules -> {"dropped"}; what they held is let go
    DELETE /_sim/faults/{id}     drop one
    POST   /_sim/human           {action, service, ...} -> {"action", "id", "affected"}; actions in human.py
    GET    /_sim/truth           everything that exists, writes (?since=SEQ), request counts
    GET    /_sim/truth/bill      ?from=&to= what a bill would say
    POST   /_sim/reset           forget everything but the clock; settings as at the start
"""

import os
from collections.abc import Callable
from urllib.parse import parse_qs

from reconciler.simulator import bill, faults, human, standing, times, truth
from reconciler.simulator.api import Api
from reconciler.simulator.wire import ApiError, Json, Query, invalid, not_found, read_json, whole_number

ANSWER = Callable[[Query, Json], object]


class Control:
    """The control plane of one simulator."""

    def __init__(self, api: Api) -> None:
        """Control the world behind an API."""
        self._api = api
        self._world = api.world
        self._routes: dict[tuple[str, str], ANSWER] = {
            ("GET", "/_sim/health"): lambda _query, _body: self._health(),
            ("GET", "/_sim/clock"): lambda _query, _body: self._clock(),
            ("POST", "/_sim/clock"): lambda _query, body: self._move_clock(body),
            ("GET", "/_sim/settings"): lambda _query, _body: self._world.settings.as_json(),
            ("PATCH", "/_sim/settings"): lambda _query, body: self._change_settings(body),
            ("GET", "/_sim/faults"): lambda _query, _body: [r.as_json() for r in self._world.faults.rules],
            ("GET", "/_sim/faults/known"): lambda _query, _body: faults.known(),
            ("POST", "/_sim/faults"): lambda _query, body: self._add_fault(body),
            ("DELETE", "/_sim/faults"): lambda _query, _body: {"dropped": standing.drop(self._world)},
            ("POST", "/_sim/human"): lambda _query, body: human.act(self._api, body),
            ("GET", "/_sim/truth"): lambda query, _body: truth.tell(self._world, _number(query, "since")),
            ("GET", "/_sim/truth/bill"): lambda query, _body: bill.tell(self._world, query),
            ("POST", "/_sim/reset"): lambda _query, _body: self._reset(),
        }

    def handle(self, method: str, path: str, query: str, raw: bytes) -> tuple[int, Json | list[Json]]:
        """Answer a request to the control plane."""
        try:
            self._world.settle()
            shown = self._answer(method, path.rstrip("/"), parse_qs(query), raw)
        except ApiError as error:
            return error.status, {"message": error.message}
        finally:
            self._world.flush()
        if method != "GET":
            self._world.save_clock()
        return 200, shown  # type: ignore[return-value]

    def _answer(self, method: str, path: str, query: Query, raw: bytes) -> object:
        route = self._routes.get((method, path))
        if route is not None:
            return route(query, _read(raw))
        if method == "DELETE" and path.startswith("/_sim/faults/"):
            rule_id = path.removeprefix("/_sim/faults/")
            return {"dropped": standing.drop(self._world, rule_id)}
        raise not_found(f"{method} {path}")

    def _add_fault(self, body: Json) -> Json:
        rule = self._world.faults.add(body)
        standing.begin(self._world, rule)
        return rule.as_json()

    def _health(self) -> Json:
        state = self._world.config.state
        return {
            "ok": True, "name": "render-simulator", "state": str(state) if state is not None else None,
            "owner_id": self._world.owner_id, "pid": os.getpid(),
        }  # fmt: skip

    def _clock(self) -> Json:
        clock, due_ns = self._world.clock, self._world.next_due_ns()
        now_ns = clock.now_ns()
        return {
            "now": times.micro(now_ns), "epoch_s": now_ns / times.SECOND_NS, "speed": clock.speed,
            "frozen": clock.frozen, "next_due": times.micro(due_ns) if due_ns is not None else None,
        }  # fmt: skip

    def _move_clock(self, body: Json) -> Json:
        clock = self._world.clock
        try:
            if "frozen" in body:
                clock.set_frozen(bool(body["frozen"]))
            if "speed" in body:
                clock.set_speed(float(body["speed"]))
            if "now" in body:
                clock.move_to(times.parse(str(body["now"])))
            if "step_s" in body:
                clock.step(float(body["step_s"]))
        except (ValueError, TypeError, OverflowError) as error:
            raise invalid(str(error)) from error
        self._world.settle()
        return self._clock()

    def _change_settings(self, body: Json) -> Json:
        self._world.settings.change(body)
        return self._world.settings.as_json()

    def _reset(self) -> Json:
        self._world.clear()
        return {"ok": True}


def _read(raw: bytes) -> Json:
    body = read_json(raw)
    if not isinstance(body, dict):
        raise invalid("body must be a JSON object")
    return body


def _number(query: Query, name: str) -> int:
    number = whole_number(query.get(name, ["0"])[-1])
    if number is None:
        raise invalid(f"{name} must be a whole number")
    return number
