"""Declares the tables of what is owned, seen, done, paid and kept secret, as metadata; statements live in SQL files."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlmodel import SQLModel

from reconciler.postgres.columns import SCHEMA, column


class InventoryObject(SQLModel, table=True):
    """What we own at Render, and what we know of it that no list shows."""

    __tablename__ = "inventory"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="inventory_tenant_fkey"),
        UniqueConstraint("tenant", "component", name="component_has_one_object"),
        {"schema": SCHEMA},
    )

    workspace: str = column(Text, primary_key=True)
    id: str = column(Text, primary_key=True)
    tenant: str = column(Text)
    component: str = column(Text)
    kind: str = column(Text)
    name: str = column(Text)
    known: dict[str, Any] = column(JSONB)
    absent_looks: int = column(Integer)
    created_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    since: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)


class SnapshotObject(SQLModel, table=True):
    """One object of the shared picture, written only where it changed."""

    __tablename__ = "snapshot"
    __table_args__ = (
        Index("snapshot_name", "workspace", "kind", "name"),
        {"schema": SCHEMA},
    )

    workspace: str = column(Text, primary_key=True)
    id: str = column(Text, primary_key=True)
    kind: str = column(Text)
    name: str = column(Text)
    observed: dict[str, Any] = column(JSONB)
    seen_at: datetime = column(TIMESTAMP(timezone=True))
    absent_sweeps: int = column(Integer)
    gone: bool = column(Boolean)


class Sweep(SQLModel, table=True):
    """When the newest full sweep of a kind began."""

    __tablename__ = "sweeps"
    __table_args__ = ({"schema": SCHEMA},)

    workspace: str = column(Text, primary_key=True)
    kind: str = column(Text, primary_key=True)
    started_at: datetime = column(TIMESTAMP(timezone=True))


class Operation(SQLModel, table=True):
    """The journal: one effect, written before its bytes go out."""

    __tablename__ = "operations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="operations_tenant_fkey"),
        Index(
            "one_open_operation",
            "tenant",
            "component",
            unique=True,
            postgresql_where=text("state IN ('planned', 'sent', 'unknown')"),
        ),
        Index("operations_sent", "sent_at"),
        Index("operations_tenant", "tenant", "id"),
        Index("operations_window", "workspace", "bucket", "window_start"),
        {"schema": SCHEMA},
    )

    id: int = column(BigInteger, primary_key=True, identity=True)
    workspace: str = column(Text)
    tenant: str = column(Text)
    component: str = column(Text)
    verb: str = column(Text)
    kind: str = column(Text)
    name: str = column(Text)
    live_id: str = column(Text)
    environment_id: str = column(Text)
    request_hash: str = column(Text)
    summary: str = column(Text)
    state: str = column(Text)
    bucket: str | None = column(Text, nullable=True)
    window_start: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    epoch: int = column(BigInteger)
    generation: int = column(BigInteger)
    planned_at: datetime = column(TIMESTAMP(timezone=True))
    sent_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    sent_real_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    settled_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    status: int = column(Integer)
    message: str = column(Text)
    looks: int = column(Integer)
    looked_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)


class Refusal(SQLModel, table=True):
    """An effect that Render refused: not asked again for the same generation and request."""

    __tablename__ = "refusals"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="refusals_tenant_fkey"),
        {"schema": SCHEMA},
    )

    tenant: str = column(Text, primary_key=True)
    component: str = column(Text, primary_key=True)
    request_hash: str = column(Text, primary_key=True)
    generation: int = column(BigInteger, primary_key=True)
    status: int = column(Integer)
    message: str = column(Text)
    at: datetime = column(TIMESTAMP(timezone=True))


class BudgetWindow(SQLModel, table=True):
    """What is used of a bucket"s window, its limit by the headers, its penalty and pause."""

    __tablename__ = "budget"
    __table_args__ = ({"schema": SCHEMA},)

    workspace: str = column(Text, primary_key=True)
    bucket: str = column(Text, primary_key=True)
    live_id: str = column(Text, primary_key=True)
    window_start: datetime = column(TIMESTAMP(timezone=True))
    window_end: datetime = column(TIMESTAMP(timezone=True))
    used: int = column(Integer)
    limit_seen: int | None = column(Integer, nullable=True)
    penalty_until: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    paused_until: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    paused_message: str = column(Text)


class Event(SQLModel, table=True):
    """One reason of one component of a tenant, counted; every change gives it a new id."""

    __tablename__ = "events"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="events_tenant_fkey"),
        UniqueConstraint("tenant", "reason", "component", name="events_reason"),
        {"schema": SCHEMA},
    )

    id: int = column(BigInteger, primary_key=True)
    tenant: str = column(Text)
    reason: str = column(Text)
    component: str = column(Text)
    message: str = column(Text)
    warning: bool = column(Boolean)
    count: int = column(BigInteger)
    first_at: datetime = column(TIMESTAMP(timezone=True))
    last_at: datetime = column(TIMESTAMP(timezone=True))


class LedgerInterval(SQLModel, table=True):
    """One interval of use at one price; append-only, its end is set once."""

    __tablename__ = "ledger"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="ledger_tenant_fkey"),
        Index("ledger_tenant", "tenant", "started_at"),
        Index("one_open_interval", "workspace", "resource_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        {"schema": SCHEMA},
    )

    id: int = column(BigInteger, primary_key=True, identity=True)
    workspace: str = column(Text)
    tenant: str = column(Text)
    component: str = column(Text)
    resource_id: str = column(Text)
    kind: str = column(Text)
    blueprint: str = column(Text)
    tier: str | None = column(Text, nullable=True)
    started_at: datetime = column(TIMESTAMP(timezone=True))
    ended_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    uncertainty_s: float = column(Double)
    end_uncertainty_s: float = column(Double)
    facts: dict[str, Any] = column(JSONB)
    usd_per_month: Decimal | None = column(Numeric, nullable=True)
    book: str = column(Text)


class KeptPass(SQLModel, table=True):
    """What a pass was made from, planned and did, compressed; `count` of them in a row said the same."""

    __tablename__ = "passes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="passes_tenant_fkey"),
        Index("passes_tenant", "tenant", "id"),
        Index("passes_at", "at"),
        {"schema": SCHEMA},
    )

    id: int = column(BigInteger, primary_key=True, identity=True)
    tenant: str = column(Text)
    epoch: int = column(BigInteger)
    first_at: datetime = column(TIMESTAMP(timezone=True))
    at: datetime = column(TIMESTAMP(timezone=True))
    count: int = column(Integer)
    wake_class: str = column(Text)
    took_s: float = column(Double)
    result: str = column(Text)
    generation: int = column(BigInteger)
    blueprint: str = column(Text)
    revision: int = column(Integer)
    summary: str = column(Text)
    fingerprint: str = column(Text)
    version: str = column(Text)
    document: bytes = column(LargeBinary)


class AuditEntry(SQLModel, table=True):
    """Who changed what, when."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_subject", "subject", "id"),
        {"schema": SCHEMA},
    )

    id: int = column(BigInteger, primary_key=True, identity=True)
    at: datetime = column(TIMESTAMP(timezone=True))
    actor: str = column(Text)
    via: str = column(Text)
    action: str = column(Text)
    subject: str = column(Text)
    detail: str = column(Text)


class Rejection(SQLModel, table=True):
    """A document that apply refused, until a good one comes."""

    __tablename__ = "rejections"
    __table_args__ = ({"schema": SCHEMA},)

    kind: str = column(Text, primary_key=True)
    name: str = column(Text, primary_key=True)
    message: str = column(Text)
    at: datetime = column(TIMESTAMP(timezone=True))


class Secret(SQLModel, table=True):
    """A ciphertext, bound to its scope, owner and key."""

    __tablename__ = "secrets"
    __table_args__ = ({"schema": SCHEMA},)

    scope: str = column(Text, primary_key=True)
    owner: str = column(Text, primary_key=True)
    key: str = column(Text, primary_key=True)
    ciphertext: bytes = column(LargeBinary)
    key_id: str = column(Text)
    updated_at: datetime = column(TIMESTAMP(timezone=True))


class ApiKey(SQLModel, table=True):
    """An API key; of its secret only a hash."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("key_name_is_taken", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        {"schema": SCHEMA},
    )

    id: str = column(Text, primary_key=True)
    name: str = column(Text)
    hash: str = column(Text)
    scopes: list[str] = column(ARRAY(Text))
    created_at: datetime = column(TIMESTAMP(timezone=True))
    revoked_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)


class IdempotentAnswer(SQLModel, table=True):
    """The answer of an HTTP request that may be repeated, for a day."""

    __tablename__ = "idempotency"
    __table_args__ = ({"schema": SCHEMA},)

    key: str = column(Text, primary_key=True)
    fingerprint: str = column(Text)
    status: int | None = column(Integer, nullable=True)
    body: dict[str, Any] | None = column(JSONB, nullable=True)
    at: datetime = column(TIMESTAMP(timezone=True))
