"""Shows people, while a local run settles, who waits for what; on a terminal as a table, else as lines on change."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.core.status import Phase, Reason
from reconciler.doors import Registry, Rejection, TenantRow

SETTLED = frozenset({Phase.READY, Phase.SUSPENDED, Phase.BLOCKED, Phase.INVALID, Phase.DELETED, Phase.DEGRADED})
WIDE = 240
"""Columns of a picture that goes into a file or a pipe: nothing is wrapped there."""
HEADINGS = ("TENANT", "BLUEPRINT", "TIER", "PHASE", "UP", "$/MONTH", "WHY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of the picture; `fine` says that the tenant is where its spec wants it, or waits as it should."""

    tenant: str
    blueprint: str
    tier: str
    phase: str
    up: str
    usd: str
    why: str
    settled: bool
    fine: bool

    def cells(self) -> tuple[str, ...]:
        """Answer the columns."""
        return (self.tenant, self.blueprint, self.tier, self.phase, self.up, self.usd, self.why)


def _clean(text: str, limit: int = 160) -> str:
    """Make a text safe for a terminal: printable, one line, bounded."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def _money(usd: Decimal | None) -> str:
    return "unknown" if usd is None else f"{usd:.2f}"


def standing(row: TenantRow) -> Standing:
    """Judge one tenant for the picture."""
    status = row.status
    base = {"tenant": row.name, "blueprint": f"{row.blueprint} r{row.revision}", "tier": row.tier or "-"}
    if status is None or not row.fresh:
        return Standing(**base, phase="Pending", up="-", usd="-", why="accepted", settled=False, fine=False)
    ready, synced = status.conditions[0], status.conditions[1]
    waits_for_secret = ready.reason is Reason.SECRET_MISSING
    fine = status.phase in (Phase.READY, Phase.SUSPENDED, Phase.DELETED, Phase.INVALID) or waits_for_secret
    human = status.you not in ("", "nothing to do")
    settled = status.phase in SETTLED and (synced.status == "True" or human or status.phase is not Phase.READY)
    why = f"{status.why} Do: {status.you}" if status.phase is Phase.BLOCKED and human else status.why
    usd = status.monthly_usd_desired if row.state == "running" else status.monthly_usd
    return Standing(
        **base,
        phase=str(status.phase),
        up=f"{status.up}/{status.total}",
        usd=_money(usd),
        why=_clean(why),
        settled=settled,
        fine=fine,
    )


def rejected(one: Rejection) -> Standing:
    """Show a document that was refused at the door."""
    first = one.message.splitlines()[0] if one.message else "refused"
    return Standing(
        tenant=one.name, blueprint="-", tier="-", phase="Invalid", up="-", usd="-", why=_clean(first), settled=True,
        fine=True,
    )  # fmt: skip


async def picture(registry: Registry) -> list[Standing]:
    """Read how everybody stands, tenants by name and then refused documents that stand for none."""
    page = await registry.list_tenants(limit=200)
    lines = [standing(row) for row in page.rows]
    names = {line.tenant for line in lines}
    lines += [rejected(one) for one in await registry.rejections() if one.name not in names]
    return sorted(lines, key=lambda line: line.tenant)


def table(lines: Sequence[Standing]) -> Table:
    """Draw the picture."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for heading in HEADINGS:
        drawn.add_column(heading, no_wrap=heading != "WHY", justify="right" if heading == "$/MONTH" else "left")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line.cells()))
    return drawn


class Progress:
    """Draws the picture again and again; `finish` leaves the last one standing."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        """Write to `out`: a live table on a terminal, lines elsewhere."""
        self._console = Console(file=out, highlight=False, width=None if out.isatty() else WIDE)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if out.isatty() else None
        self._said: dict[str, tuple[str, ...]] = {}
        self._started = False

    def show(self, lines: Sequence[Standing]) -> None:
        """Show how everybody stands now."""
        if self._live is not None:
            if not self._started:
                self._live.start()
                self._started = True
            self._live.update(table(lines), refresh=True)
            return
        for line in lines:
            said = (line.phase, line.up, line.why)
            if self._said.get(line.tenant) != said:
                self._said[line.tenant] = said
                text = f"{line.tenant:<10} {line.phase:<13} {line.up:<5} {line.why}"
                self._console.print(text, markup=False, soft_wrap=True)

    def finish(self, lines: Sequence[Standing]) -> None:
        """Leave the final table on the screen."""
        if self._live is not None and self._started:
            self._live.stop()
            self._started = False
        self._console.print()
        self._console.print(table(lines), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print one line for people."""
        self._console.print(text, markup=False, soft_wrap=True)
