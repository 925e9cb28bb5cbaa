"""Decides which faults strike a call, a deploy or a database, by rule and by seeded chance.

A rule: method and path pattern (or, for the life of deploys and databases, a service's id or name pattern),
probability, count, seed, the fault and its parameters. What a fault does is not decided here.

    latency         latency_s (real), sim_latency_s (simulated; a frozen clock is stepped)
    timeout_before  hold_s (real, 30): no effect, the connection is held and closed
    timeout_after   hold_s (real, 30): the effect happens, no answer comes
    reset           the effect happens, the connection breaks in the middle of the body
    status          status (503), message, headers (false: without limit headers), retry_after,
                    after (true: the effect happens all the same)
    malformed_json  half of the body
    extra_fields    a field nobody knows in every object
    unknown_enum    field (default: status, plan, type, region, ...), value
    list_lag        lag_s (simulated, 10): what is younger is not listed yet
    list_missing, list_duplicate   one item of the page, by chance
    stale_read      lag_s (simulated, 10): a read after a write shows what was before
    build_failed, deploy_failed    the next deploys of the service end so
    deploy_stuck    phase (build: hang there), forever (true: not even the time limit ends it)
    postgres_stuck  the database stays in creating
    limits_halved   every limit is half of what it was
"""

import random
import re
from dataclasses import asdict, dataclass, field

from reconciler.simulator.wire import Json, invalid

BEFORE = frozenset({"latency", "timeout_before", "status"})
AFTER = frozenset({
    "timeout_after", "reset", "malformed_json", "extra_fields", "unknown_enum",
    "list_lag", "list_missing", "list_duplicate", "stale_read",
})  # fmt: skip
LIFECYCLE = frozenset({"build_failed", "deploy_failed", "deploy_stuck", "postgres_stuck"})
KNOWN = BEFORE | AFTER | LIFECYCLE | {"limits_halved"}
OPTIONS = frozenset({"method", "path", "service", "probability", "count", "seed", "fault"})


@dataclass(slots=True)
class Rule:
    """One rule and how often it struck."""

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

    def as_json(self) -> Json:
        """Show the rule."""
        return asdict(self)

    def number(self, name: str, default: float) -> float:
        """Read a numeric parameter."""
        value = self.params.get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

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
        self._made = 0

    def add(self, body: Json) -> Rule:
        """Take a rule in."""
        rule = _read(body, f"flt-{self._made + 1}")
        self._made += 1
        self.rules.append(rule)
        return rule

    def drop(self, rule_id: str | None = None) -> int:
        """Drop one rule or all of them; tell how many went."""
        kept = [] if rule_id is None else [rule for rule in self.rules if rule.id != rule_id]
        dropped = len(self.rules) - len(kept)
        self.rules = kept
        return dropped

    def on_call(self, method: str, path: str, kinds: frozenset[str]) -> list[Rule]:
        """Find the rules of some kinds that strike a call."""
        return [
            rule
            for rule in self.rules
            if rule.fault in kinds and _matches(rule, method, path) and rule.strikes()
        ]  # fmt: skip

    def on_lifecycle(self, fault: str, key: str, name: str) -> Rule | None:
        """Find the rule that strikes a deploy of a service or a database."""
        for rule in self.rules:
            if rule.fault == fault and _concerns(rule, key, name) and rule.strikes():
                return rule
        return None

    def limits_halved(self) -> bool:
        """Tell whether all limits are cut in half."""
        return any(rule.fault == "limits_halved" for rule in self.rules)

    def save(self) -> Json:
        """Give the rules for the state file."""
        return {"made": self._made, "rules": [rule.as_json() for rule in self.rules]}

    def load(self, saved: Json) -> None:
        """Take the rules of an earlier run."""
        self._made = int(saved.get("made", 0))
        self.rules = [Rule(**rule) for rule in saved.get("rules", [])]


def _matches(rule: Rule, method: str, path: str) -> bool:
    if rule.method and rule.method != method:
        return False
    return not rule.path or re.search(rule.path, path) is not None


def _concerns(rule: Rule, key: str, name: str) -> bool:
    pattern = rule.service
    return not pattern or pattern == key or re.search(pattern, name) is not None


def _read(body: Json, rule_id: str) -> Rule:
    fault = str(body.get("fault"))
    if fault not in KNOWN:
        raise invalid(f"fault must be one of {', '.join(sorted(KNOWN))}")
    for name in ("method", "path", "service"):
        if not isinstance(body.get(name) or "", str):
            raise invalid(f"{name} must be a string")
        try:
            re.compile(body.get(name) or "")
        except re.error as error:
            raise invalid(f"{name} is not a regular expression: {error}") from error
    probability = body.get("probability", 1.0)
    if not isinstance(probability, (int, float)) or not 0 <= probability <= 1:
        raise invalid("probability must be between 0 and 1")
    count = body.get("count")
    if count is not None and (not isinstance(count, int) or count < 0):
        raise invalid("count must be a whole number")
    seed = body.get("seed") or 0
    if not isinstance(seed, int):
        raise invalid("seed must be a whole number")
    return Rule(
        id=rule_id, fault=fault, method=str(body.get("method") or "").upper(),
        path=str(body.get("path") or ""), service=str(body.get("service") or ""),
        probability=float(probability), count=count, seed=seed,
        params={name: value for name, value in body.items() if name not in OPTIONS},
    )  # fmt: skip
