"""The lab over the in-memory database: its clocks are the test's."""

import secrets
from datetime import datetime

from reconciler.core import passes
from reconciler.core.values import Json, Sensitive
from reconciler.manifest.reader import Reader
from reconciler.ports import Demand, Interval, Operation
from tests.campaign.memory import Database, MemoryStore
from tests.postgres.conftest import DOCUMENT, NOW
from tests.store.lab import Line, Pass, Queued, Told


class MemoryLab:
    """A database of its own for every test."""

    def __init__(self) -> None:
        self._real_s = 1000.0
        self.reader = Reader()
        self.database = Database(self.reader, lambda: self._real_s, lambda: NOW)

    async def open(self) -> MemoryStore:
        return MemoryStore(self.database)

    async def close(self) -> None:
        """There is nothing to close."""

    # ------------------------------------------------------------ time and doors

    async def wait(self, real_s: float) -> None:
        self._real_s += real_s

    async def put_blueprint(self, **edits: Json) -> int:
        return self.database.put_blueprint(self.reader.blueprint("crm", DOCUMENT | edits))

    async def sign_up(self, *names: str, **columns: Json) -> None:
        for name in names:
            await self.wait(1.0)
            given: dict[str, Json] = {"blueprint": "crm", "tier": "starter", "params": {"locale": "de"}}
            self.database.put_tenant(**(given | columns | {"name": name}))

    async def change(self, name: str, **columns: Json) -> None:
        self.database.put_tenant(name=name, **columns)

    async def delete(self, name: str, mode: str = "wait") -> None:
        if mode == "wait":
            self.database.put_tenant(name=name, state="deleted")
        else:
            self.database.purge_now(name, mode)

    async def hold(self, name: str, until: datetime) -> None:
        self.database.hold(name, until)

    async def ask(self, name: str) -> str:
        token = secrets.token_hex(8)
        self.database.ask(name, token)
        return token

    async def share(self, name: str, value: Sensitive) -> None:
        self.database.secrets["blueprint", "crm", name] = value

    # ------------------------------------------------------------ looks

    async def queued(self, name: str) -> Queued | None:
        row = self.database.queue.get(name)
        if row is None:
            return None
        return Queued(
            wake_class=row.wake_class, due_at=row.due_at, dirty=row.wake_seq > row.handled_seq,
            leased=row.leased(self._real_s), failures=row.failures,
        )  # fmt: skip

    async def demand(self, name: str) -> Demand | None:
        return self.database.demand.get(name)

    async def operations(self, name: str) -> list[Operation]:
        return [row.value for row in self.database.journal.values() if row.tenant == name]

    async def events(self, name: str) -> list[Told]:
        return [
            Told(
                reason=reason, component=component, message=told.event.message, warning=told.event.warning,
                count=told.count, first_at=told.first_at, last_at=told.last_at,
            )
            for (tenant, reason, component), told in sorted(self.database.events.items())
            if tenant == name
        ]  # fmt: skip

    async def passes(self, name: str) -> list[Pass]:
        return [
            Pass(
                result=one.kept.result, generation=one.kept.generation, summary=passes.summary(one.kept),
                epoch=one.epoch, count=one.count, first_at=one.first_at, at=one.at,
            )
            for one in reversed(self.database.passes.get(name, []))
        ]  # fmt: skip

    async def ledger(self, resource_id: str) -> list[Line]:
        closed = [
            _line(one.interval, one.started_at, one.ended_at, one.end_uncertainty_s)
            for one in self.database.billed
            if one.interval.resource_id == resource_id
        ]
        opened = self.database.ledger.get(resource_id)
        return closed if opened is None else [*closed, _line(*opened, None, 0.0)]

    async def audited(self) -> list[tuple[str, str, str]]:
        return self.database.audit


def _line(interval: Interval, started_at: datetime, ended_at: datetime | None, end_uncertainty_s: float) -> Line:
    return Line(
        tenant=interval.tenant, component=interval.component, plan=interval.facts.get("plan"),
        usd_per_month=interval.usd_per_month, started_at=started_at, ended_at=ended_at,
        uncertainty_s=interval.uncertainty_s, end_uncertainty_s=end_uncertainty_s,
    )  # fmt: skip
