"""Decides which faults strike a call, a deploy or a database, by rule and by seeded chance.

A rule: the fault and its parameters, which occasions it concerns, how often (probability, count, seed). For a call
`method` is its method, `path` a pattern of its path, `service` the id, or a pattern of the name, of what it is about;
the life of deploys and databases knows `service` only. What a fault does is not decided here. `_s` is seconds.

    latency         latency_s (real), sim_latency_s (simulated; a frozen clock is stepped): the effect, then the wait
    late_effect     latency_s (real), sim_latency_s (simulated, also on a frozen clock): the wait, then the effect,
                    although the caller may have left
    timeout_before  hold_s (real, 30): no effect, the connection is held and closed
    timeout_after   hold_s (real, 30): the effect happens, no answer comes
    reset           the effect happens, the connection breaks in the middle of the body
    slow_body       bytes_per_s (real, 1): the effect happens, the body drips
    status          status (503), message, headers (false: without limit headers), retry_after, ratelimit_reset
                    (in place of the true one), after (true: the effect happens all the same; with status=409 a create
                    whose name is then said to be taken)
    malformed_json  half of the body
    wrong_schema    200, and the body inside of something nobody expects
    null_body       200, and the body is null
    extra_fields    a field nobody knows in every object
    unknown_enum    field (default: status, plan, type, region, ...), value
    updated_back    by_s (3600): every updatedAt is earlier than it was
    clock_skew      by_s (600; negative: behind): the Date header is off
    list_lag        lag_s (simulated, 10): what is younger is not listed yet
    list_missing, list_duplicate   one item of the page, by chance
    list_empty, list_half          none of the page, or its first half, as if that were all
    cursor_expired  a page after the first is refused with 400
    stale_read      lag_s (simulated, 10): a read after a write shows what was before
    build_failed, deploy_failed    the next deploys of the service end so
    deploy_stuck    phase (build: hang there), forever (true: not even the time limit ends it, dropping the rule does)
    postgres_stuck  the database stays in creating until the rule is dropped
    billing_suspended  message: the account is suspended until the rule is dropped; services and datastores have the
                    suspender `billing`, creates and changes answer 402 (method, path, probability and count: which)
    limits_halved   every limit is half of what it was
"""

import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from reconciler.simulator.wire import Json, invalid

BEFORE = {
    "latency": {"latency_s", "sim_latency_s"},
    "timeout_before": {"hold_s"},
    "status": {"status", "message", "headers", "retry_after", "ratelimit_reset", "after"},
}
AFTER: dict[str, set[str]] = {
    "timeout_after": {"hold_s"}, "reset": set(), "slow_body": {"bytes_per_s"}, "malformed_json": set(),
    "wrong_schema": set(), "null_body": set(), "extra_fields": set(), "unknown_enum": {"field", "value"},
    "updated_back": {"by_s"}, "list_lag": {"lag_s"}, "list_missing": set(), "list_duplicate": set(),
    "list_empty": set(), "list_half": set(), "stale_read": {"lag_s"},
}  # fmt: skip
AROUND: dict[str, set[str]] = {
    "late_effect": {"latency_s", "sim_latency_s"}, "cursor_expired": set(), "clock_skew": {"by_s"},
    "billing_suspended": {"message"}, "limits_halved": set(),
}  # fmt: skip
LIFECYCLE: dict[str, set[str]] = {
    "build_failed": set(), "deploy_failed": set(), "deploy_stuck": {"phase", "forever"}, "postgres_stuck": set(),
}  # fmt: skip
KNOWN = BEFORE | AFTER | AROUND | LIFECYCLE
"""Every fault and its parameters."""
OPTIONS = frozenset({"method", "path", "service", "probability", "count", "seed", "fault"})


@dataclass(frozen=True, slots=True)
class Occasion:
    """A call as rules see it; `subject` answers the id and the name of what it is about, as far as it names one."""

    method: str
    path: str
    subject: Callable[[], tuple[str, str]] = lambda: ("", "")


@dataclass(slots=True)
class Rule:
    """One rule, how often it struck, and the ids of what it holds until it is dropped."""

    id: str
    fault: str
    method: str = ""
    path: str = ""
    service: str = ""
    probability: float = 1.0
    count: int | None = None
    seed: int = 0
    params: Json = field(default_factory=dict)
    struck: int = 0
    rolled: int = 0
    held: list[str] = field(default_factory=list)

    def as_json(self) -> Json:
        """Show the rule."""
        return asdict(self)

    def number(self, name: str, default: float) -> float:
        """Read a numeric parameter."""
        value = self.params.get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

    def concerns(self, key: str, name: str) -> bool:
        """Tell whether the rule is about a service or database."""
        pattern = self.service
        if not pattern or pattern == key:
            return True
        return bool(name) and re.search(pattern, name) is not None

    def strikes(self) -> bool:
        """Roll the dice, once per matching occasion."""
        if self.count is not None and self.struck >= self.count:
            return False
        self.rolled += 1
        if self.probability < 1.0:
            # Not security: a seeded die per occasion, so that a run can be repeated.
            die = random.Random(f"{self.seed}:{self.rolled}").random()  # noqa: S311
            if die >= self.probability:
                return False
        self.struck += 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        """Start without rules."""
        self.rules: list[Rule] = []
        self.moved = False
        """Whether a die was rolled that is not saved yet."""
        self._made = 0

    def add(self, body: Json) -> Rule:
        """Take a rule in."""
        rule = _read(body, f"flt-{self._made + 1}")
        self._made += 1
        self.rules.append(rule)
        return rule

    def drop(self, rule_id: str | None = None) -> list[Rule]:
        """Drop one rule or all of them; answer those that went."""
        dropped = [rule for rule in self.rules if rule_id in (None, rule.id)]
        self.rules = [rule for rule in self.rules if rule not in dropped]
        return dropped

    def on_call(self, occasion: Occasion, *faults: str) -> list[Rule]:
        """Find the rules of some faults that strike a call."""
        return [
            rule for rule in self.rules if rule.fault in faults and _matches(rule, occasion) and self._struck(rule)
        ]  # fmt: skip

    def on_lifecycle(self, fault: str, key: str, name: str) -> Rule | None:
        """Find the rule that strikes a deploy of a service or a database."""
        for rule in self.rules:
            if rule.fault == fault and rule.concerns(key, name) and self._struck(rule):
                return rule
        return None

    def _struck(self, rule: Rule) -> bool:
        before = rule.rolled
        strikes = rule.strikes()
        self.moved = self.moved or rule.rolled != before
        return strikes

    def save(self) -> Json:
        """Give the rules for the state file."""
        self.moved = False
        return {"made": self._made, "rules": [rule.as_json() for rule in self.rules]}

    def load(self, saved: Json) -> None:
        """Take the rules of an earlier run; a file of another version may hold fields and faults that are not known."""
        self._made = int(saved.get("made", 0))
        known = {item.name for item in fields(Rule)}
        self.rules = [
            Rule(**{name: value for name, value in rule.items() if name in known})
            for rule in saved.get("rules", [])
            if rule.get("fault") in KNOWN
        ]  # fmt: skip


def known() -> list[Json]:
    """List every fault there is, with its parameters and the options of rules that apply to it."""
    common = ["service", "probability", "count", "seed"]
    return [
        {
            "fault": name,
            "params": sorted(params),
            "options": common if name in LIFECYCLE else ["method", "path", *common],
        }
        for name, params in sorted(KNOWN.items())
    ]


def _matches(rule: Rule, occasion: Occasion) -> bool:
    if rule.method and rule.method != occasion.method:
        return False
    if rule.path and re.search(rule.path, occasion.path) is None:
        return False
    return not rule.service or rule.concerns(*occasion.subject())


def _read(body: Json, rule_id: str) -> Rule:
    fault = str(body.get("fault"))
    if fault not in KNOWN:
        raise invalid(f"fault must be one of {', '.join(sorted(KNOWN))}")
    for name in ("method", "path", "service"):
        _check_pattern(name, body.get(name) or "")
    params = {name: value for name, value in body.items() if name not in OPTIONS}
    strange = sorted(set(params) - KNOWN[fault])
    if strange:
        raise invalid(f"{fault} has no {', '.join(strange)}; it takes {', '.join(sorted(KNOWN[fault])) or 'nothing'}")
    if fault in LIFECYCLE and (body.get("method") or body.get("path")):
        raise invalid(f"{fault} strikes no call: say which service instead of method and path")
    probability = body.get("probability", 1.0)
    if isinstance(probability, bool) or not isinstance(probability, (int, float)) or not 0 <= probability <= 1:
        raise invalid("probability must be between 0 and 1")
    count = body.get("count")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        raise invalid("count must be a whole number")
    seed = body.get("seed") or 0
    if not isinstance(seed, int):
        raise invalid("seed must be a whole number")
    return Rule(
        id=rule_id, fault=fault, method=str(body.get("method") or "").upper(), path=str(body.get("path") or ""),
        service=str(body.get("service") or ""), probability=float(probability), count=count, seed=seed, params=params,
    )  # fmt: skip


def _check_pattern(name: str, pattern: Any) -> None:  # noqa: ANN401 - whatever was sent
    if not isinstance(pattern, str):
        raise invalid(f"{name} must be a string")
    try:
        re.compile(pattern)
    except re.error as error:
        raise invalid(f"{name} is not a regular expression: {error}") from error
