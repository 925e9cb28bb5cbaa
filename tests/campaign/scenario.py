"""What people and the world do in one run, drawn from its seed: sign-ups, edits, meddling, faults, and when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from reconciler.core.values import Json
from tests.campaign.cloud import OWNER, Cloud, Moods
from tests.campaign.gates import Chaos
from tests.campaign.memory import Database
from tests.campaign.oracles import Oracles, Wish
from tests.campaign.stacks import BLUEPRINTS, CARRY_MODE, EDITED, SHAPES

HALF = 0.5
STRANGERS = 0.2
BAD_NETWORK = 0.5
AGAIN = 0.3
"""How often a word is followed by another at once, while the pass that the first one woke is still at work."""
SPAN_S = 2_400.0
"""Everything that people do happens within this time, give or take a word said twice."""
NAMES = ("acme", "bolt", "cora", "dune", "echo")
RULES: tuple[dict[str, Any], ...] = (
    {"fault": "timeout_after", "method": "POST"},
    {"fault": "timeout_before", "method": "POST"},
    {"fault": "timeout_after", "method": "DELETE"},
    {"fault": "timeout_after", "method": "PATCH"},
    {"fault": "reset", "method": "POST"},
    {"fault": "reset", "method": "PUT"},
    {"fault": "reset"},
    {"fault": "malformed_json", "method": "POST"},
    {"fault": "malformed_json", "method": "GET"},
    {"fault": "status", "status": 500, "method": "POST", "after": True},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502},
    {"fault": "status", "status": 503},
    {"fault": "status", "status": 503, "method": "GET"},
    {"fault": "status", "status": 429, "method": "POST"},
    {"fault": "status", "status": 429, "headers": False},
    {"fault": "list_lag", "lag_s": 60, "method": "GET"},
    {"fault": "list_missing", "method": "GET"},
    {"fault": "list_duplicate", "method": "GET"},
    {"fault": "stale_read", "lag_s": 15, "method": "GET"},
    {"fault": "extra_fields"},
    {"fault": "build_failed"},
    {"fault": "deploy_failed"},
)
MEDDLING = ("suspend", "resume", "env-set", "env-delete", "plan", "scale", "delete", "deploy", "crash", "billing")


@dataclass
class Deed:
    """Something that happens at a time."""

    at_s: float
    name: str
    do: Callable[[], object]


@dataclass
class Scenario:
    """One run's script, and the memory of what was wished for."""

    random: Random
    cloud: Cloud
    database: Database
    oracles: Oracles
    deeds: list[Deed] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)
    """Paths of strangers' objects that bear names we want; they leave at the heal."""

    @property
    def wishes(self) -> dict[str, Wish]:
        return self.oracles.wishes

    def script(self) -> list[Deed]:
        """Draw everything that will happen, in the order of time."""
        random = self.random
        names = NAMES[: random.choices((1, 2, 3, 4, 5), (30, 30, 20, 12, 8))[0]]
        for name in names:
            blueprint = random.choice(tuple(BLUEPRINTS))
            begin_s = random.uniform(0.0, 300.0)
            self._at(begin_s, f"sign up {name} on {blueprint}", self._sign_up, name, blueprint)
            for _ in range(random.choices((0, 1, 2, 4, 6), (10, 20, 25, 25, 20))[0]):
                at_s = random.uniform(begin_s, SPAN_S)
                self._edit(name, at_s)
                if random.random() < AGAIN:
                    self._edit(name, at_s + random.uniform(0.01, 3.0))
        for _ in range(random.choices((0, 1, 3, 6), (20, 30, 30, 20))[0]):
            self._meddle(random.choice(names), random.uniform(60.0, SPAN_S))
        for _ in range(random.choices((0, 2, 4, 8), (15, 30, 35, 20))[0]):
            self._fault(random.uniform(0.0, SPAN_S))
        self._moods()
        if random.random() < STRANGERS:
            self._at(0.0, "strangers take names", self.strangers, random.choice(names))
        return sorted(self.deeds, key=lambda deed: deed.at_s)

    def _at(self, at_s: float, name: str, do: Callable[..., object], *args: object) -> None:
        self.deeds.append(Deed(at_s, name, lambda: do(*args)))

    # ------------------------------------------------------------ specs

    def _sign_up(self, name: str, blueprint: str) -> None:
        self.wishes[name] = Wish(blueprint)
        self.database.put_tenant(name=name, blueprint=blueprint, tier="small")

    def _edit(self, name: str, at_s: float) -> None:
        kinds = ("tier", "mode", "suspend", "resume", "delete", "undo", "purge", "orphan", "invalid", "valid", "ask",
                 "hold", "rollout")  # fmt: skip
        kind = self.random.choices(kinds, (20, 16, 10, 10, 5, 5, 6, 2, 5, 4, 9, 3, 5))[0]
        self._at(at_s, f"{kind} {name}", getattr(self, f"_do_{kind}"), name)

    def _wish(self, name: str) -> Wish | None:
        """Answer what is wished of a tenant that can still be changed."""
        wish = self.wishes.get(name)
        return None if wish is None or wish.purge else wish

    def _do_tier(self, name: str) -> None:
        wish = self._wish(name)
        if wish is not None:
            wish.tier = "small" if wish.tier == "big" else "big"
            self.database.put_tenant(name=name, tier=wish.tier)

    def _do_mode(self, name: str) -> None:
        wish = self._wish(name)
        if wish is not None and wish.valid:
            wish.mode = f"m{self.random.randrange(100)}"
            env: Json = {component: {"MODE": wish.mode} for component in CARRY_MODE[wish.blueprint]}
            self.database.put_tenant(name=name, details={"env": env})

    def _state(self, name: str, state: str) -> None:
        wish = self._wish(name)
        if wish is not None:
            wish.state = state
            self.database.put_tenant(name=name, state=state)

    def _do_suspend(self, name: str) -> None:
        self._state(name, "suspended")

    def _do_resume(self, name: str) -> None:
        self._state(name, "running")

    _do_undo = _do_resume

    def _do_delete(self, name: str) -> None:
        self._state(name, "deleted")

    def _do_purge(self, name: str) -> None:
        wish = self._wish(name)
        if wish is not None:
            wish.state, wish.purge = "deleted", True
            self.database.purge_now(name)

    def _do_orphan(self, name: str) -> None:
        wish = self._wish(name)
        if wish is not None:
            wish.state, wish.purge, wish.orphan = "deleted", True, True
            owned = {id for id, held in self.database.inventory.items() if held.tenant == name}
            self.oracles.left_standing[name] = owned & self.oracles.live().keys()
            self.database.purge_now(name, "orphan")

    def _do_invalid(self, name: str) -> None:
        wish = self._wish(name)
        if wish is not None:
            wish.valid = False
            self.database.put_tenant(name=name, details={"overrides": {"nobody": {"plan": "starter"}}})

    def _do_valid(self, name: str) -> None:
        wish = self._wish(name)
        if wish is not None and not wish.valid:
            wish.valid, wish.mode = True, ""
            self.database.put_tenant(name=name, details={})

    def _do_ask(self, name: str) -> None:
        if name in self.wishes:
            self.database.ask(name, f"t{self.random.randrange(10**6)}")

    def _do_hold(self, name: str) -> None:
        if name in self.wishes:
            self.oracles.hold_comes(name)
            self.database.hold(name, self.database.world() + timedelta(seconds=self.random.uniform(60, 900)))

    def _do_rollout(self, name: str) -> None:
        """Edit the tenant's Blueprint; tenants without a MODE of their own follow, unless the rollout is stopped."""
        wish = self._wish(name)
        if wish is None:
            return
        newest = len(self.database.blueprints[wish.blueprint].revisions)
        self.database.put_blueprint((BLUEPRINTS if newest % 2 == 0 else EDITED)[wish.blueprint])

    # ------------------------------------------------------------ people at Render

    def _meddle(self, name: str, at_s: float) -> None:
        action = self.random.choice(MEDDLING)
        self._at(at_s, f"a person: {action} of {name}", self._do_meddle, action, name)

    def _do_meddle(self, action: str, name: str) -> None:
        wish = self.wishes.get(name)
        if wish is None or wish.orphan:
            return
        services = [c for c, shape in SHAPES[wish.blueprint].items() if shape.table == "services"]
        if action == "delete":  # of what bears data a lost one is a person's business: tests/engine/test_drift_reported
            services = [one for one in services if one != "search"]
        component = self.random.choice(services)
        live = f"{component}-{name}"
        if action == "billing":
            self.cloud.person("billing-suspend", live)
            later_s = self.random.uniform(60.0, 900.0)
            self.cloud.loop.call_later(later_s, self.cloud.person, "billing-resume", live)
            return
        more: dict[str, object] = {}
        if action in ("env-set", "env-delete"):
            more = {"key": self.random.choice(("MODE", "FOREIGN")), "value": "meddled"}
        elif action == "plan":
            more = {"plan": "pro"}
        elif action == "scale":
            more = {"instances": 3}
        self.cloud.person(action, live, **more)

    def strangers(self, name: str) -> None:
        """Somebody else's objects: some with names like ours, some with the very names we want, until the heal."""
        for title in ("billing-api", f"app-{name}x", *(["app-" + name] if self.random.random() < HALF else [])):
            body = {"type": "web_service", "name": title, "ownerId": OWNER,
                    "image": {"imagePath": "nginx", "ownerId": ""}, "serviceDetails": {"runtime": "image"}}  # fmt: skip
            self._foreign("/services", self.cloud.call("POST", "/services", body)["service"]["id"], title)
        body = {"name": f"cache-{name}", "ownerId": OWNER, "plan": "starter"}
        self._foreign("/key-value", self.cloud.call("POST", "/key-value", body)["id"], f"cache-{name}")
        body = {"name": f"db-{name}", "ownerId": OWNER, "plan": "basic_256mb", "version": "17"}
        self._foreign("/postgres", self.cloud.call("POST", "/postgres", body)["id"], f"db-{name}")
        body = {"name": f"shared-{name}", "ownerId": OWNER, "envVars": []}
        self._foreign("/env-groups", self.cloud.call("POST", "/env-groups", body)["id"], f"shared-{name}")

    def _foreign(self, path: str, id: str, title: str) -> None:
        self.oracles.foreign.add(id)
        if title.rsplit("-", maxsplit=1)[-1] in NAMES:
            self.in_the_way.append(f"{path}/{id}")

    # ------------------------------------------------------------ faults

    def _fault(self, at_s: float) -> None:
        rule = dict(self.random.choice(RULES))
        many = rule["fault"] in ("list_lag", "stale_read", "extra_fields")
        rule |= {"probability": self.random.choice((0.2, 0.5, 1.0)), "seed": self.random.randrange(1000)}
        rule |= {} if many else {"count": self.random.choice((1, 1, 2, 5))}
        self._at(at_s, f"fault {rule}", self._do_fault, rule, self.random.uniform(30.0, 900.0))

    def _do_fault(self, rule: dict[str, Any], for_s: float) -> None:
        made = self.cloud.world.faults.add(rule)
        self.cloud.loop.call_later(for_s, self.cloud.world.faults.drop, made.id)

    def _moods(self) -> None:
        random, moods = self.random, self.cloud.moods
        if random.random() < BAD_NETWORK:
            moods.slow_share = random.choice((0.0, 0.05))
            moods.late_share = random.choice((0.0, 0.01, 0.03))
            moods.lost_share = random.choice((0.0, 0.01, 0.03))
            moods.broken_share = random.choice((0.0, 0.01, 0.05))

    def heal(self) -> None:
        """End every fault and lift every suspension that is Render's."""
        self.cloud.world.faults.drop()
        for path in self.in_the_way:
            if self.cloud.world.resource(path.rsplit("/", 1)[-1]) is not None:
                self.cloud.call("DELETE", path)
        self.cloud.moods = Moods()
        for service in list(self.cloud.world.services.rows.values()):
            if "billing" in service.suspenders:
                self.cloud.person("billing-resume", service.id)
            if service.broken:
                self.cloud.person("recover", service.id)


def chaos_of(random: Random) -> Chaos:
    """Draw how often replicas die, stop, and lose their database."""
    return Chaos(
        random,
        kill=random.choice((0.0, 0.001, 0.004)),
        stop=random.choice((0.0, 0.0, 0.001)),
        fail=random.choice((0.0, 0.002, 0.01)),
        wait=random.choice((0.0, 0.05, 0.3)),
    )
