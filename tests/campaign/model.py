"""A state machine over the campaign's parts: each rule is something that users, meddlers or faults do.

Where a seed of the campaign draws its whole script at once, here Hypothesis writes it, rule by rule, and a script that
breaks a promise is cut down to what is needed for that. The model is a `Wish` for each tenant: what it should be in the
end. Safety is judged after each write and asserted after each rule; at the end faults are healed, everybody must become
what the model says, and nobody may write any more.
"""

import asyncio
import random as chance
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.core.values import Json
from tests.campaign.cloud import Moods
from tests.campaign.gates import Point
from tests.campaign.loop import Process, SeededLoop, Stuck
from tests.campaign.oracles import Wish
from tests.campaign.run import Run, prepare, settle
from tests.campaign.scenario import MEDDLING, RULES
from tests.campaign.stacks import BLUEPRINTS, CARRY_MODE, EDITED, SHAPES

NAMES = ("acme", "bolt", "cora")
THEN_S = st.sampled_from((0.0, 2.0, 30.0, 200.0, 1_200.0))
"""So long the world goes on after what was done, before the next thing is."""
PASSED_MAX = 60
"""A strike falls after so many calls of ports at most: about two passes."""
FAR_AWAY = "2027-06-01"
WRONG: tuple[dict[str, Json], ...] = (
    {"overrides": {"nobody": {"plan": "starter"}}},
    {"pin": {"revision": 1, "until": "soon", "why": "to see"}},
)
BLUEPRINT = st.sampled_from(sorted(BLUEPRINTS))
WHO = st.integers(0, len(NAMES) - 1)
WITH_DATA = "search"
"""Has a disk: what becomes of it when a person deletes it is a person's business (tests/engine/test_drift_reported)."""


class Chosen:
    """Strikes where Hypothesis says: at the nth call of a port from now on."""

    def __init__(self) -> None:
        self.coming: list[tuple[int, str | float]] = []

    def __call__(self, process: Process, point: Point) -> str | float:
        """Answer what falls now; a database fails at calls to it only, later if need be."""
        self.coming = [(left - 1, what) for left, what in self.coming]
        for at, (left, what) in enumerate(self.coming):
            if left <= 0 and (what != "fail" or point.name.startswith("store.")):
                del self.coming[at]
                return what
        return ""


class Tenants(RuleBasedStateMachine):
    """Up to three tenants, two replicas and Render, in virtual time."""

    run: Run | None = None

    @initialize(seed=st.integers(0, 255), replicas=st.integers(1, 2), blueprint=BLUEPRINT, then_s=THEN_S)
    def begin(self, seed: int, replicas: int, blueprint: str, then_s: float) -> None:
        """Start a world with one tenant."""
        self.loop = SeededLoop(seed)
        self.loop.set_exception_handler(lambda *_: None)
        self.strike = Chosen()
        self.run = run = prepare(seed, self.loop, self.strike, replicas, scripted=True)
        chance.seed(seed)
        self.fleet, self.cloud, self.oracles = run.fleet, run.cloud, run.oracles
        self.database, self.wishes = run.fleet.database, run.oracles.wishes
        for replica in self.fleet.replicas:
            self.fleet.start(replica)
        self.supervisor = self.loop.create_task(self.fleet.watch())
        self._sign_up(blueprint, then_s)

    def _sign_up(self, blueprint: str, then_s: float) -> None:
        name = NAMES[len(self.wishes)]
        self.wishes[name] = Wish(blueprint)
        self.database.put_tenant(name=name, blueprint=blueprint, tier="small")
        self._pass(then_s)

    def _pass(self, seconds: float) -> None:
        """Let the world go on."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def _one(self, who: int) -> str:
        """Answer a tenant that was signed up."""
        return sorted(self.wishes)[who % len(self.wishes)]

    def _open(self, who: int) -> str:
        """Answer a tenant that can still be changed."""
        found = sorted(name for name, wish in self.wishes.items() if not wish.purge)
        return found[who % len(found)]

    def any_open(self) -> bool:
        """Say whether anybody can still be changed."""
        return any(not wish.purge for wish in self.wishes.values())

    # ------------------------------------------------------------ users

    @precondition(lambda self: len(self.wishes) < len(NAMES))
    @rule(blueprint=BLUEPRINT, then_s=THEN_S)
    def sign_up(self, blueprint: str, then_s: float) -> None:
        """Another tenant."""
        self._sign_up(blueprint, then_s)

    @rule(who=WHO, then_s=THEN_S)
    def sign_up_again(self, who: int, then_s: float) -> None:
        """A retry: of a living tenant it says nothing new, a purged one stays purged."""
        name = self._one(who)
        self.database.put_tenant(name=name, blueprint=self.wishes[name].blueprint)
        self._pass(then_s)

    @precondition(any_open)
    @rule(who=WHO, tier=st.sampled_from(("big", "small")), then_s=THEN_S)
    def change_tier(self, who: int, tier: str, then_s: float) -> None:
        name = self._open(who)
        self.wishes[name].tier = tier
        self.database.put_tenant(name=name, tier=tier)
        self._pass(then_s)

    @precondition(any_open)
    @rule(who=WHO, mode=st.sampled_from(("", "m1", "m2")), plan=st.sampled_from(("", "pro")), then_s=THEN_S)
    def change_details(self, who: int, mode: str, plan: str, then_s: float) -> None:
        """A variable of the tenant's own, and an override; what was wrong or pinned before is so no more."""
        wish = self.wishes[name := self._open(who)]
        wish.mode, wish.plan, wish.pin, wish.valid = mode, plan, 0, True
        self._put_details(name)
        self._pass(then_s)

    @precondition(any_open)
    @rule(who=WHO, revision=st.integers(1, 3), then_s=THEN_S)
    def pin(self, who: int, revision: int, then_s: float) -> None:
        """Stay on a revision; one that is not there yet makes the tenant invalid."""
        wish = self.wishes[name := self._open(who)]
        wish.pin, wish.valid = revision, revision <= len(self.database.blueprints[wish.blueprint].revisions)
        if not wish.valid:
            wish.pin = 0
        self._put_details(name, pin={"revision": revision, "until": FAR_AWAY, "why": "to see"})
        self._pass(then_s)

    @precondition(any_open)
    @rule(who=WHO, details=st.sampled_from(WRONG), then_s=THEN_S)
    def make_invalid(self, who: int, details: dict[str, Json], then_s: float) -> None:
        """Say what compiles to nothing, or cannot even be read."""
        wish = self.wishes[name := self._open(who)]
        wish.valid, wish.pin = False, 0
        self.database.put_tenant(name=name, details=details)
        self._pass(then_s)

    def _put_details(self, name: str, **more: Json) -> None:
        wish, details = self.wishes[name], dict(more)
        carries = CARRY_MODE[wish.blueprint]
        if wish.mode:
            details["env"] = {component: {"MODE": wish.mode} for component in carries}
        if wish.plan:
            details["overrides"] = {carries[0]: {"plan": wish.plan}}
        self.database.put_tenant(name=name, details=details)

    @precondition(any_open)
    @rule(who=WHO, state=st.sampled_from(("running", "suspended", "deleted")), then_s=THEN_S)
    def change_state(self, who: int, state: str, then_s: float) -> None:
        """Suspend, resume, delete, undo."""
        name = self._open(who)
        self.wishes[name].state = state
        self.database.put_tenant(name=name, state=state)
        self._pass(then_s)

    @precondition(any_open)
    @rule(who=WHO, orphan=st.booleans(), then_s=THEN_S)
    def purge(self, who: int, orphan: bool, then_s: float) -> None:
        """Delete now, or forget the stack and leave it standing."""
        wish = self.wishes[name := self._open(who)]
        wish.state, wish.purge, wish.orphan = "deleted", True, orphan
        if orphan:
            owned = {id for id, held in self.database.inventory.items() if held.tenant == name}
            self.oracles.left_standing[name] = owned & self.oracles.live().keys()
        self.database.purge_now(name, "orphan" if orphan else "now")
        self._pass(then_s)

    @rule(who=WHO, for_s=st.sampled_from((60.0, 900.0)), then_s=THEN_S)
    def hold(self, who: int, for_s: float, then_s: float) -> None:
        name = self._one(who)
        self.oracles.hold_comes(name)
        self.database.hold(name, self.database.world() + timedelta(seconds=for_s))
        self._pass(then_s)

    @rule(who=WHO, then_s=THEN_S)
    def ask(self, who: int, then_s: float) -> None:
        self.database.ask(self._one(who), f"at {self.loop.steps}")
        self._pass(then_s)

    @rule(blueprint=BLUEPRINT, then_s=THEN_S)
    def edit_blueprint(self, blueprint: str, then_s: float) -> None:
        """The next revision; odd ones are as the first, even ones edited."""
        newest = len(self.database.blueprints[blueprint].revisions)
        self.database.put_blueprint((BLUEPRINTS if newest % 2 == 0 else EDITED)[blueprint])
        self._pass(then_s)

    # ------------------------------------------------------------ people at Render

    @rule(who=WHO, which=st.integers(0, 2), action=st.sampled_from(MEDDLING), then_s=THEN_S)
    def meddle(self, who: int, which: int, action: str, then_s: float) -> None:
        wish = self.wishes[name := self._one(who)]
        services = [key for key, shape in SHAPES[wish.blueprint].items() if shape.table == "services"]
        component = services[which % len(services)]
        if wish.orphan or (action == "delete" and component == WITH_DATA):
            return
        told = {"env-set": {"key": "MODE", "value": "meddled"}, "env-delete": {"key": "MODE"}, "plan": {"plan": "pro"},
                "scale": {"instances": 3}}.get(action, {})  # fmt: skip
        self.cloud.person("billing-suspend" if action == "billing" else action, f"{component}-{name}", **told)
        self._pass(then_s)

    def names_are_free(self) -> bool:
        """Say whether strangers can still come: once, before the last sign-up, and while the API works."""
        return len(self.wishes) < len(NAMES) and not self.oracles.foreign and not self.cloud.world.faults.rules

    @precondition(names_are_free)
    @rule()
    def strangers(self) -> None:
        """Somebody else's objects take names that the next tenant wants, until the heal."""
        self.run.scenario.strangers(NAMES[len(self.wishes)])

    # ------------------------------------------------------------ faults

    @rule(fault=st.sampled_from(RULES), count=st.integers(1, 3), for_s=st.sampled_from((30.0, 600.0)), then_s=THEN_S)
    def fault(self, fault: dict[str, Any], count: int, for_s: float, then_s: float) -> None:
        """The API fails at the next calls that fit."""
        made = self.cloud.world.faults.add({**fault, "count": count, "seed": 0})
        self.loop.call_later(for_s, self.cloud.world.faults.drop, made.id)
        self._pass(then_s)

    @rule(lost=st.sampled_from((0.0, 0.1)), late=st.sampled_from((0.0, 0.1)), broken=st.sampled_from((0.0, 0.1)))
    def network(self, lost: float, late: float, broken: float) -> None:
        self.cloud.moods = Moods(lost_share=lost, late_share=late, broken_share=broken)

    @rule(after=st.integers(1, PASSED_MAX), what=st.sampled_from(("fail", "kill", 60.0, 600.0)), then_s=THEN_S)
    def strike_at(self, after: int, what: str | float, then_s: float) -> None:
        """A replica dies, is stopped, or its database fails, before or after a call to a port."""
        self.strike.coming.append((after, what))
        self._pass(then_s)

    @rule(which=st.integers(0, 1), then_s=THEN_S)
    def kill(self, which: int, then_s: float) -> None:
        """A replica dies at whatever it waits for."""
        self.fleet.replicas[which % len(self.fleet.replicas)].process.dead = True
        self._pass(then_s)

    # ------------------------------------------------------------ judgement

    @invariant()
    def safe(self) -> None:
        """No promise of safety is broken."""
        if self.run is not None:
            assert not self.oracles.broken, self.oracles.broken

    def teardown(self) -> None:
        """Heal; everybody becomes what the model says; then nobody writes. What was broken before is told already."""
        if self.run is None:
            return
        try:
            if not self.oracles.broken:
                self._end(self.run)
        finally:
            self.loop.abandon(close=True)
            self.loop.close()
            self.run = None

    def _end(self, run: Run) -> None:
        self.strike.coming.clear()
        try:
            self.loop.run_until_complete(settle(run, []))
        except Stuck as stuck:
            run.oracles.break_("P1", str(stuck))
        self.supervisor.cancel()
        story = self.fleet.telemetry.problems[-20:]
        assert not run.oracles.broken, "\n".join([*run.oracles.broken, *story])
