"""Gives a whole fleet back to a database that lost it: re-owns by project and name, reads secrets back, reports."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from reconciler.core.adoption import orphans
from reconciler.core.adoption.match import UNSURE, Holder, Match, Standing
from reconciler.core.adoption.orphans import Home, Orphan
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.status import Reason
from reconciler.daemon.adopting import Adopter
from reconciler.doors import Actor, Taken
from reconciler.engine import adopt
from reconciler.engine.adopt import Examined
from reconciler.ports import Brake
from reconciler.postgres import orphans as stored
from reconciler.postgres import takeover
from reconciler.postgres.takeover import Taking


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantReport:
    """What was found of one tenant. `refused` says why nothing was written although something was found."""

    tenant: str
    state: str = ""
    examined: Examined
    owned: tuple[Match, ...] = ()
    found: tuple[Match, ...] = ()
    missing: tuple[Match, ...] = ()
    unsure: tuple[Match, ...] = ()
    refused: str = ""

    @property
    def fine(self) -> bool:
        """Say whether nothing of it needs a person."""
        return not (self.missing or self.unsure or self.examined.invalid or self.refused or self.examined.split)


@dataclass(slots=True)
class Totals:
    """The sums of a recovery; `usd` is what was found costs a month, `unknown` how many prices the book lacks."""

    tenants: int = 0
    owned: int = 0
    found: int = 0
    missing: int = 0
    unsure: int = 0
    secrets: int = 0
    reads: int = 0
    usd: Decimal = Decimal(0)
    unknown: int = 0
    gone: list[tuple[str, str, str]] = field(default_factory=list)


class Recovery:
    """One recovery: `tenants` yields a report each (and takes ownership), `orphans` tells what is left over."""

    def __init__(self, adopter: Adopter, actor: Actor) -> None:
        """Work with an open adopter, in the name of an actor."""
        self.adopter = adopter
        self.actor = actor
        self.totals = Totals()
        self._claimed: dict[str, Holder] = {}

    async def brake(self) -> Brake:
        """Answer where the brake stands: effects must not run while ownership is being written."""
        return (await self.adopter.wiring.store.brake())[0]

    async def tenants(self, *, take: bool) -> AsyncIterator[TenantReport]:
        """Match every tenant, in the order of their numbers; with `take` each is written, in one transaction each."""
        adopter, store = self.adopter, self.adopter.wiring.store
        picture = await adopter.look()
        self._claimed = dict(picture.holders)
        picture = adopt.picture_of(picture.objects.values(), self._claimed, picture.ourselves)  # sees what is claimed
        self.totals.gone = await takeover.missing_rows(store, list(picture.objects))
        for name in await takeover.tenant_names(store):
            record = await store.load(name, adopter.wiring.clock.now())
            found = await adopter.patiently(lambda: adopt.lightly(adopter.wiring.ports, record, picture))  # noqa: B023 awaited here
            report = self._report(name, found)
            if take and (found.rows or found.secrets):
                report = await self._take(report, found)
            self._count(report)
            yield report

    def _report(self, name: str, found: Examined) -> TenantReport:
        by: Mapping[Standing, list[Match]] = {standing: [] for standing in Standing}
        for match in found.matched.matches.values():
            by[match.standing].append(match)
        self._claimed |= {row.id: Holder(tenant=name, component=key) for key, row in found.rows.items()}
        state = found.record.tenant.state if found.record.tenant is not None else ""
        return TenantReport(
            tenant=name,
            state=str(state),
            examined=found,
            owned=tuple(by[Standing.OWNED]),
            found=tuple(by[Standing.FOUND]),
            missing=tuple(by[Standing.MISSING]) if self._should_stand(found) else (),
            unsure=tuple(one for standing in sorted(UNSURE) for one in by[standing]),
        )

    @staticmethod
    def _should_stand(found: Examined) -> bool:
        """Say whether the stack should exist: a tenant suspended from the start, or deleted, may have nothing."""
        return bool(found.rows or found.record.owned) or (
            found.record.tenant is not None and found.record.tenant.state == "running"
        )

    async def _take(self, report: TenantReport, found: Examined) -> TenantReport:
        assert found.stack is not None, "only of a stack something was found"
        wiring = self.adopter.wiring
        names = ", ".join(sorted(row.id for row in found.rows.values()))
        try:
            await takeover.take(
                wiring.store,
                wiring.registry,
                self.actor,
                Taking(
                    tenant=report.tenant,
                    blueprint=found.stack.blueprint,
                    generation=found.record.generation,
                    rows=list(found.rows.values()),
                    secrets=found.secrets,
                    action="recover",
                    detail=names,
                    message=f"{len(found.rows)} objects at Render are this tenant's again: {names}",
                    reason=Reason.RECOVERED,
                ),
            )
        except Taken as error:
            return TenantReport(tenant=report.tenant, state=report.state, examined=found, refused=str(error))
        return report

    def _count(self, report: TenantReport) -> None:
        totals = self.totals
        totals.tenants += 1
        totals.owned += len(report.owned)
        totals.found += len(report.found)
        totals.missing += len(report.missing)
        totals.unsure += len(report.unsure)
        totals.secrets += len(report.examined.secrets)
        totals.reads += report.examined.reads
        for match in report.found:
            usd = self.adopter.usd(match.found) if match.found is not None else None
            totals.usd += usd or 0
            totals.unknown += usd is None

    async def orphans(self) -> tuple[Orphan, ...]:
        """Answer what carries our marks and is still nobody's after all tenants were matched."""
        store, objects = self.adopter.wiring.store, self.adopter.picture.objects
        async with store.session() as connection:
            marks = await stored.marks(connection, store.reader)
            known, purged = await stored.names(connection)
        homes: dict[str, Home] = {}
        for one in objects.values():
            if one.kind is Kind.ENVIRONMENT:
                project = objects.get(str(one.fields.get("projectId") or ""))
                holder = self._claimed.get(one.id)
                homes[one.id] = Home(
                    project=project.name if project is not None else "", tenant=holder.tenant if holder else ""
                )
        strangers = [one for id, one in objects.items() if self._is_nobodys(id)]
        return orphans.find(strangers, homes, marks, known, purged)

    def _is_nobodys(self, id: str) -> bool:
        return id not in self._claimed and id not in self.adopter.picture.ourselves

    def usd(self, one: Observed) -> Decimal | None:
        """Price a live object a month."""
        return self.adopter.usd(one)
