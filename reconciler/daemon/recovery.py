"""Gives back what dead processes of this host held, and says what it found; it looks at nobody's stack."""

import os
from dataclasses import dataclass
from pathlib import Path

from reconciler.daemon.wiring import Wiring, owner_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a run that ended without stopping left behind: its pids, leased tenants, and effects without an answer."""

    pids: tuple[int, ...] = ()
    tenants: int = 0
    operations: int = 0

    def __str__(self) -> str:
        """Say it in one line, for people."""
        who = f"process {', '.join(map(str, self.pids))}" if len(self.pids) < 2 else f"{len(self.pids)} processes"  # noqa: PLR2004
        leases = f"{_counted(self.tenants, 'lease')} given back" if self.tenants else "it held no lease"
        effects = f"{_counted(self.operations, 'effect')} without an answer looked up first" if self.operations else ""
        return f"{who} ended without stopping: {leases}" + (f", {effects}" if effects else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


async def release_dead(wiring: Wiring) -> Recovered:
    """Give back the leases and duties of processes of this host that are no more."""
    host = owner_name().split(":", 1)[0]
    async with wiring.pool.connection() as connection:
        rows = await connection.execute(
            "SELECT owner, count(tenant) AS tenants FROM ("
            " SELECT lease_owner AS owner, tenant FROM reconciler.tenant_queue WHERE lease_owner IS NOT NULL"
            " UNION ALL SELECT owner, NULL FROM reconciler.singletons WHERE until > now()) AS held GROUP BY owner"
        )
        held = {str(row["owner"]): int(row["tenants"]) for row in await rows.fetchall()}
    dead = {owner: pid for owner in held if (pid := _pid(owner, host)) is not None and not _alive(pid)}
    for owner in dead:
        await wiring.store.release_all(owner)
    if not dead:
        return Recovered()
    async with wiring.pool.connection() as connection:
        found = await connection.execute(
            "SELECT count(*) AS open FROM reconciler.operations WHERE state IN ('sent', 'unknown')"
        )
        row = await found.fetchone()
    recovered = Recovered(
        pids=tuple(sorted(set(dead.values()))),
        tenants=sum(held[owner] for owner in dead),
        operations=row["open"] if row else 0,
    )
    wiring.telemetry.log("recovered", owners=sorted(dead), leases=recovered.tenants, operations=recovered.operations)
    return recovered


def _pid(owner: str, host: str) -> int | None:
    """Answer the pid in the name of an owner on this host, None for one of another host."""
    parts = owner.split(":")
    return int(parts[1]) if len(parts) > 1 and parts[0] == host and parts[1].isdigit() else None


def _alive(pid: int) -> bool:
    """Say whether a process of this host lives and is not this one under a recycled number."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[:1] != ["Z"]  # in a container nobody may ever collect it
