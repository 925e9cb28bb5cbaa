"""Makes a fleet of settled tenants in a minute: the operator brings one up, the others are copies of all that is known.

Every row of the model tenant, at the simulator and in the database, is written again for each copy under other ids and
another name; what is bound to its place (keyed hashes, sealed secrets) is made anew by the code that makes it.
"""

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from reconciler.core import resolve
from reconciler.core.values import Sensitive
from reconciler.daemon.wiring import Wiring, wire
from reconciler.engine.worker import Worker
from reconciler.postgres import vault
from reconciler.settings import Settings
from tests.daemon.harness import Process, Sim
from tests.engine.world import Simulator, World

KEY = "rnd_bench"
RESOURCES = 6
"""Of one tenant: three services, a Postgres, a Key Value, an env group; beside them a project and its environment."""
BLUEPRINT = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: shop}
spec:
  template:
    envVarGroups:
      - {name: shared, envVars: [{key: LOG_LEVEL, value: info}, {key: SHOP, value: "${tenant.name}"}]}
    databases: [{name: db, plan: basic-256mb, postgresMajorVersion: "17", ipAllowList: []}]
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - type: web
        name: app
        runtime: image
        image: {url: docker.io/acme/shop:4}
        plan: starter
        healthCheckPath: /up
        envVars:
          - fromGroup: shared
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
          - {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}
          - {key: SECRET_KEY, generateValue: true}
          - {key: API_HOST, fromService: {type: pserv, name: api, property: hostport}}
      - type: pserv
        name: api
        runtime: image
        image: {url: docker.io/acme/api:4}
        plan: starter
        envVars:
          - fromGroup: shared
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
      - type: worker
        name: jobs
        runtime: image
        image: {url: docker.io/acme/jobs:4}
        plan: starter
        envVars:
          - fromGroup: shared
          - {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}
  entrypoint: app
  ready: {path: /up, within: 15m}
  params: {theme: {type: string, default: plain}}
  env: {app: {THEME: "${params.theme}"}}
  tiers: {small: {}, big: {patch: {app: {numInstances: 2}}}}
"""
MODEL = "t00000"
ID = re.compile(r"(?:srv|dpg|red|evg|prj|evm|dep|dsk)-[0-9a-v]{20}")
COPIED = ("service", "deploy", "disk", "postgres", "key_value", "group", "project", "environment")
"""Kinds of the simulator's state; what merely happened (events, meters, writes) is not copied."""
SETTLED_H = 3
COUNTER = 6
"""Last digits of an id, in which copies differ."""
DIGITS = "0123456789abcdefghijklmnopqrstuv"


def name_of(number: int) -> str:
    return f"t{number:05d}"


def _digits(number: int) -> str:
    """Spell a number behind every number of the model's own ids: copies are the younger ones in every list."""
    number += 31 << 5 * (COUNTER - 1)
    return "".join(DIGITS[number >> shift & 31] for shift in range(5 * (COUNTER - 1), -1, -5))


def _spellings(at_ns: int) -> tuple[str, str]:
    """Write an instant as the simulator keeps it, and as the database does."""
    micro = (at_ns + 500) // 1000
    moment = datetime.fromtimestamp(micro // 1_000_000, UTC) + timedelta(microseconds=micro % 1_000_000)
    return str(at_ns), moment.isoformat()


class Copier:
    """Rewrites texts of the model tenant into those of its copies."""

    def __init__(self, ids: Iterable[str], group_ns: int) -> None:
        """`group_ns` is the env group's creation: a list without cursors can be paged by different ones only."""
        self._places = {id: place for place, id in enumerate(sorted(set(ids)))}
        assert len(self._places) < 32, "five bits hold the place of an id in its stack"
        self._group_ns = group_ns
        words = list(map(re.escape, [*self._places, MODEL]))
        self._plain = re.compile("|".join(words))
        self._group = re.compile("|".join([*words, *map(re.escape, _spellings(group_ns))]))

    def to(self, number: int) -> Callable[..., str]:
        """Answer what writes the copy of a text; `group`: the text is the env group's, with its creation."""
        names = {id: id[:-COUNTER] + _digits(number * 32 + place) for id, place in self._places.items()}
        names[MODEL] = name_of(number)
        names |= zip(_spellings(self._group_ns), _spellings(self._group_ns + number * 1_000_000), strict=True)

        def rewrite(text: str, *, group: bool = False) -> str:
            return (self._group if group else self._plain).sub(lambda found: names[found.group()], text)

        return rewrite


# ---------------------------------------------------------------- simulator


def copy_workspace(state: Path, copies: range) -> Copier:
    """Multiply the model tenant in a state file of the simulator that is not running."""
    with sqlite3.connect(state) as connection:
        rows = connection.execute(
            f"SELECT kind, id, body FROM objects WHERE kind IN ({', '.join('?' * len(COPIED))})", COPIED
        ).fetchall()
        group_ns = next(json.loads(body)["created_ns"] for kind, _, body in rows if kind == "group")
        copier = Copier((id for _, _, body in rows for id in ID.findall(body)), group_ns)

        def copied() -> Iterator[tuple[str, str, str]]:
            for number in copies:
                rewrite = copier.to(number)
                for kind, id, body in rows:
                    yield kind, rewrite(id), rewrite(body, group=kind == "group")

        connection.executemany("INSERT INTO objects VALUES (?, ?, ?)", copied())
    return copier


# ---------------------------------------------------------------- database

TABLES = ("tenants", "tenant_queue", "status", "inventory", "snapshot", "ledger", "events", "secrets")
NUMBERED = {"tenants": "number", "ledger": "id", "events": "id"}
"""Columns that count rows, and so are not copied."""
OWNER = {"tenants": "name", "status": "name", "secrets": "owner"}
"""Columns that name the tenant, where it is not `tenant`."""


@dataclass(frozen=True)
class Copies:
    """Which copies are made, and what makes them."""

    numbers: range
    copier: "Copier"
    wiring: Wiring


@dataclass
class Rows:
    """The model tenant's rows of each table as JSON texts, and the texts of its secrets."""

    tables: dict[str, list[str]]
    secrets: list[dict[str, Any]]
    digests: list[tuple[str, str, str]] = field(default_factory=list)
    """Keyed hash of the model, the place it is bound to, and the text, wherever one is stored."""


def read_rows(connection: psycopg.Connection[Any], wiring: Wiring) -> Rows:
    tables: dict[str, list[str]] = {}
    for table in TABLES:
        where = sql.SQL("{} = %s").format(sql.Identifier(OWNER.get(table, "tenant")))
        if table == "snapshot":
            where = sql.SQL("id IN (SELECT id FROM reconciler.inventory WHERE tenant = %s)")
        query = sql.SQL("SELECT to_jsonb(r) FROM reconciler.{} r WHERE {}").format(sql.Identifier(table), where)
        found = [row[0] for row in connection.execute(query, [MODEL]).fetchall()]
        tables[table] = [json.dumps({k: v for k, v in row.items() if k != NUMBERED.get(table)}) for row in found]
    secrets = []
    for text in tables.pop("secrets"):
        row = json.loads(text)
        sealed = bytes.fromhex(row["ciphertext"].removeprefix("\\x"))
        opened = wiring.vault.open(row["scope"], row["owner"], row["key"], sealed, row["key_id"])
        secrets.append(row | {"text": opened.reveal()})
    return Rows(tables, secrets)


def digests_of(rows: Rows, state: Path, wiring: Wiring) -> None:
    """Find out which place and text every keyed hash of the model's inventory stands for."""
    texts: dict[str, list[list[str]]] = {}
    with sqlite3.connect(state) as connection:
        query = "SELECT id, body FROM objects WHERE kind IN ('service', 'group')"
        for id, body in connection.execute(query).fetchall():
            texts[id] = json.loads(body)["variables"]
    for text in rows.tables["inventory"]:
        row = json.loads(text)
        for _, key, value in texts.get(row["id"], ()):
            place = resolve.context(MODEL, row["component"], key)
            rows.digests.append((wiring.vault.digest(place, value), place, value))
        unknown = set(row["known"]["env"].values()) - {digest for digest, _, _ in rows.digests}
        assert not unknown, f"hashes of {row['component']} stand for nothing: {unknown}"


def copy_rows(url: str, rows: Rows, copies: Copies) -> None:
    """Multiply the model tenant in the database, past the triggers that would queue and audit every copy."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET statement_timeout = 0")
        for table, texts in rows.tables.items():
            _copy_table(connection, table, texts, rows, copies)
        _copy_secrets(connection, rows, copies)
        # As if everybody had been looked at closely a moment ago.
        connection.execute(
            "UPDATE reconciler.inventory SET known = jsonb_set(known, '{checked_at}', to_jsonb(%s::text)) "
            "WHERE known ->> 'checked_at' IS NOT NULL",
            [copies.wiring.clock.now().isoformat()],
        )
        connection.execute("SELECT setval('reconciler.event_ids', (SELECT max(id) + 1 FROM reconciler.events))")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def _copy_table(
    connection: psycopg.Connection[Any], table: str, texts: Sequence[str], rows: Rows, copies: Copies
) -> None:
    connection.execute("CREATE TEMP TABLE copied (doc jsonb) ON COMMIT DROP")
    with connection.cursor().copy("COPY copied (doc) FROM STDIN") as copy:
        for number in copies.numbers:
            rewrite = copies.copier.to(number)
            hashes = _rehashed(rows, rewrite, copies.wiring) if table == "inventory" else {}
            for text in texts:
                written = rewrite(text, group='"kind": "env group"' in text)
                for before, after in hashes.items():
                    written = written.replace(before, after)
                copy.write_row([written])
    name = sql.Identifier(table)
    columns = [key for key in json.loads(texts[0])]
    if table == "events":
        insert = "INSERT INTO reconciler.events (id, {c}) SELECT nextval('reconciler.event_ids'), {r} FROM copied"
    else:
        insert = "INSERT INTO reconciler.{t} ({c}) SELECT {r} FROM copied"
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ").join(sql.SQL("(r).{}").format(sql.Identifier(one)) for one in columns)
    source = sql.SQL("(SELECT jsonb_populate_record(NULL::reconciler.{}, doc) AS r FROM copied)").format(name)
    head = insert.replace(" FROM copied", " FROM {s} AS made")
    connection.execute(sql.SQL(head).format(t=name, c=listed, r=values, s=source))
    connection.execute("DROP TABLE copied")


def _rehashed(rows: Rows, rewrite: Callable[..., str], wiring: Wiring) -> Mapping[str, str]:
    return {before: wiring.vault.digest(rewrite(place), rewrite(text)) for before, place, text in rows.digests}


def _copy_secrets(connection: psycopg.Connection[Any], rows: Rows, copies: Copies) -> None:
    vault = copies.wiring.vault
    query = "COPY reconciler.secrets (scope, owner, key, ciphertext, key_id, updated_at) FROM STDIN"
    with connection.cursor().copy(query) as copy:
        for number in copies.numbers:
            rewrite = copies.copier.to(number)
            for row in rows.secrets:
                owner, text = rewrite(row["owner"]), Sensitive(rewrite(row["text"]))
                sealed = vault.seal(row["scope"], owner, row["key"], text)
                copy.write_row([row["scope"], owner, row["key"], sealed, vault.newest, row["updated_at"]])


# ---------------------------------------------------------------- fleet


@dataclass
class Fleet:
    """A simulator, a database, and as many settled tenants as were asked for in both."""

    sim: Sim
    settings: Settings
    environment: dict[str, object]
    tenants: int
    tmp: Path
    daemons: list[Process] = field(default_factory=list)

    @asynccontextmanager
    async def wired(self, **changes: object) -> AsyncIterator[Wiring]:
        wiring = await wire(self.settings.model_copy(update=changes))
        wiring.use_workspace(await wiring.render.check())
        try:
            yield wiring
        finally:
            await wiring.close()

    def daemon(self, *arguments: str, **settings: object) -> Process:
        """Start a daemon; the caller waits for what it wants to see."""
        output = self.tmp / f"daemon{len(self.daemons)}.log"
        started = Process(["run", *(arguments or ("--role", "engine"))], output, self.environment | settings)
        self.daemons.append(started)
        return started

    def requests(self) -> int:
        """Count every request that the API has answered."""
        return sum(self.sim.call("GET", "/counts")["requests"].values())

    def due_within(self, spread_s: float, now: datetime) -> None:
        """Spread the resyncs of all tenants over a time from now (world) on, as jitter does in the long run."""
        with psycopg.connect(self.settings.database_url) as connection:
            connection.execute(
                "UPDATE reconciler.tenant_queue SET wake_class = 'drift', handled_seq = wake_seq, "
                "due_at = %s + random() * %s * interval '1 second'",
                [now, spread_s],
            )


async def _raise_model(settings: Settings, sim: Sim) -> None:
    """Bring the model tenant up through the operator, and let it rest until nothing of it is young."""
    async with httpx.AsyncClient(timeout=30.0) as http:
        world = World(Simulator(sim.popen, sim.base, http), settings)  # type: ignore[arg-type]
        await world.simulator.call("PATCH", "/_sim/settings", {"limits_enabled": False})
        try:
            await world.add_replica()
            await world.apply(BLUEPRINT)
            await world.change(MODEL, blueprint="shop", tier="small", params={"theme": "blue"})
            await world.settle(MODEL)
            for _ in range(SETTLED_H * 6):
                await world.step(600)
                while await world.turn():
                    pass
            await world.wiring.store.release_all(world.workers[0].owner)
        finally:
            for wiring in world.wirings:
                await wiring.close()


@asynccontextmanager
async def open_fleet(
    database_url: str, tmp: Path, tenants: int, *, speed: float | None = None, **changes: object
) -> AsyncIterator[Fleet]:
    """Make a fleet; with a `speed` the simulator's clock runs, else it is frozen."""
    state, key_file = tmp / "render.db", tmp / "encryption.key"
    vault.make_key_file(key_file)
    born = (datetime.now(UTC) - timedelta(hours=SETTLED_H + 2)).isoformat(timespec="seconds").replace("+00:00", "Z")
    frozen = Sim(tmp / "simulator.log", "--frozen", "--state", str(state), "--start", born)
    settings = _settings(database_url, key_file, frozen, changes)
    await _raise_model(settings, frozen)
    frozen.stop()
    copies = range(1, tenants)
    copier = copy_workspace(state, copies)
    pace = ("--frozen",) if speed is None else ("--speed", str(speed))
    sim = Sim(tmp / "simulator.log", *pace, "--state", str(state), port=frozen.port)
    sim.call("POST", "/clock", {"now": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")})
    fleet = Fleet(sim, settings, _environment(settings, key_file), tenants, tmp)
    try:
        async with fleet.wired() as wiring:
            with psycopg.connect(database_url) as connection:
                rows = read_rows(connection, wiring)
            digests_of(rows, state, wiring)
            copy_rows(database_url, rows, Copies(copies, copier, wiring))
        yield fleet
    finally:
        for daemon in fleet.daemons:
            daemon.end(30.0)
        sim.stop()


def _settings(database_url: str, key_file: Path, sim: Sim, changes: Mapping[str, object]) -> Settings:
    return Settings(
        database_url=database_url,
        render_api_key=KEY,
        render_api_url=f"{sim.base}/v1",
        encryption_key_file=key_file,
        **{"guard_band_s": 0.0, **changes},
    )


def _environment(settings: Settings, key_file: Path) -> dict[str, object]:
    return {
        "DATABASE_URL": settings.database_url,
        "RENDER_API_KEY": KEY,
        "RENDER_API_URL": settings.render_api_url,
        "RECONCILER_ENCRYPTION_KEY_FILE": key_file,
        "RECONCILER_GUARD_BAND_S": settings.guard_band_s,
        "RECONCILER_LOG_FORMAT": "json",
    }


def worker_of(wiring: Wiring) -> Worker:
    return Worker(wiring.ports, "bench:0:0", seed=1)
