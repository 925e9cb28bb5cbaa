"""Tells a database that is older than what Render shows: it was restored, and somebody acted in its name since."""

from datetime import datetime, timedelta

from reconciler.engine.options import Ports
from reconciler.ports import Brake

BY = "restored database guard"
SHOWN = 3


async def older(ports: Ports, since: datetime) -> str:
    """Say how Render shows that this database, last alive at `since`, is older than it; empty when it is not.

    Evidence is what carries our marks and is unknown here although it was made since, and stacks of which nothing is
    left. A daemon that was merely down finds neither: nobody else acts in its name.
    """
    found: list[str] = []
    newcomers = await ports.store.newcomers(since)
    if newcomers:
        names = ", ".join(one.observed.name for one in newcomers[:SHOWN])
        found.append(f"{len(newcomers)} objects in tenants' names were made since, unknown here ({names})")
    vanished = await ports.store.vanished()
    if vanished:
        found.append(f"nothing is left of the stacks of {', '.join(vanished[:SHOWN])}")
    return "; ".join(found)


async def check(ports: Ports, since: datetime) -> bool:
    """Put the brake on `observe` if this database is older than what Render shows; says whether it is."""
    if ports.clock.now() - since < timedelta(seconds=ports.options.sweep_s):
        return False  # a restart: the picture is as young as while the daemon runs
    why = await older(ports, since)
    if not why:
        return False
    brake, _ = await ports.store.brake()
    text = f"this database was last at work {since:%Y-%m-%d %H:%M} UTC and Render knows better: {why}; see recover"
    if brake is Brake.NORMAL:
        await ports.store.set_brake(Brake.OBSERVE, text, BY)
        ports.telemetry.problem("brake", state="observe", why=text)
    ports.telemetry.guarded("restored_database")
    return True
