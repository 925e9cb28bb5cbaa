"""Writes ownership of live objects into the records, all or nothing; what may be owned is not decided here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.adoption.match import Holder
from reconciler.core.errors import shown
from reconciler.core.inventory import Owned
from reconciler.core.status import Reason
from reconciler.core.values import Json, SecretRef, Sensitive
from reconciler.doors import Actor, Taken
from reconciler.postgres import claims, queries
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.registry_tenants import checked_values
from reconciler.postgres.store import PostgresStore

SQL = queries.load("takeover")
SECRETS = queries.load("secrets")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What one tenant takes over. `columns` are those of a new tenant, or the ones that change of one that exists.

    `generation` is that at which the tenant was examined, 0 for a new one. `secrets` go into the vault in place of
    what is there. `action` and `detail` are for the audit log, `message` is the event's.
    """

    tenant: str
    blueprint: str
    columns: Mapping[str, Json] | None = None
    generation: int = 0
    rows: Sequence[Owned] = ()
    secrets: Mapping[SecretRef, Sensitive] = field(default_factory=dict)
    action: str = "adopt"
    detail: str = ""
    message: str = ""
    reason: Reason = Reason.ADOPTED


async def holders(store: PostgresStore) -> dict[str, Holder]:
    """Answer whose every owned object is, by id."""
    async with store.session() as connection:
        rows = await (await connection.execute(SQL["holders"], {"workspace": store.workspace})).fetchall()
    return {row["id"]: Holder(tenant=row["tenant"], component=row["component"]) for row in rows}


async def tenant_names(store: PostgresStore) -> list[str]:
    """Name every tenant that is not purged, in the order of their numbers."""
    async with store.session() as connection:
        rows = await (await connection.execute(SQL["tenants"])).fetchall()
    return [row["name"] for row in rows]


async def take(store: PostgresStore, registry: PostgresRegistry, actor: Actor, taking: Taking) -> None:
    """Write tenant, inventory, secrets, event and audit in one transaction, and wake the tenant.

    Raises Taken when somebody was quicker: the tenant was changed, an object is held by another, or an effect of the
    tenant is under way. A pass under way loses its lease: it planned without knowing what is owned now.
    """
    about: Row = {"tenant": taking.tenant, "workspace": store.workspace, "now": registry.now()}
    async with registry.acting(actor) as connection:
        await _tenant(registry, connection, taking, actor)
        await connection.execute(SQL["fence"], about)
        busy = await (await connection.execute(SQL["under_way"], about)).fetchone()
        if busy is not None:
            raise Taken(
                f"{busy['verb']} of {taking.tenant}'s {busy['component']} is under way: try again shortly", field="id"
            )
        for row in sorted(taking.rows, key=lambda one: one.id):
            held = await store.put_owned(connection, about, row)
            if held is not None:
                raise Taken(f"{row.id} cannot become {taking.tenant}'s {row.component}: {held}", field="id")
        await store.write_seen(connection, [one.observed for one in taking.rows if one.observed is not None])
        for ref, value in sorted(taking.secrets.items(), key=lambda pair: (pair[0].shared, pair[0].name)):
            await _keep(store, connection, taking, ref, value)
        await connection.execute(claims.SQL["lock_events"])
        event: Row = {"reason": taking.reason, "component": "", "message": taking.message, "warning": False}
        await connection.execute(claims.SQL["put_event"], about | event)
        await registry.note(connection, actor, taking.action, taking.tenant, taking.detail)
        await connection.execute(claims.SQL["wake"], {"tenants": [taking.tenant], "wake_class": "user"})


async def _tenant(registry: PostgresRegistry, connection: Any, taking: Taking, actor: Actor) -> None:  # noqa: ANN401 - pool's connection
    """Make or change the tenant's record, if it is still the one that was examined."""
    before = await registry.locked(connection, taking.tenant)
    found = before["generation"] if before is not None else 0
    if found != taking.generation:
        was = f"is at generation {found}" if found else "is not there any more"
        raise Taken(f"tenant {shown(taking.tenant)} was changed meanwhile, it {was}: look again", field="generation")
    if taking.columns is None:
        return
    values = checked_values(taking.columns)
    if before is None:
        await registry.insert(connection, values, actor)
    else:
        await registry.update(connection, taking.tenant, values)


async def _keep(store: PostgresStore, connection: Any, taking: Taking, ref: SecretRef, value: Sensitive) -> None:  # noqa: ANN401 - pool's connection
    scope, owner = ("blueprint", taking.blueprint) if ref.shared else ("tenant", taking.tenant)
    sealed = store.vault.seal(scope, owner, ref.name, value)
    place: Row = {"scope": scope, "owner": owner, "key": ref.name}
    await connection.execute(SECRETS["put"], place | {"ciphertext": sealed, "key_id": store.vault.newest})


async def missing_rows(store: PostgresStore, ids: Collection[str]) -> list[tuple[str, str, str]]:
    """Answer (tenant, component, id) of every inventory row whose object is not among these ids."""
    async with store.session() as connection:
        asked: Row = {"workspace": store.workspace, "ids": list(ids)}
        rows = await (await connection.execute(SQL["missing"], asked)).fetchall()
    return [(row["tenant"], row["component"], row["id"]) for row in rows]
