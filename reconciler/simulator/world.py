"""Holds everything that exists and moves it through time: tables, clock, chance, settings, due dates.

Nothing happens by a real timer: whatever is due is done, in order of its due date and stamped with it, before
the next request looks. So a frozen clock, a stepped one and a thousand hours at once behave alike.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from reconciler.simulator import models, times
from reconciler.simulator.clock import Clock
from reconciler.simulator.config import SimulatorConfig
from reconciler.simulator.faults import Faults
from reconciler.simulator.ids import CURSOR_TAIL, Ids
from reconciler.simulator.limits import Limits
from reconciler.simulator.settings import Settings
from reconciler.simulator.store import Store
from reconciler.simulator.tables import PREFIX, Table
from reconciler.simulator.wire import ApiError, Json, not_found

Advance = Callable[["World", Any], None]
CLOCK_MARGIN_REAL_S = 0.25
FLUSH_EVERY = 2_000
KEPT_GHOSTS = 5_000
# What comes and goes too often, or ends a list when it goes, leaves no ghost.
WITHOUT_GHOST = frozenset({"deploy", "event", "run", "delivery", "meter", "use", "write", "ghost"})

OWNED_KINDS = {
    "srv": "services", "crn": "services", "dpg": "postgres", "red": "key_values", "evg": "groups",
}  # fmt: skip


class World:
    """One workspace and its time."""

    def __init__(self, config: SimulatorConfig) -> None:
        """Make an empty world, or continue the one in the state file."""
        self.config = config
        self.store = Store(config.state) if config.state is not None else None
        start = self.store.meta("world") if self.store is not None else {}
        self.clock = Clock(start.get("now_ns") or config.start_ns, config.speed, frozen=config.frozen)
        self.ids = Ids(config.seed, int(start.get("counter", 0)), start.get("origin", ""))
        self.settings = Settings()
        self.settings.change(dict(config.settings))
        self.limits = Limits()
        self.faults = Faults()
        self.advance: dict[str, Advance] = {}
        self._changed: dict[tuple[str, str], object] = {}
        self._removed: dict[tuple[str, str], None] = {}
        self._due: list[tuple[int, int, str, str]] = []
        self._sequence = 0
        self._saved_ns = 0
        self._make_tables()
        self.write_seq = int(start.get("write_seq", 0))
        self.requests: dict[str, int] = {}
        self.throttled = 0
        self.owner_id: str = config.owner_id or start.get("owner_id") or self.ids.new("tea", self.clock.now_ns())
        self.born_ns = int(start.get("born_ns") or self.clock.now_ns())
        self.loaded = start

    def _table(self, kind: str, *, listed: bool = True) -> Table[Any]:
        return Table(kind, self._note_change, self._note_removal, listed=listed)

    def _make_tables(self) -> None:
        self.services: Table[models.Service] = self._table("service")
        self.deploys: Table[models.Deploy] = self._table("deploy", listed=False)
        self.disks: Table[models.Disk] = self._table("disk")
        self.domains: Table[models.Domain] = self._table("domain", listed=False)
        self.events: Table[models.Event] = self._table("event", listed=False)
        self.runs: Table[models.Run] = self._table("run", listed=False)
        self.postgres: Table[models.Postgres] = self._table("postgres")
        self.key_values: Table[models.KeyValue] = self._table("key_value")
        self.groups: Table[models.Group] = self._table("group")
        self.projects: Table[models.Project] = self._table("project")
        self.environments: Table[models.Environment] = self._table("environment")
        self.smalls: Table[models.Small] = self._table("small")
        self.deliveries: Table[models.Delivery] = self._table("delivery", listed=False)
        self.meters: Table[models.Meter] = self._table("meter", listed=False)
        self.ghosts: Table[models.Ghost] = self._table("ghost", listed=False)
        self.writes: deque[models.Write] = deque()
        self.slugs: dict[str, str] = {}
        self.domain_names: dict[str, str] = {}
        self.events_of: dict[str, list[str]] = {}
        self.runs_of: dict[str, list[str]] = {}
        self.webhook_ids: list[str] = []

    def tables(self) -> dict[str, tuple[Table[Any], type]]:
        """Name all tables and what is in them."""
        return {
            "service": (self.services, models.Service), "deploy": (self.deploys, models.Deploy),
            "disk": (self.disks, models.Disk), "domain": (self.domains, models.Domain),
            "event": (self.events, models.Event), "run": (self.runs, models.Run),
            "postgres": (self.postgres, models.Postgres), "key_value": (self.key_values, models.KeyValue),
            "group": (self.groups, models.Group), "project": (self.projects, models.Project),
            "environment": (self.environments, models.Environment), "small": (self.smalls, models.Small),
            "delivery": (self.deliveries, models.Delivery), "meter": (self.meters, models.Meter),
            "ghost": (self.ghosts, models.Ghost),
        }  # fmt: skip

    # Time

    def now_ns(self) -> int:
        """Tell the present instant."""
        return self.clock.now_ns()

    def stamp_ns(self) -> int:
        """Tell the present instant, later than any stamp before."""
        return self.clock.stamp_ns()

    def in_s(self, seconds: float, *, after_ns: int | None = None) -> int:
        """Tell the instant some seconds after now (or another instant)."""
        return (self.clock.now_ns() if after_ns is None else after_ns) + times.seconds_ns(seconds)

    def schedule(self, kind: str, thing: Any) -> None:  # noqa: ANN401 - any thing with an id and a due date
        """Have a thing advanced when it is due; a later change of its due date replaces this one."""
        if thing.due_ns:
            self._sequence += 1
            heapq.heappush(self._due, (thing.due_ns, self._sequence, kind, thing.id))

    def settle(self) -> None:
        """Do everything that is due by now, oldest first."""
        now_ns = self.clock.now_ns()
        due = self._due
        if not due or due[0][0] > now_ns:
            return
        tables, done = self.tables(), 0
        while due and due[0][0] <= now_ns:
            done += 1
            if done % FLUSH_EVERY == 0:
                self.flush()  # a long step must not pile up all it changes
            at_ns, _, kind, key = heapq.heappop(due)
            thing = tables[kind][0].get(key)
            if thing is not None and thing.due_ns == at_ns:
                self.advance[kind](self, thing)

    def next_due_ns(self) -> int | None:
        """Tell when something is due next."""
        return self._due[0][0] if self._due else None

    # Persistence

    def add_write(self, write: models.Write) -> None:
        """Remember an accepted change, and forget the oldest one when there are too many."""
        self.writes.append(write)
        self._note_change("write", write)
        if len(self.writes) > self.settings.keep_writes:
            self._note_removal("write", self.writes.popleft())

    def note_use(self, meter: models.Meter, slot: str) -> None:
        """Have the run time of one slot of a meter kept."""
        key = f"{meter.id}:{slot}"
        self._note_change("use", models.Use(id=key, meter_id=meter.id, slot=slot, seconds=meter.used_s[slot]))

    def _note_change(self, kind: str, thing: Any) -> None:  # noqa: ANN401 - any thing with an id
        key = (kind, thing.id)
        self._changed[key] = thing
        if self._removed:
            self._removed.pop(key, None)

    def _note_removal(self, kind: str, thing: Any) -> None:  # noqa: ANN401 - any thing with an id
        key = (kind, thing.id)
        self._changed.pop(key, None)
        self._removed[key] = None
        if kind not in WITHOUT_GHOST:
            self.bury(thing.id)

    def bury(self, key: str) -> None:
        """Remember the place of something that is gone, and forget the oldest when there are too many."""
        self.ghosts.add(models.Ghost(key[-CURSOR_TAIL:], key, self.now_ns()))
        if len(self.ghosts) > KEPT_GHOSTS:
            self.ghosts.remove(min(self.ghosts.rows.values(), key=lambda ghost: ghost.at_ns))

    def place_of_gone(self, tail: str) -> str | None:
        """Tell where in the order something stood that is gone."""
        ghost = self.ghosts.get(tail)
        return None if ghost is None else ghost.key[PREFIX:]

    def changed_ids(self) -> list[str]:
        """Name what changed or went since the last flush, bookkeeping left out."""
        silent = ("event", "delivery", "meter", "use", "write", "ghost")
        keys = [key for kind, key in self._changed if kind not in silent]
        return keys + [key for kind, key in self._removed if kind not in silent]

    def flush(self) -> None:
        """Write what changed since the last time to the state file."""
        if self.faults.moved:
            self.save_clock()  # a die that was rolled stays so, whatever happens next
        if not self._changed and not self._removed:
            if self.clock.now_ns() > self._saved_ns:
                self.save_clock()  # nobody is told a time that a restart would take back
            return
        if self.store is not None:
            changed = [(kind, key, thing) for (kind, key), thing in self._changed.items()]
            note = self._note()
            self.store.save(changed, list(self._removed), {"world": note})
            self._saved_ns = note["now_ns"]
        self._changed.clear()
        self._removed.clear()

    def _note(self, margin_real_s: float = CLOCK_MARGIN_REAL_S) -> Json:
        ahead = 0.0 if self.clock.frozen else margin_real_s * self.clock.speed
        return {
            "now_ns": self.clock.now_ns() + times.seconds_ns(ahead), "counter": self.ids.counter,
            "owner_id": self.owner_id, "write_seq": self.write_seq, "origin": self.ids.origin.hex(),
            "born_ns": self.born_ns,
        }  # fmt: skip

    def save_clock(self, *, final: bool = False) -> None:
        """Write the time, a little ahead unless this is the end, so that it never runs backwards after a kill."""
        if self.store is None:
            return
        note = self._note(0.0 if final else CLOCK_MARGIN_REAL_S)
        notes = {
            "world": note, "settings": self.settings.as_json(),
            "limits": self.limits.save(), "faults": self.faults.save(),
            "counts": {"requests": self.requests, "throttled": self.throttled},
        }  # fmt: skip
        self.store.save([], [], notes)
        self._saved_ns = note["now_ns"]

    def load(self) -> None:
        """Take everything from the state file."""
        if self.store is None:
            return
        known = Settings().as_json()
        saved = {name: value for name, value in self.store.meta("settings").items() if name in known}
        self.settings.change({**saved, **self.config.settings})
        self.limits.load(self.store.meta("limits"))
        self.faults.load(self.store.meta("faults"))
        counts = self.store.meta("counts")
        self.requests = dict(counts.get("requests", {}))
        self.throttled = int(counts.get("throttled", 0))
        for kind, (table, model) in self.tables().items():
            known_fields = {item.name for item in fields(model)}
            for body in self.store.load(kind):
                # A state file of an earlier version may hold fields that are no more.
                thing = table.add(model(**{k: v for k, v in body.items() if k in known_fields}), loaded=True)
                if getattr(thing, "due_ns", 0):
                    self.schedule(kind, thing)
        for use in (models.Use(**body) for body in self.store.load("use")):
            self.meters.rows[use.meter_id].used_s[use.slot] = use.seconds
        self.writes.extend(models.Write(**body) for body in self.store.load("write"))
        self._index()

    def _index(self) -> None:
        self.slugs = {item.slug: item.id for item in self.services.rows.values()}
        self.domain_names = {item.name: item.id for item in self.domains.rows.values()}
        for event in self.events.oldest_first():
            self.events_of.setdefault(event.service_id, []).append(event.id)
        for run in self.runs.oldest_first():
            self.runs_of.setdefault(run.service_id, []).append(run.id)
        self.webhook_ids = [item.id for item in self.smalls.oldest_first() if item.kind == "webhook"]

    def clear(self) -> None:
        """Forget everything that exists and happened."""
        for kind, (table, _) in self.tables().items():
            for thing in list(table.rows.values()):
                self._note_removal(kind, thing)
        for write in self.writes:
            self._note_removal("write", write)
        for meter in self.meters.rows.values():
            for slot, seconds in meter.used_s.items():
                self._note_removal("use", models.Use(f"{meter.id}:{slot}", meter.id, slot, seconds))
        self.flush()
        self._due.clear()
        self._make_tables()
        self.limits = Limits()
        self.settings = Settings()
        self.settings.change(dict(self.config.settings))
        self.faults.drop()
        self.born_ns = self.now_ns()
        self.requests, self.throttled = {}, 0

    # Showing

    def listed(self, items: list[Any]) -> list[Any] | None:
        """Show a list the way recordings have it: an empty one as null."""
        return items or (None if self.settings.nulls_as_recorded else [])

    # Finding

    def missing(self, what: str) -> ApiError:
        """Say that something does not exist (or, by setting, that it is gone: of what did exist)."""
        error = not_found(what)
        ghost = self.ghosts.get(what[-CURSOR_TAIL:])
        if ghost is not None and ghost.key == what:
            error.status = self.settings.deleted_status
        return error

    def service(self, key: str) -> models.Service:
        """Find a service or refuse."""
        found = self.services.get(key)
        if found is None:
            raise self.missing(key)
        return found

    def resource(self, key: str) -> models.Service | models.Postgres | models.KeyValue | models.Group | None:
        """Find what can be in an environment by its id."""
        table = OWNED_KINDS.get(key[:3])
        return getattr(self, table).get(key) if table else None

    def accept_owner(self, owner_id: str) -> str:
        """Check the workspace of a request."""
        if self.config.owner_id is not None and owner_id != self.config.owner_id:
            raise not_found(owner_id)
        return owner_id

    def owner(self, owner_id: str) -> Json:
        """Show a workspace the way datastores and projects carry it."""
        return {"email": "owner@example.com", "id": owner_id, "name": "Simulated workspace", "type": "team"}
