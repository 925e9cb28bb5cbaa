"""What must hold: after each write at Render (safety), and once faults have stopped and time has passed (liveness).

P1 no lost tenant      P2 no double create     P3 no orphan          P4 no foreign touch     P5 budget
P6 converges, quiet    P7 monotonic status     P8 deletion           P9 guard                (docs/promises.md)
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.core.kinds import CREATE_BUDGETED, Kind
from reconciler.core.status import Phase
from reconciler.ports import OperationState
from reconciler.simulator import models
from tests.campaign.cloud import KEY, Cloud
from tests.campaign.memory import Database
from tests.campaign.stacks import CARRY_MODE, SHAPES

TABLES = ("services", "postgres", "key_values", "groups", "projects")
PROOFS = 2
"""A row whose loss is proved stays until it is replaced or nobody wants it any more."""
ON_ITS_WAY = timedelta(seconds=120)
FIGHTS_MAX = 1
"""Nobody can know of a suspension before it has been seen; asking again once it has is a fight."""
CALLS_MAX = 5_000
"""Of one run: far more than any needs."""
PRECIOUS = ("dpg-", "red-")
HEARD_WITHIN = timedelta(seconds=1_500)
"""Longer than any process is dead or stopped, far shorter than the resync interval."""
MINUTE = timedelta(seconds=60)
PASSES_A_MINUTE = 25
"""Of one tenant; people's words, its own answers and looks at its deploys make less than half of it."""


@dataclass
class Wish:
    """What a person last asked of a tenant, as the scenario remembers it."""

    blueprint: str
    tier: str = "small"
    state: str = "running"
    mode: str = ""
    """The tenant's own MODE; without one it is that of the revision the tenant has: odd ones live, even ones edited."""
    plan: str = ""
    """The plan of the first component with a MODE, if an override says so."""
    pin: int = 0
    """The revision that the tenant is kept on, 0 if it is not."""
    valid: bool = True
    purge: bool = False
    orphan: bool = False


@dataclass
class Oracles:
    """The judge of one run; `broken` holds every promise that was not kept, by its number."""

    cloud: Cloud
    database: Database
    wishes: dict[str, Wish]
    foreign: set[str] = field(default_factory=set)
    outsiders: bool = False
    """Somebody else uses the same key, or limits were cut: then a 429 is nobody's fault."""
    broken: list[str] = field(default_factory=list)
    writes: int = 0
    generations: dict[str, int] = field(default_factory=dict)
    unheard: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """The generation of what was said of a tenant while its pass was at work, and when that pass ended."""
    passes: dict[str, deque[datetime]] = field(default_factory=dict)
    """When the passes of a tenant ended, in its last minute."""
    fights: dict[str, int] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    held_since: dict[str, datetime] = field(default_factory=dict)
    left_standing: dict[str, set[str]] = field(default_factory=dict)
    """What a tenant owned when its stack was to be forgotten and left as it is."""

    def break_(self, promise: str, text: str) -> None:
        self.broken.append(f"{promise} at {self.cloud.loop.time():.1f} s: {text}")

    # ------------------------------------------------------------ safety

    def wrote(self, write: models.Write) -> None:
        """Judge one accepted write."""
        if write.cause != KEY:
            return
        self.writes += 1
        touched = self.foreign & set(write.affected)
        if touched:
            self.break_("P4", f"{write.method} {write.path} touched {sorted(touched)}")
        if write.method == "POST" and write.path.count("/") == 2:
            self._doubled(write)
        if write.method == "DELETE" and write.path.split("/")[-1].startswith(PRECIOUS):
            self._data_lost(write)
        if write.path.endswith("/resume"):
            self._fought(write)
        if write.path.endswith("/export"):
            self.exported.add(write.path.split("/")[-2])
        self._held(write)
        if self.cloud.world.throttled and not self.outsiders:
            self.break_("P5", "Render answered 429")
            self.outsiders = True

    def _doubled(self, write: models.Write) -> None:
        names = Counter(
            (table, row.name)
            for table in TABLES
            for row in getattr(self.cloud.world, table).rows.values()
            if row.id not in self.foreign
        )
        for (table, name), count in names.items():
            if count > 1:
                self.break_("P2", f"{count} {table} named {name} after {write.path}")

    def _fought(self, write: models.Write) -> None:
        """A suspension that is not the user's is Render's own: resuming is no use, and no business of ours."""
        service = self.cloud.world.services.get(write.path.split("/")[-2])
        others = [one for one in service.suspenders if one != "user"] if service is not None else []
        self.fights[write.path] = self.fights.get(write.path, 0) + 1 if others else 0
        if self.fights[write.path] > FIGHTS_MAX:
            self.break_("P4", f"{write.path} fights a suspension by {others[0]}")

    def _held(self, write: models.Write) -> None:
        """Hands off a tenant on hold, but for what was on its way when the hold came."""
        id = write.path.split("/")[3] if write.path.count("/") > 2 else ""
        held = self.database.inventory.get(id)
        hold = self.database.holds.get(held.tenant) if held is not None else None
        if held is None or hold is None:
            return
        since = self.held_since.get(held.tenant)
        now = self.database.world()
        if since is None or now <= since + ON_ITS_WAY or now >= hold.until or self._under_way(id, since):
            return
        self.break_("P4", f"{write.method} {write.path} although {held.tenant} is on hold")

    def hold_comes(self, tenant: str) -> None:
        """Note since when a tenant is on hold; one that comes before another has ended only makes that longer."""
        before, now = self.database.holds.get(tenant), self.database.world()
        if before is None or before.until <= now:
            self.held_since[tenant] = now

    def _under_way(self, id: str, since: datetime) -> bool:
        """Say whether an effect on an object was open when the hold came: its process may have been stopped since."""
        return any(
            row.value.live_id == id
            and row.value.sent_at is not None
            and row.value.sent_at <= since
            and (row.settled_at is None or row.settled_at > since)
            for row in self.database.journal.values()
        )

    def _data_lost(self, write: models.Write) -> None:
        id = write.path.split("/")[-1]
        held = self.database.inventory.get(id)
        if held is None:
            self.break_("P4", f"{id} was deleted without an inventory row")
            return
        row = self.database.tenants[held.tenant]
        if row.purge_at is None or row.purge_at > self.database.world():
            self.break_("P9", f"{id} of {held.tenant} was deleted, which is not to be purged")
        keeps = self.database.blueprints[str(row.columns["blueprint"])].revisions[-1].on_delete.export
        if keeps and id.startswith("dpg-") and id not in self.exported:
            self.break_("P9", f"{id} of {held.tenant} was deleted without the export that was asked for")

    def finished(self, tenant: str, observed_generation: int) -> None:
        """Judge a status about to be written."""
        before = self.generations.get(tenant, 0)
        if observed_generation < before:
            self.break_("P7", f"{tenant}: observed generation {before} -> {observed_generation}")
        if observed_generation > self.database.tenants[tenant].generation:
            self.break_("P7", f"{tenant}: observed a generation that is not there yet")
        self.generations[tenant] = max(before, observed_generation)
        self._heard(tenant, observed_generation)
        self._calm(tenant)

    def _heard(self, tenant: str, observed_generation: int) -> None:
        """What is said while a pass is at work wakes the tenant again: nobody's word waits for the next resync."""
        now, generation = self.database.world(), self.database.tenants[tenant].generation
        if tenant in self.unheard and observed_generation >= self.unheard[tenant][0]:
            said, since = self.unheard.pop(tenant)
            if now - since > HEARD_WITHIN:
                self.break_("P1", f"{tenant}: generation {said} waited {(now - since).total_seconds():.0f} s")
        if observed_generation < generation:
            self.unheard.setdefault(tenant, (generation, now))

    def _calm(self, tenant: str) -> None:
        """Whatever fails is tried again after a pause."""
        now = self.database.world()
        ended = self.passes.setdefault(tenant, deque())
        ended.append(now)
        while ended[0] < now - MINUTE:
            ended.popleft()
        if len(ended) > PASSES_A_MINUTE:
            self.break_("P6", f"{tenant}: {len(ended)} passes within a minute")
            ended.clear()

    # ------------------------------------------------------------ liveness

    def unsettled(self) -> list[str]:
        """Say which tenants are not yet where their wish wants them."""
        return [line for tenant, wish in self.wishes.items() for line in self._unsettled(tenant, wish)]

    def _unsettled(self, tenant: str, wish: Wish) -> Iterator[str]:
        row, status = self.database.tenants[tenant], self.database.status.get(tenant)
        if wish.purge:
            if row.purged_at is None:
                yield f"{tenant}: not purged, {status.phase if status else '-'} {status.why if status else ''}"
            return
        if status is None or status.observed_generation != row.generation:
            yield f"{tenant}: generation {row.generation} not acted on"
            return
        if wish.valid and status.revision != (wish.pin or row.revision):
            yield f"{tenant}: r{wish.pin or row.revision} not acted on"
            return
        wanted = Phase.SUSPENDED if wish.state != "running" else Phase.READY if wish.valid else Phase.INVALID
        if wish.state == "deleted" and status.phase is Phase.DELETING:
            return
        if status.phase is not wanted or (wish.valid and status.conditions[1].status != "True"):
            yield f"{tenant}: {status.phase} {status.conditions[1].reason}, not {wanted}: {status.why}"

    def acted(self) -> None:
        """Judge that nobody's last word is still unheard."""
        for tenant, row in self.database.tenants.items():
            status = self.database.status.get(tenant)
            if row.purged_at is None and (status is None or status.observed_generation != row.generation):
                self.break_("P1", f"{tenant}: generation {row.generation} was not looked at for long after the faults")

    def swept(self) -> None:
        """Judge that what lists show was put back by itself, before anybody asks for a deep check."""
        for tenant, wish in self.wishes.items():
            if wish.valid and not wish.purge and wish.state == "running":
                self._stands(tenant, wish, deep=False)

    def settled(self) -> None:
        """Judge the end: everything is where it should be, nothing is left over, nothing is forgotten."""
        for line in self.unsettled():
            self.break_("P6", line)
        for id, row in self.database.journal.items():
            if row.value.state in (OperationState.SENT, OperationState.UNKNOWN):
                self.break_("P6", f"operation {id} ({row.value.verb} {row.value.name}) is still {row.value.state}")
        if self.cloud.calls > CALLS_MAX:
            self.break_("P5", f"{self.cloud.calls} calls in one run")
        self._orphans()
        for tenant, wish in self.wishes.items():
            if wish.purge:
                self._purged(tenant, wish)
            elif wish.valid and wish.state == "running":
                self._stands(tenant, wish)
            elif wish.state != "running":
                self._sleeps(tenant)

    def live(self) -> dict[str, object]:
        tables = (*TABLES, "environments")
        return {
            id: row
            for table in tables
            for id, row in getattr(self.cloud.world, table).rows.items()
            if id not in self.foreign and getattr(row, "primary_id", None) is None
        }

    def _orphans(self) -> None:
        live, known = self.live(), self.database.inventory
        left = {name for name, wish in self.wishes.items() if wish.orphan}
        for id, row in live.items():
            name = str(getattr(row, "name", ""))
            if id not in known and not any(name.endswith(f"-{tenant}") or name == tenant for tenant in left):
                if any(tenant in name for tenant in left) or self._environment_left(row, left):
                    continue
                self.break_("P3", f"{id} ({name}) stands at Render and is in no inventory")
        for id, held in known.items():
            if id not in live and held.owned.absent_looks < PROOFS:
                self.break_("P3", f"{id} of {held.tenant} is in the inventory and not at Render")
            elif id in live and _billed(held.owned.kind) and id not in self.database.ledger:
                self.break_("P8", f"{id} of {held.tenant} is billed and not in the ledger")

    def _environment_left(self, row: object, left: set[str]) -> bool:
        project = self.cloud.world.projects.rows.get(str(getattr(row, "project_id", "")))
        return project is not None and any(tenant in project.name for tenant in left)

    def _purged(self, tenant: str, wish: Wish) -> None:
        if wish.orphan:
            for id in self.left_standing.get(tenant, set()) - self.live().keys():
                self.break_("P8", f"{tenant} was to be left as it is, and {id} is gone")
            return
        for id, row in self.live().items():
            if str(getattr(row, "name", "")).endswith(f"-{tenant}"):
                self.break_("P8", f"{tenant} is purged, {id} ({getattr(row, 'name', '')}) still stands")

    def _sleeps(self, tenant: str) -> None:
        """Whoever is switched off runs nothing that costs."""
        for id, held in self.database.inventory.items():
            row = self.live().get(id)
            if held.tenant == tenant and row is not None and not getattr(row, "suspenders", ["no such thing"]):
                self.break_("P6", f"{tenant} is suspended, and {id} ({held.owned.name}) runs")

    def _stands(self, tenant: str, wish: Wish, *, deep: bool = True) -> None:
        for component, shape in SHAPES[wish.blueprint].items():
            rows = [
                row
                for row in getattr(self.cloud.world, shape.table).named(f"{component}-{tenant}")
                if row.id not in self.foreign
            ]
            if len(rows) != 1:
                self.break_("P6", f"{tenant}: {len(rows)} objects named {component}-{tenant}")
                continue
            facts = _facts(rows[0])
            wanted = dict(shape.big if wish.tier == "big" else shape.small)
            if wish.plan and component == CARRY_MODE[wish.blueprint][0]:
                wanted["plan"] = wish.plan
            for name, value in wanted.items():
                if facts.get(name) != value:
                    self.break_("P6", f"{tenant}/{component}: {name} is {facts.get(name)}, not {value}")
            if getattr(rows[0], "suspenders", None):
                self.break_("P6", f"{tenant}/{component}: suspended by {rows[0].suspenders}")
            if deep and component in CARRY_MODE[wish.blueprint]:
                revision = wish.pin or self.database.tenants[tenant].revision
                inherited = "live" if revision % 2 else "edited"
                self._carries(f"{tenant}/{component}", rows[0], wish.mode or inherited, inherited)

    def _carries(self, place: str, row: models.Service, mode: str, revision_mode: str) -> None:
        """Judge the variable MODE: as it is set, and as what runs has it."""
        held = {key: value for _, key, value in row.variables}
        running = (row.running or {}).get("env", {})
        for where, value in (("set", held.get("MODE")), ("running", running.get("MODE"))):
            if value != mode:
                self.break_("P6", f"{place}: MODE {where} is {value}, not {mode}")
        level = running.get("LOG_LEVEL", inherited := {"live": "info", "edited": "debug"}[revision_mode])
        if level != inherited:
            self.break_("P6", f"{place}: the group's LOG_LEVEL runs as {level}, not {inherited}")


def _billed(kind: Kind) -> bool:
    return kind in CREATE_BUDGETED and kind is not Kind.STATIC


def _facts(row: object) -> dict[str, object]:
    details = dict(getattr(row, "details", {}) or {})
    facts = {"plan": details.get("plan") or getattr(row, "plan", None), "schedule": details.get("schedule")}
    return facts | {"instances": details.get("numInstances")}
