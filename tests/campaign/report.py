"""Counts what a campaign found, and prints it: figures first, then every broken promise with the seed that shows it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.campaign.run import run_seed

MUTANTS_KILLED_SHARE = 28 / 30
SHOWN = 20
RULE_OF_THREE = 3.0
"""Nothing in N runs means less than 3/N a run, at 95 % confidence."""


@dataclass
class Tally:
    """The sums of a campaign. `began_s` and `ends_s` are of the monotonic clock."""

    began_s: float
    ends_s: float
    seeds: int = 0
    virtual_s: float = 0.0
    calls: int = 0
    writes: int = 0
    kills: int = 0
    stops: int = 0
    healed: list[float] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    places: int = 0
    reached: int = 0
    missing_verbs: list[str] = field(default_factory=list)
    killed: list[tuple[str, str]] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    out_of_time: bool = False

    def seed(self, result: dict[str, Any]) -> None:
        """Take in one seed's outcome."""
        self.seeds += 1
        self.virtual_s += result.get("virtual_s", 0.0)
        self.calls += result.get("calls", 0)
        self.writes += result.get("writes", 0)
        self.kills += result.get("kills", 0)
        self.stops += result.get("stops", 0)
        self.healed.append(result.get("healed_s", 0.0))
        self.broken += [(f"seed {result['seed']}", text) for text in result["broken"]]

    def place(self, result: dict[str, Any]) -> None:
        """Take in one place of death."""
        self.reached += result["reached"]
        self.broken += [(f"killed {result['place']}", text) for text in result["broken"]]

    def mutant(self, result: dict[str, Any]) -> None:
        """Take in one mutant."""
        if result["killed"]:
            self.killed.append((result["mutant"], result["killed"]))
        else:
            self.alive.append(result["mutant"])

    def good(self, parts: Sequence[str], seeds: int) -> bool:
        """Say whether everything was run and every promise kept."""
        complete = ("seeds" not in parts or self.seeds >= seeds) and (
            "crash" not in parts or (self.reached == self.places > 0 and not self.missing_verbs)
        )
        mutants = len(self.killed) + len(self.alive)
        sharp = "mutants" not in parts or len(self.killed) >= MUTANTS_KILLED_SHARE * mutants > 0
        return complete and sharp and not self.broken


def text(tally: Tally, parts: Sequence[str]) -> str:
    """Write the report."""
    lines = [f"campaign: {time.monotonic() - tally.began_s:,.0f} s of real time"]
    if "crash" in parts:
        missing = f", verbs never taken: {', '.join(tally.missing_verbs)}" if tally.missing_verbs else ""
        lines.append(f"  crash points    {tally.reached} of {tally.places} died at{missing}")
    if "mutants" in parts:
        lines.append(f"  mutants killed  {len(tally.killed)} of {len(tally.killed) + len(tally.alive)}")
        lines += [f"    killed  {name}: {how}"[:160] for name, how in sorted(tally.killed)]
        lines += [f"    ALIVE   {name}" for name in sorted(tally.alive)]
    if "seeds" in parts:
        lines += _seeds(tally)
    lines += [f"  BROKEN  {where}: {what}"[:300] for where, what in tally.broken[:SHOWN]]
    if len(tally.broken) > SHOWN:
        lines.append(f"  ... and {len(tally.broken) - SHOWN} more")
    if tally.out_of_time:
        lines.append("  out of time: not everything was run; go on with the same --state")
    return "\n".join(lines)


def _seeds(tally: Tally) -> list[str]:
    if not tally.seeds:
        return ["  seeds           none"]
    bad = len({where for where, _ in tally.broken if where.startswith("seed ")})
    healed = sorted(tally.healed)
    spread = [healed[min(len(healed) - 1, int(len(healed) * share))] / 60 for share in (0.5, 0.95, 0.99)]
    bound = f"under {RULE_OF_THREE / tally.seeds:.2e} a run (95 %)" if not bad else f"{bad} bad seeds"
    years = tally.virtual_s / (365.25 * 86_400)
    return [
        f"  seeds           {tally.seeds:,}: {years:.2f} virtual years, {tally.calls:,} calls, {tally.writes:,} writes",
        f"  faults          {tally.kills:,} kills, {tally.stops:,} stops, beside those of API, network and database",
        f"  broken promises {len(tally.broken)}: {bound}",
        f"  well again      p50 {spread[0]:.0f} min, p95 {spread[1]:.0f} min, p99 {spread[2]:.0f} min after the faults",
    ]


def story(seed: int) -> int:
    """Tell one seed's story: what people did, what struck, what was broken."""
    outcome = run_seed(seed)
    print("\n".join(outcome.story))
    print(f"\nseed {seed}: {outcome.tenants} tenants, {outcome.replicas} replicas, {outcome.calls} calls")
    for one in outcome.broken:
        print(f"BROKEN {one}")
    print("every promise kept" if not outcome.broken else f"replay: make campaign ARGS='--replay {seed}'")
    return 1 if outcome.broken else 0
