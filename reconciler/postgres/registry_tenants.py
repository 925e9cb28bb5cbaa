"""Lists, reads and writes tenants for the doors; what a column may hold is judged by the SQL contract, not here."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.status import Status
from reconciler.core.values import Json
from reconciler.doors import Actor, Applied, Taken, TenantPage, TenantRow
from reconciler.postgres import codec
from reconciler.postgres.pool import Connection
from reconciler.postgres.refusals import path_of
from reconciler.postgres.registry_base import SQL, RegistryPart, read_hold

COLUMNS = (
    "name", "external_id", "display_name", "blueprint", "tier", "state", "params", "labels", "region", "priority",
    "details",
)  # fmt: skip
OBJECTS = frozenset({"params", "labels", "details"})
EMPTY_IS_NULL = frozenset({"external_id", "tier", "region"})
NUMBER_DIGITS_MAX = 18
Row = dict[str, Any]


class RegistryTenants(RegistryPart):
    """The tenants' side of the registry."""

    async def list_tenants(
        self,
        *,
        selector: Mapping[str, str] | None = None,
        names: Sequence[str] | None = None,
        include_purged: bool = False,
        created_by: str | None = None,
        limit: int = 1000,
        offset: int = 0,
    ) -> TenantPage:
        """List tenants by number, label selector, names and maker; purged tombstones only when asked for."""
        asked: Row = {
            **{"selector": Jsonb(dict(selector)) if selector else None, "include_purged": include_purged},
            **{"names": list(names) if names is not None else None, "created_by": created_by},
        }
        async with self.session() as connection:
            rows = await self._rows(connection, **asked, limit=limit, offset=offset)
            if rows:
                return TenantPage(count=rows[0]["matches"], rows=[read_tenant(row) for row in rows])
            counted = await (await connection.execute(SQL["count_tenants"], asked)).fetchone()
        assert counted is not None
        return TenantPage(count=counted["matches"], rows=[])

    async def versions(self) -> Mapping[str, str]:
        """Answer a text for every tenant that is not purged, another one whenever its row or status was written."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["versions"])).fetchall()
        return {row["name"]: row["version"] for row in rows}

    async def _rows(self, connection: Connection, **asked: object) -> list[Row]:
        blank: Row = dict.fromkeys(("selector", "names", "number", "display_name", "created_by"))
        page: Row = {"include_purged": True, "limit": 1, "offset": 0, "now": self.now()}
        return await (await connection.execute(SQL["tenants"], blank | page | asked)).fetchall()

    async def get_tenant(self, id_or_name: str) -> TenantRow:
        """Find a tenant by number (all digits) or name; NotFound."""
        async with self.session() as connection:
            return await self._get(connection, id_or_name)

    async def _get(self, connection: Connection, id_or_name: str) -> TenantRow:
        numbered = id_or_name.isascii() and id_or_name.isdigit() and len(id_or_name) <= NUMBER_DIGITS_MAX
        asked: Row = {"number": int(id_or_name)} if numbered else {"names": [codec.storable(id_or_name)]}
        rows = await self._rows(connection, **asked)
        if not rows:
            raise NotFound(f"there is no tenant {shown(id_or_name)}")
        return read_tenant(rows[0])

    async def find_display_name(self, display_name: str) -> TenantRow | None:
        """Find a tenant that is not purged by display name, case-insensitive."""
        async with self.session() as connection:
            asked = {"display_name": codec.storable(display_name), "include_purged": False}
            rows = await self._rows(connection, **asked)
        return read_tenant(rows[0]) if rows else None

    async def put_tenant(
        self, columns: Mapping[str, Json], actor: Actor, *, create_only: bool = False, generation: int | None = None
    ) -> Applied:
        """Create or change the tenant `columns['name']`: given columns replace, absent ones stay.

        `create_only` raises Taken if it exists; `generation` raises Taken if it moved. Unchanged writes nothing.
        """
        values = checked_values(columns)
        name = values["name"]
        async with self.acting(actor) as connection:
            before = await self.locked(connection, name)
            if before is None:
                await self.insert(connection, values, actor)
                outcome = "created"
            else:
                _check_race(before, name, create_only=create_only, generation=generation)
                changed = {key: value for key, value in values.items() if _differs(before[key], value)}
                outcome = await self.update(connection, name, changed) if changed else "unchanged"
            await connection.execute(SQL["accept"], {"kind": "Tenant", "name": name})
            after = await self.locked(connection, name)
        assert after is not None
        return Applied(name=name, outcome=outcome, generation=after["generation"], revision=after["revision"])

    async def locked(self, connection: Connection, name: object) -> Row | None:
        """Read and lock a tenant's row for the rest of the transaction; None when there is none."""
        return await (await connection.execute(SQL["lock_tenant"], {"name": name})).fetchone()

    async def insert(self, connection: Connection, values: Row, actor: Actor) -> None:
        """Make a tenant of checked values, in the actor's own transaction."""
        values = values | {"created_by": codec.storable(actor.name)}
        names = sql.SQL(", ").join(sql.Identifier(column) for column in values)
        holes = sql.SQL(", ").join(sql.Placeholder(column) for column in values)
        statement = sql.SQL("INSERT INTO reconciler.tenants ({}) VALUES ({})").format(names, holes)
        await connection.execute(statement, values)

    async def update(self, connection: Connection, name: str, changed: Row) -> str:
        """Change columns of a tenant by checked values, in the actor's own transaction."""
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in changed
        )
        statement = sql.SQL("UPDATE reconciler.tenants SET {} WHERE name = %(name)s").format(sets)
        await connection.execute(statement, changed | {"name": name})
        return "changed"

    async def set_state(self, name: str, state: str, actor: Actor, *, purge_mode: str = "wait") -> TenantRow:
        """Set running, suspended or deleted; `purge_mode` of a deletion: wait (keepFor), now, or orphan."""
        values = {"name": codec.storable(name), "state": state, "purge_mode": purge_mode}
        async with self.acting(actor) as connection:
            if (await connection.execute(SQL["set_state"], values)).rowcount == 0:
                raise NotFound(f"there is no tenant {shown(name)}")
            return await self._get(connection, name)

    async def reconcile(self, name: str, actor: Actor) -> str:
        """Ask for a pass now, with a deep check and refusals lifted; answer the token that status will show."""
        token = secrets.token_hex(8)
        async with self.acting(actor) as connection:
            await self.must_exist(connection, "tenant", name)
            await connection.execute(SQL["set_token"], {"name": name, "token": token})
            await connection.execute(SQL["lift_refusals"], {"name": name})
            await connection.execute(SQL["wake"], {"names": [name]})
            await self.note(connection, actor, "reconcile", name)
        return token

    async def set_hold(self, name: str, why: str, until: datetime, actor: Actor) -> None:
        """Hands off this tenant until then."""
        if until <= self.now():
            raise Invalid(
                [Problem(path="until", message="lies in the past", value=until.isoformat(), remedy="give a later time")]
            )
        values: Row = {"name": name, "by": codec.storable(actor.name), "why": codec.storable(why), "until": until}
        async with self.acting(actor) as connection:
            await self.must_exist(connection, "tenant", name)
            await connection.execute(SQL["set_hold"], values | {"now": self.now()})
            await connection.execute(SQL["wake"], {"names": [name]})
            await self.note(connection, actor, "hold", name, f"until {until:%Y-%m-%d %H:%M} UTC: {why}")

    async def clear_hold(self, name: str, actor: Actor) -> None:
        """Lift a hold; NotFound when there is none."""
        async with self.acting(actor) as connection:
            if (await connection.execute(SQL["clear_hold"], {"name": name, "now": self.now()})).rowcount == 0:
                raise NotFound(f"tenant {shown(name)} is not held")
            await connection.execute(SQL["wake"], {"names": [name]})
            await self.note(connection, actor, "release hold", name)


def checked_values(columns: Mapping[str, Json]) -> Row:
    """Make the statement's values; a column that is not the contract's is refused by name."""
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown:
        remedy = f"it is one of: {', '.join(COLUMNS)}"
        raise Invalid(
            Problem(path=path_of(column), message="is not a column of a tenant", remedy=remedy) for column in unknown
        )
    if not isinstance(columns.get("name"), str):
        raise Invalid([Problem(path="metadata.name", message="is required", remedy="give the tenant's name")])
    return {column: _value(column, value) for column, value in columns.items()}


def _value(column: str, value: Json) -> object:
    if column in OBJECTS:
        return Jsonb(codec.encode(value if value is not None else {}))
    if isinstance(value, str):
        return None if value == "" and column in EMPTY_IS_NULL else value
    return value


def _differs(before: object, after: object) -> bool:
    return before != (after.obj if isinstance(after, Jsonb) else after)


def _check_race(before: Row, name: str, *, create_only: bool, generation: int | None) -> None:
    if create_only:
        raise Taken(f"there is a tenant {shown(name)} already; choose another name", field="name")
    if generation is not None and before["generation"] != generation:
        raise Taken(
            f"{name} was changed by somebody else: it is at generation {before['generation']}, not {generation}; "
            "read it again",
            field="generation",
        )


def read_tenant(row: Row) -> TenantRow:
    """Make the doors' value of a row of `tenants`."""
    same = ("number", "name", "external_id", "blueprint", "state", "params", "labels", "region", "priority", "details")
    more = ("generation", "revision", "created_by", "created_at", "updated_at", "purge_at", "fresh", "reconciled_at")
    queue = ("next_at", "next_class", "failures", "under_way")
    return TenantRow(
        **{key: row[key] for key in (*same, *more, *queue)},
        display_name=row["display_name"] or "",
        tier=row["tier"] or "",
        purged=row["purged_at"] is not None,
        status=codec.decode(Status, row["status"]) if row["status"] else None,
        hold=read_hold(row["hold"]),
        resource_ids=row["resource_ids"],
    )
