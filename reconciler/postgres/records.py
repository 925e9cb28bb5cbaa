"""Reads everything a pass needs at one moment, and the stops and secrets beside it; it judges none of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.spec import BlueprintSpec, DesiredState, TenantSpec
from reconciler.core.status import Status
from reconciler.core.values import SecretRef, Sensitive
from reconciler.ports import Brake, Hold, Metered, Operation, OperationState, Record, Refusal
from reconciler.postgres import codec, queries
from reconciler.postgres.adapter import Adapter
from reconciler.postgres.pool import Connection

SQL = queries.load("records")
SECRETS = queries.load("secrets")
SPEC_COLUMNS = (
    "name", "external_id", "display_name", "blueprint", "tier", "state", "params", "labels", "region", "priority",
    "details",
)  # fmt: skip
PARSED_MAX = 256
"""Parsed Blueprint revisions kept in memory; they are immutable."""
Row = dict[str, Any]


def pinned_revision(details: Mapping[str, Any], now: datetime) -> int | None:
    """Answer the revision that a pin keeps the tenant on today, None without a pin or after its last day."""
    pin = details.get("pin")
    if not isinstance(pin, dict):
        return None
    try:
        revision, until = int(pin["revision"]), date.fromisoformat(str(pin["until"])[:10])
    except (KeyError, TypeError, ValueError):
        return None  # the reader of the document reports it
    return revision if now.date() <= until else None


def read_observed(document: Any, seen_at: datetime) -> Observed:  # noqa: ANN401 - JSON of the snapshot
    """Put the time back that the snapshot keeps in a column of its own."""
    return codec.decode(Observed, document | {"seen_at": seen_at.isoformat()})


class Records(Adapter):
    """The reading side of the store."""

    async def load(self, tenant: str, now: datetime) -> Record:
        """Read all a pass needs, as of one moment; NotFound when there is no such tenant."""
        key: Row = {"tenant": tenant, "workspace": self.workspace, "now": now}
        async with self.session() as connection:
            row = await (await connection.execute(SQL["pass"], key)).fetchone()
            if row is None:
                raise NotFound(f"there is no tenant {shown(tenant)}")
            problems: list[str] = []
            spec = self._read_tenant(row, problems)
            revision = pinned_revision(row["details"], now) or row["revision"] or row["newest"]
            blueprint = await self._read_blueprint(connection, row["blueprint"], revision, problems)
        secrets, attributes = self._read_secrets(row["secrets"] or ())
        return Record(
            tenant=spec,
            blueprint=blueprint,
            revision=revision,
            generation=row["generation"],
            number=row["number"],
            state=DesiredState(row["state"]),
            invalid=tuple(problems),
            created_at=row["created_at"],
            generation_at=row["generation_at"],
            purge_at=row["purge_at"],
            purge_mode=row["purge_mode"],
            purged=row["purged_at"] is not None,
            status=codec.decode(Status, row["status"]) if row["status"] else None,
            owned={one["component"]: _owned(one) for one in row["owned"] or ()},
            operations=tuple(_operation(one) for one in row["operations"] or ()),
            refusals=tuple(Refusal(**one) for one in row["refusals"] or ()),
            hold=_hold(row["hold"]),
            brake=Brake(row["brake"] or Brake.NORMAL),
            brake_why=row["brake_why"] or "",
            secrets=secrets,
            connection=attributes,
            metered={one["id"]: _metered(one) for one in row["metered"] or ()},
            reconcile_token=row["reconcile_token"],
            exported=row["deleted_at"] is not None and row["exported"],
            swept_at=row["swept_at"],
        )

    def _read_tenant(self, row: Row, problems: list[str]) -> TenantSpec | None:
        try:
            return self.reader.tenant({name: row[name] for name in SPEC_COLUMNS})
        except Invalid as error:
            problems.extend(str(problem) for problem in error.problems)
            return None

    async def _read_blueprint(
        self, connection: Connection, name: str, revision: int, problems: list[str]
    ) -> BlueprintSpec | None:
        known = self._parsed.get((name, revision))
        if known is not None:
            return known
        key: Row = {"blueprint": name, "revision": revision}
        row = await (await connection.execute(SQL["document"], key)).fetchone()
        if row is None:
            remedy = "pin a revision that exists, or remove the pin"
            problems.append(str(Problem(path="spec.pin", message=f"{name} has no revision {revision}", remedy=remedy)))
            return None
        try:
            parsed = self.reader.blueprint(name, row["document"])
        except Invalid as error:
            problems.extend(f"blueprint {name} r{revision}: {problem}" for problem in error.problems)
            return None
        if len(self._parsed) >= PARSED_MAX:
            self._parsed.pop(next(iter(self._parsed)))
        self._parsed[(name, revision)] = parsed
        return parsed

    def _read_secrets(self, rows: Iterable[Row]) -> tuple[dict[SecretRef, Sensitive], dict[tuple[str, str], Sensitive]]:
        secrets: dict[SecretRef, Sensitive] = {}
        attributes: dict[tuple[str, str], Sensitive] = {}
        for row in rows:
            scope, owner, key = row["scope"], row["owner"], row["key"]
            value = self.vault.open(scope, owner, key, bytes.fromhex(row["ciphertext"]), row["key_id"])
            if scope == "connection":
                found: dict[str, str] = json.loads(value.reveal())
                attributes.update({(key, name): Sensitive(text) for name, text in found.items()})
            else:
                secrets[SecretRef(key, shared=scope == "blueprint")] = value
        return secrets, attributes

    async def unowned(self, names: Sequence[tuple[Kind, str]]) -> Sequence[Observed]:
        """Answer snapshot objects with one of these names that no tenant's inventory holds."""
        key: Row = {"kinds": [k.value for k, _ in names], "names": [n for _, n in names], "workspace": self.workspace}
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["unowned"], key)).fetchall()
        return [read_observed(row["observed"], row["seen_at"]) for row in rows]

    async def shared_secrets(self, blueprint: str) -> dict[SecretRef, Sensitive]:
        """Answer the secrets that all tenants of a Blueprint share, for planning one that does not exist yet."""
        async with self.session() as connection:
            rows = await (await connection.execute(SECRETS["shared"], {"blueprint": blueprint})).fetchall()
        return self._read_secrets(rows)[0]

    async def put_secrets(self, tenant: str, generated: Mapping[str, Sensitive]) -> Mapping[str, Sensitive]:
        """Keep generated secrets, never replacing one that exists; answer what is kept."""
        kept: dict[str, Sensitive] = {}
        async with self.transaction() as connection:
            for name in sorted(generated):
                place: Row = {"scope": "tenant", "owner": tenant, "key": name}
                sealed = self.vault.seal("tenant", tenant, name, generated[name])
                await connection.execute(SECRETS["keep"], place | {"ciphertext": sealed, "key_id": self.vault.newest})
                row = await (await connection.execute(SECRETS["read"], place)).fetchone()
                assert row is not None
                kept[name] = self.vault.open("tenant", tenant, name, row["ciphertext"], row["key_id"])
        return kept

    async def put_connection(self, tenant: str, component: str, attributes: Mapping[str, Sensitive]) -> None:
        """Keep a datastore's secret attributes, encrypted, in place of those known before."""
        text = Sensitive(json.dumps({name: value.reveal() for name, value in attributes.items()}, sort_keys=True))
        sealed = self.vault.seal("connection", tenant, component, text)
        place: Row = {"scope": "connection", "owner": tenant, "key": component}
        async with self.session() as connection:
            await connection.execute(SECRETS["put"], place | {"ciphertext": sealed, "key_id": self.vault.newest})

    async def brake(self) -> tuple[Brake, str]:
        """Read the brake and its reason."""
        async with self.session() as connection:
            row = await (await connection.execute(SQL["brake"])).fetchone()
        return (Brake(row["mode"]), row["why"]) if row else (Brake.NORMAL, "")

    async def set_brake(self, brake: Brake, why: str, by: str) -> None:
        """Move the brake, audited."""
        async with self.transaction() as connection:
            await connection.execute(SQL["set_brake"], {"mode": brake, "why": why, "by": by})
            about: Row = {"actor": by, "via": "engine", "action": f"brake {brake}", "subject": "all", "detail": why}
            await connection.execute(SQL["audit"], about)


def read_operation(row: Row) -> Operation:
    """Make the value of a journal row."""
    return Operation(**(row | {"kind": Kind(row["kind"]), "state": OperationState(row["state"])}))


def _moment(text: str | None) -> datetime | None:
    """Read a time as JSON has it."""
    return None if text is None else datetime.fromisoformat(text)


def _owned(row: Row) -> Owned:
    return Owned(
        component=row["component"],
        kind=Kind(row["kind"]),
        id=row["id"],
        name=row["name"],
        observed=codec.decode(Observed, row["observed"] | {"seen_at": row["seen_at"]}) if row["observed"] else None,
        absent_looks=row["absent_looks"],
        known=codec.decode(Known, row["known"]),
        created_at=_moment(row["created_at"]),
        since=_moment(row["since"]),
    )


def _operation(row: Row) -> Operation:
    return read_operation(row | {name: _moment(row[name]) for name in ("sent_at", "looked_at")})


def _metered(row: Row) -> Metered:
    usd = row["usd_per_month"]
    return Metered(
        tenant=row["tenant"],
        component=row["component"],
        facts=row["facts"],
        usd_per_month=None if usd is None else Decimal(usd),
    )


def _hold(row: Row | None) -> Hold | None:
    return Hold(by=row["held_by"], why=row["why"], until=datetime.fromisoformat(row["until"])) if row else None
