"""Gathers what a pass will leave behind: the inputs and plans of its rounds, and what was done; it decides nothing."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.actions import Action, Verb
from reconciler.core.passes import Done, Kept, Result, Round
from reconciler.core.plan import Plan, View
from reconciler.core.stops import Stops
from reconciler.engine.act import Acted, Ending
from reconciler.engine.options import Ports
from reconciler.engine.settle import Settled
from reconciler.ports import Operation, Record, Verdict


@dataclass(slots=True)
class Trail:
    """The trail of one pass, from its claim on; references only, so that a pass nobody keeps costs nothing."""

    began_at: datetime
    record: Record | None = None
    rounds: list[Round] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)
    """Real, monotonic."""

    def settled(self, operations: Iterable[Operation], result: Settled) -> None:
        """Note what settling brought to light: its events, and the outcomes that needed none."""
        self.found += [event.message for event in result.events]
        told = {event.component for event in result.events}
        self.found += [
            f"the outcome of {one.verb} of {one.component} was looked up"
            for one in operations
            if one.component not in told and one.component not in result.waits
        ]

    def planning(self, view: View, stops: Stops) -> None:
        """Open a round: what its plan will be made from, as it stands now."""
        self.rounds.append(Round(view=view, stops=stops))

    def planned(self, stops: Stops, recent: Mapping[Verb, int], plan: Plan) -> None:
        """Complete the open round; `stops` may have grown by what only a plan asks for."""
        self.rounds[-1] = replace(self.rounds[-1], stops=stops, recent=recent, plan=plan)

    def acted(self, action: Action, acted: Acted) -> None:
        """Note an effect that was sent; one that got no token shows as a wait of the next plan."""
        if acted.operation:
            done = Done(
                operation=acted.operation,
                verb=action.verb,
                component=action.component,
                kind=action.kind,
                name=action.name,
                ending=str(acted.ending),
                message=acted.message,
            )
            self.done.append(done)

    def kept(self, ports: Ports, verdict: Verdict) -> Kept | None:
        """Answer what is kept of a pass that came to its end, None where nothing happened or it only waits on."""
        failed = verdict.failed or any(one.ending != Ending.DONE for one in self.done)
        changed = failed or bool(self.done or self.found)
        idle = all(one.plan is None or one.plan.empty for one in self.rounds)
        if not changed and (idle or verdict.unchanged):
            return None
        result = Result.FAILED if failed else Result.CHANGED if changed else Result.WAITED
        return self._kept(ports, result, phase=str(verdict.status.phase))

    def broke(self, ports: Ports, error: str) -> Kept:
        """Answer what is kept of a pass that an error ended."""
        return self._kept(ports, Result.BROKE, error=error)

    def _kept(self, ports: Ports, result: Result, *, phase: str = "", error: str = "") -> Kept:
        record = self.record
        return Kept(
            began_at=self.began_at,
            took_s=round(time.monotonic() - self.started_s, 6),
            result=result,
            generation=record.generation if record else 0,
            tenant=record.tenant if record else None,
            blueprint=record.blueprint.name if record and record.blueprint else "",
            revision=record.revision if record else 0,
            caps=ports.options.caps,
            book=ports.book.version,
            rounds=tuple(self.rounds),
            done=tuple(self.done),
            found=tuple(self.found),
            phase=phase,
            error=error,
        )
