"""Spoils answers the way faults ask for: stale reads, lagging or lossy lists, unknown words, broken JSON.

The effect of a call has already happened (or not) when this is reached; only what is told of it changes.
"""

import json
import random
from collections.abc import Callable
from typing import Any

from reconciler.simulator import faults, times
from reconciler.simulator.wire import Call, Json, Reply
from reconciler.simulator.world import World

ENUMS = ("status", "plan", "type", "region", "suspended", "runtime", "trigger")
DEFAULT_LAG_S = 10.0
BACK_S = 3_600.0
FIRST_ERROR = 300
KEPT_VIEWS = 2_000


class Corruption:
    """What is needed to tell things as they no longer are."""

    def __init__(self, world: World, read: Callable[[str], tuple[int, bytes]]) -> None:
        """Spoil answers of a world that is read by this function."""
        self._world = world
        self._read = read
        self._views: dict[str, tuple[int, int, bytes]] = {}

    def before(self, method: str, path: str) -> None:
        """Keep what a path shows before a write changes it, while a rule wants stale reads."""
        lags = [rule.number("lag_s", DEFAULT_LAG_S) for rule in self._world.faults.rules if rule.fault == "stale_read"]
        if method == "GET" or not lags:
            return
        since_ns = self._world.in_s(-max(lags))
        parts = path.strip("/").split("/")
        # The thing itself and what hangs on it: /v1/services/{id}, /v1/services/{id}/env-vars.
        for length in range(3, len(parts) + 1):
            target = "/" + "/".join(parts[:length])
            if target in self._views and self._views[target][0] > since_ns:
                continue  # what was seen before the first of several quick writes
            status, body = self._read(target)
            if len(self._views) >= KEPT_VIEWS:
                self._views.clear()
            self._views[target] = (self._world.now_ns(), status, body)

    def spoil(self, call: Call, reply: Reply, rules: list[faults.Rule]) -> bytes:
        """Write the body of a reply, spoilt by the rules that struck."""
        for rule in rules:
            if rule.fault == "stale_read" and call.method == "GET":
                stale = self._stale(call, rule)
                if stale is not None:
                    reply.status, reply.empty = stale[0], False
                    return stale[1]
            if reply.status < FIRST_ERROR and not reply.empty:
                self._spoil_body(reply, rule)
        body = reply.encode()
        if any(rule.fault == "malformed_json" for rule in rules):
            return body[: max(1, len(body) // 2)]
        return body

    def _stale(self, call: Call, rule: faults.Rule) -> tuple[int, bytes] | None:
        world = self._world
        lag_ns = times.seconds_ns(rule.number("lag_s", DEFAULT_LAG_S))
        kept = self._views.get(call.path)
        if kept is not None and world.now_ns() - kept[0] < lag_ns:
            return kept[1], kept[2]
        item = world.resource(call.params.get("id", ""))
        if item is not None and world.now_ns() - item.created_ns < lag_ns:
            return 404, json.dumps({"message": f"not found: {item.id}"}).encode() + b"\n"
        return None

    def _spoil_body(self, reply: Reply, rule: faults.Rule) -> None:
        body: Any = reply.body
        if rule.fault == "extra_fields":
            reply.body = _with_extras(body)
        elif rule.fault == "unknown_enum":
            reply.body = _with_unknown(body, str(rule.params.get("field", "")), str(rule.params.get("value", "")))
        elif rule.fault == "wrong_schema":
            reply.body = {"data": body, "meta": {"version": 2}}
        elif rule.fault == "null_body":
            reply.body = None
        elif rule.fault == "updated_back":
            reply.body = _with_earlier(body, times.seconds_ns(rule.number("by_s", BACK_S)))
        elif isinstance(body, list) and body:
            self._spoil_list(reply, body, rule)

    def _spoil_list(self, reply: Reply, body: list[Any], rule: faults.Rule) -> None:
        chance = random.Random(f"{rule.seed}:{rule.rolled}")  # noqa: S311 - a repeatable die, not a secret
        if rule.fault == "list_empty":
            reply.body = []
        elif rule.fault == "list_half":
            reply.body = body[: len(body) // 2]
        elif rule.fault == "list_lag":
            lag_s = rule.number("lag_s", DEFAULT_LAG_S)
            reply.body = [item for item in body if not self._is_younger(item, lag_s)]
        elif rule.fault == "list_missing":
            body.pop(chance.randrange(len(body)))
        elif rule.fault == "list_duplicate":
            body.append(chance.choice(body))

    def _is_younger(self, item: Json, seconds: float) -> bool:
        inner = next((value for value in item.values() if isinstance(value, dict) and "createdAt" in value), item)
        created = inner.get("createdAt")
        return isinstance(created, str) and times.parse(created) > self._world.in_s(-seconds)


def _with_extras(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        spoilt = {name: _with_extras(part) for name, part in value.items()}
        spoilt["addedLater"] = {"nested": [1, None, "text"]}
        return spoilt
    if isinstance(value, list):
        return [_with_extras(part) for part in value]
    return value


def _with_earlier(value: Any, by_ns: int) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {
            name: times.micro(times.parse(part) - by_ns)
            if name == "updatedAt" and isinstance(part, str)
            else _with_earlier(part, by_ns)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_with_earlier(part, by_ns) for part in value]
    return value


def _with_unknown(value: Any, field: str, word: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        names = (field,) if field else ENUMS
        strange = {name: word or f"{value[name]}_new" for name in names if isinstance(value.get(name), str)}
        return {name: strange.get(name) or _with_unknown(part, field, word) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_unknown(part, field, word) for part in value]
    return value
