"""Takes over live stacks: opens adapters, looks once at the workspace, examines, and writes what a person wants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from reconciler.core import prices
from reconciler.core.adoption.match import Picture
from reconciler.core.errors import Invalid, NotFound, Problem
from reconciler.core.observed import Observed
from reconciler.core.values import Json
from reconciler.daemon.wiring import Wiring, ourselves, wire
from reconciler.doors import Actor
from reconciler.engine import adopt
from reconciler.engine.adopt import Examined
from reconciler.manifest import Reader
from reconciler.ports import Record
from reconciler.postgres import takeover
from reconciler.postgres.takeover import Taking
from reconciler.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Whom to adopt for: `columns` of a tenant to come, or None for one that stands; `chosen` maps components.

    `document` is a proposed Blueprint (its `spec` object) that is not stored yet.
    """

    tenant: str
    columns: Mapping[str, Json] | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Json] | None = None


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator["Adopter"]:
    """Open the adapters, and close them at the end."""
    wiring = await wire(settings, application_name="reconciler adopt")
    try:
        wiring.use_workspace(await wiring.render.check())
        yield Adopter(wiring)
    finally:
        await wiring.close()


class Adopter:
    """One look at a workspace, and what is done with it. Nothing is ever sent to Render but questions."""

    def __init__(self, wiring: Wiring) -> None:
        """Work with open adapters."""
        self.wiring = wiring
        self.picture = Picture({}, {})

    async def look(self) -> Picture:
        """List everything, and ask whose it is."""
        seen = await adopt.look(self.wiring.ports)
        held = await takeover.holders(self.wiring.store)
        self.picture = adopt.picture_of(seen, held, ourselves(self.wiring.settings))
        return self.picture

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again once a used-up budget of reads is full again."""
        return await adopt.patiently(self.wiring.ports, ask)

    async def record(self, request: Request) -> Record:
        """Read a tenant's record, or make the one that it would have."""
        try:
            record = await self.wiring.store.load(request.tenant, self.wiring.clock.now())
        except NotFound:
            if request.columns is None:
                raise
            return await self._to_come(request, request.columns)
        if record.purge_at is not None or record.purged:
            word = "was purged" if record.purged else "is being deleted"
            remedy = "adopt the stack under another name" if record.purged else f"reconciler resume {request.tenant}"
            raise Invalid([Problem(path="metadata.name", message=f"tenant {request.tenant} {word}", remedy=remedy)])
        if request.columns is not None:
            record = replace(record, tenant=Reader().tenant(request.columns), invalid=())
        return record

    async def _to_come(self, request: Request, columns: Mapping[str, Json]) -> Record:
        name, now = str(columns.get("blueprint") or ""), self.wiring.clock.now()
        if request.document is None:
            row = await self.wiring.registry.get_blueprint(name)
            blueprint, revision = Reader().blueprint(row.name, row.document), row.revision
        else:
            blueprint, revision = Reader().blueprint(name, request.document), 1
        return Record(
            tenant=Reader().tenant(columns),
            blueprint=blueprint,
            revision=revision,
            generation=0,
            number=0,
            created_at=now,
            generation_at=now,
            swept_at=now,
            secrets=await self.wiring.store.shared_secrets(name),
        )

    async def examine(self, request: Request) -> Examined:
        """Examine a stack to its last variable."""
        record = await self.record(request)
        return await self.patiently(lambda: adopt.closely(self.wiring.ports, record, self.picture, request.chosen))

    async def take(self, request: Request, examined: Examined, actor: Actor) -> None:
        """Write what was examined: tenant, inventory, secrets. Raises Taken when somebody was quicker."""
        assert examined.stack is not None, "only a stack can be taken"
        if request.document is not None:
            await self.wiring.registry.put_blueprint(examined.stack.blueprint, request.document, actor)
        names = ", ".join(sorted(row.id for row in examined.rows.values()))
        await takeover.take(
            self.wiring.store,
            self.wiring.registry,
            actor,
            Taking(
                tenant=request.tenant,
                blueprint=examined.stack.blueprint,
                columns=await self._columns(request, examined),
                generation=examined.record.generation,
                rows=list(examined.rows.values()),
                secrets=examined.secrets,
                detail=names,
                message=f"{len(examined.rows)} objects at Render were taken over as they are: {names}",
            ),
        )

    async def _columns(self, request: Request, examined: Examined) -> Mapping[str, Json] | None:
        """Answer the columns to write: what was asked for, and the live names of objects that have others."""
        tenant = examined.record.tenant
        assert tenant is not None, "a stack was compiled of it"
        if request.columns is not None:
            columns = dict(request.columns)
        elif (row := await self.wiring.registry.get_tenant(request.tenant)).details.get("names", {}) != tenant.names:
            columns = {"name": request.tenant, "details": dict(row.details)}
        else:
            return None
        details = columns.get("details")
        known = details if isinstance(details, dict) else {}
        return {**columns, "details": {**known, **({"names": dict(tenant.names)} if tenant.names else {})}}

    def usd(self, one: Observed) -> Decimal | None:
        """Price a live object a month; None when the book does not know it."""
        return prices.of_observed(self.wiring.ports.book, one, self.wiring.clock.now().date())
