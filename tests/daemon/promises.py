"""The promises of docs/promises.md, judged from the simulator's truth once a fleet has settled; they do not change it.

P1 no lost tenant      P2 no double create     P3 no orphan          P4 no foreign touch     P5 budget
P6 converges, quiet    P7 monotonic status     P8 deletion           P9 guard
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from reconciler.doors import TenantRow
from tests.daemon.fleet import KEY, Fleet, make_foreign, seen
from tests.daemon.harness import live
from tests.daemon.users import TAKEN

SIZES: dict[str, dict[str, object]] = {
    "small": {"plan": "starter"},
    "big": {"plan": "standard", "numInstances": 2},
}
"""What each tier names. The number of instances is nobody's in `small`, so it stays as it was."""
RESYNC_S = 3600 * 1.2
QUIET_S = 2.5
WATCH = """
CREATE TABLE IF NOT EXISTS public.went_back (what text);
CREATE OR REPLACE FUNCTION public.watch_status() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF new.observed_generation < old.observed_generation THEN
    INSERT INTO public.went_back VALUES (format('%s: observed generation %s -> %s',
      new.name, old.observed_generation, new.observed_generation));
  END IF; RETURN new; END $$;
CREATE OR REPLACE FUNCTION public.watch_queue() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF new.lease_epoch < old.lease_epoch OR new.handled_seq < old.handled_seq THEN
    INSERT INTO public.went_back VALUES (format('%s: epoch %s -> %s, handled %s -> %s',
      new.tenant, old.lease_epoch, new.lease_epoch, old.handled_seq, new.handled_seq));
  END IF; RETURN new; END $$;
CREATE OR REPLACE TRIGGER watch AFTER UPDATE ON reconciler.status
  FOR EACH ROW EXECUTE FUNCTION public.watch_status();
CREATE OR REPLACE TRIGGER watch AFTER UPDATE ON reconciler.tenant_queue
  FOR EACH ROW EXECUTE FUNCTION public.watch_queue();
"""


async def watch(fleet: Fleet) -> None:
    """Let the database itself write down what goes back that must not."""
    await fleet.run(WATCH)


async def strangers(fleet: Fleet) -> dict[str, Any]:
    """Let somebody else own objects, one of a name that the tenant `taken` wants; answers how they look."""
    made = [make_foreign(fleet.sim, "somebody-elses"), make_foreign(fleet.sim, f"app-{TAKEN}")]
    await fleet.until(lambda: all(seen(fleet.sim.truth(), one)["liveDeployId"] for one in made))
    foreign = {one: seen(fleet.sim.truth(), one) for one in made}
    await fleet.put(TAKEN, new=True)
    return foreign


def doubled(fleet: Fleet, foreign: dict[str, Any]) -> list[str]:
    """Say which objects there are two of, at any moment (P2)."""
    names = [(kind, name) for kind, name, id in live(fleet.sim.truth()) if id not in foreign and kind != "environments"]
    return [f"P2: {count} {kind} named {name}" for (kind, name), count in Counter(names).items() if count > 1]


async def broken(fleet: Fleet, foreign: dict[str, Any]) -> list[str]:
    """Say which promises are not kept in a fleet that has settled."""
    truth = fleet.sim.truth()
    found = await fleet.wrongs(foreign)
    for row in await fleet.rows():
        found += [f"P6: {row.name}: {text}" for text in _not_as_asked(row, truth)] if row.name != TAKEN else []
    if await fleet.ask(
        "SELECT to_regclass('public.went_back') AS there WHERE to_regclass('public.went_back') IS NOT NULL"
    ):
        found += [f"P7: {row['what']}" for row in await fleet.ask("SELECT what FROM public.went_back")]
    billed = await fleet.ask(
        "SELECT id, name FROM reconciler.inventory i WHERE kind IN ('web', 'postgres') AND NOT EXISTS "
        "(SELECT FROM reconciler.ledger l WHERE l.resource_id = i.id AND l.ended_at IS NULL)"
    )
    found += [f"P8: {row['name']} ({row['id']}) is billed and not in the ledger" for row in billed]
    return found + await _lost_data(fleet, truth)


async def unrest(fleet: Fleet) -> list[str]:
    """Let more than a resync interval pass: everybody is looked at (P1), and nobody writes anything (P6)."""
    before = {row.name: row.reconciled_at for row in await fleet.rows() if not row.purged}
    since = fleet.sim.truth()["write_seq"]
    fleet.sim.call("POST", "/clock", {"step_s": RESYNC_S})
    began = asyncio.get_running_loop().time()
    while missing := [row.name for row in await fleet.rows() if _not_looked_at(row, before)]:
        if asyncio.get_running_loop().time() - began > 60:
            return [f"P1: {name} was not looked at within a resync interval" for name in missing]
        await asyncio.sleep(0.2)
    await asyncio.sleep(QUIET_S)
    writes = [one for one in fleet.sim.truth()["writes"] if one["seq"] > since and one["cause"] == KEY]
    return [f"P6: {one['method']} {one['path']} although all had settled" for one in writes]


def _not_looked_at(row: TenantRow, before: dict[str, Any]) -> bool:
    return row.name in before and row.reconciled_at == before[row.name]


def _not_as_asked(row: TenantRow, truth: Any) -> Iterator[str]:
    """Compare what stands at Render with what a tenant's record says."""
    mine = [(kind, name) for kind, name, _ in live(truth) if re.search(rf"(^|-){re.escape(row.name)}$", name)]
    if row.state == "deleted":
        yield from (f"is deleted, and {kind} {name} stands" for kind, name in mine)
        return
    for kind, name in (("services", "app"), ("postgres", "db"), ("env_groups", "common")):
        count = mine.count((kind, f"{name}-{row.name}"))
        # Whoever was suspended before anything stood has nothing.
        if count > 1 or (count == 0 and row.state == "running"):
            yield f"{count} {kind} named {name}-{row.name}"
    apps = [one for one in truth["services"] if one["name"] == f"app-{row.name}"]
    if len(apps) == 1:
        yield from _differs(row, apps[0])


def _differs(row: TenantRow, app: Any) -> Iterator[str]:
    """Compare a tenant's service with the record."""
    if (app["suspended"] == "suspended") != (row.state == "suspended"):
        yield f"is to be {row.state}, and its service is {app['suspended']}"
    if row.state == "suspended":
        return  # changes wait until it is resumed
    for field, value in SIZES[row.tier].items():
        if app["serviceDetails"][field] != value:
            yield f"{field} is {app['serviceDetails'][field]}, not {value}"
    theme = row.params.get("theme", "plain")
    for where, env in (("set", app["envVars"]), ("running", app["running"]["env"] or {})):
        if env.get("THEME") != theme:
            yield f"THEME {where} is {env.get('THEME')}, not {theme}"


async def _lost_data(fleet: Fleet, truth: Any) -> list[str]:
    """P9: a database goes only with a tenant that was deleted."""
    kept = await fleet.ask(
        "SELECT o.tenant, o.live_id FROM reconciler.operations o JOIN reconciler.tenants t ON t.name = o.tenant "
        "WHERE o.verb = 'delete' AND o.kind = 'postgres' AND t.state <> 'deleted'"
    )
    gone = [one for one in truth["writes"] if one["method"] == "DELETE" and one["path"].startswith("/v1/postgres/")]
    deleted = sum(row.state == "deleted" for row in await fleet.rows())
    found = [f"P9: {row['live_id']} of {row['tenant']} was deleted, which is not" for row in kept]
    return [*found, *([f"P9: {len(gone)} databases deleted of {deleted} tenants"] if len(gone) > deleted else [])]
