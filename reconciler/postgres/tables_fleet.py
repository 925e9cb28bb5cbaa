"""Declares the tables of tenants, Blueprints, queue and stops, as metadata; statements live in named SQL files."""

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
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlmodel import SQLModel

from reconciler.postgres.columns import SCHEMA, column


class WorldClock(SQLModel, table=True):
    """The world"s clock in one row, for triggers: world time `world_at` at the real time `real_at`, and its speed."""

    __tablename__ = "world_clock"
    __table_args__ = ({"schema": SCHEMA},)

    one: bool = column(Boolean, primary_key=True)
    world_at: datetime = column(TIMESTAMP(timezone=True))
    real_at: datetime = column(TIMESTAMP(timezone=True))
    speed: float = column(Double)


class Blueprint(SQLModel, table=True):
    """A Blueprint"s newest face: what the triggers on tenants need of it."""

    __tablename__ = "blueprints"
    __table_args__ = ({"schema": SCHEMA},)

    name: str = column(Text, primary_key=True)
    revision: int = column(Integer)
    params: dict[str, Any] = column(JSONB)
    keep_for_s: int = column(BigInteger)


class Tier(SQLModel, table=True):
    """A tier of a Blueprint; a retired one stays for the tombstones that name it."""

    __tablename__ = "tiers"
    __table_args__ = (
        ForeignKeyConstraint(["blueprint"], ["reconciler.blueprints.name"], name="tiers_blueprint_fkey"),
        {"schema": SCHEMA},
    )

    blueprint: str = column(Text, primary_key=True)
    tier: str = column(Text, primary_key=True)
    retired: bool = column(Boolean)


class BlueprintRevision(SQLModel, table=True):
    """One immutable revision; `halted` says that its rollout was stopped."""

    __tablename__ = "blueprint_revisions"
    __table_args__ = (
        ForeignKeyConstraint(["blueprint"], ["reconciler.blueprints.name"], name="blueprint_revisions_blueprint_fkey"),
        {"schema": SCHEMA},
    )

    blueprint: str = column(Text, primary_key=True)
    revision: int = column(Integer, primary_key=True)
    document: dict[str, Any] = column(JSONB)
    halted: bool = column(Boolean)
    created_at: datetime = column(TIMESTAMP(timezone=True))
    created_by: str = column(Text)


class Rollout(SQLModel, table=True):
    """The newest rollout of a Blueprint."""

    __tablename__ = "rollouts"
    __table_args__ = (
        ForeignKeyConstraint(["blueprint"], ["reconciler.blueprints.name"], name="rollouts_blueprint_fkey"),
        {"schema": SCHEMA},
    )

    blueprint: str = column(Text, primary_key=True)
    revision: int = column(Integer)
    state: str = column(Text)
    why: str = column(Text)
    started_at: datetime = column(TIMESTAMP(timezone=True))
    started_by: str = column(Text)


class Tenant(SQLModel, table=True):
    """The desired state of one customer: the table of the SQL contract (docs/sql.md)."""

    __tablename__ = "tenants"
    __table_args__ = (
        ForeignKeyConstraint(["blueprint"], ["reconciler.blueprints.name"], name="blueprint_in_use"),
        ForeignKeyConstraint(
            ["blueprint", "tier"], ["reconciler.tiers.blueprint", "reconciler.tiers.tier"], name="tier_in_use"
        ),
        UniqueConstraint("external_id", name="external_id_is_taken"),
        UniqueConstraint("number", name="number_is_taken"),
        Index("tenants_blueprint", "blueprint", "revision"),
        Index("tenants_display_name", text("lower(display_name)")),
        Index("tenants_labels", "labels", postgresql_using="gin"),
        {"schema": SCHEMA},
    )

    name: str = column(Text, primary_key=True)
    number: int = column(BigInteger, identity=True)
    external_id: str | None = column(Text, nullable=True)
    display_name: str | None = column(Text, nullable=True)
    blueprint: str = column(Text)
    tier: str | None = column(Text, nullable=True)
    state: str = column(Text)
    params: dict[str, Any] = column(JSONB)
    labels: dict[str, Any] = column(JSONB)
    region: str | None = column(Text, nullable=True)
    priority: int = column(SmallInteger)
    details: dict[str, Any] = column(JSONB)
    generation: int = column(BigInteger)
    generation_at: datetime = column(TIMESTAMP(timezone=True))
    deleted_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    deleted_generation: int | None = column(BigInteger, nullable=True)
    purge_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    purge_mode: str = column(Text)
    purged_at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    revision: int = column(Integer)
    reconcile_token: str = column(Text)
    created_by: str = column(Text)
    created_at: datetime = column(TIMESTAMP(timezone=True))
    updated_at: datetime = column(TIMESTAMP(timezone=True))


class TenantStatus(SQLModel, table=True):
    """What the operator says of a tenant; the narrow columns repeat the document"s."""

    __tablename__ = "status"
    __table_args__ = (
        ForeignKeyConstraint(["name"], ["reconciler.tenants.name"], name="status_name_fkey"),
        {"schema": SCHEMA},
    )

    name: str = column(Text, primary_key=True)
    phase: str = column(Text)
    ready: bool = column(Boolean)
    url: str | None = column(Text, nullable=True)
    eta: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    message: str = column(Text)
    monthly_usd: Decimal | None = column(Numeric, nullable=True)
    observed_generation: int = column(BigInteger)
    revision: int = column(Integer)
    document: dict[str, Any] = column(JSONB)
    updated_at: datetime = column(TIMESTAMP(timezone=True))


class TenantQueue(SQLModel, table=True):
    """Queue entry, dirty bit and lease of a tenant in one narrow, hot row; `due_at` 1970 means at once."""

    __tablename__ = "tenant_queue"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="tenant_queue_tenant_fkey"),
        Index("tenant_queue_due", "wake_class", "due_at", "queued_at"),
        Index("tenant_queue_lease", "lease_owner", postgresql_where=text("lease_until IS NOT NULL")),
        {"schema": SCHEMA},
    )

    tenant: str = column(Text, primary_key=True)
    wake_seq: int = column(BigInteger)
    handled_seq: int = column(BigInteger)
    wake_class: str = column(Text)
    due_at: datetime = column(TIMESTAMP(timezone=True))
    queued_at: datetime = column(TIMESTAMP(timezone=True))
    lease_owner: str | None = column(Text, nullable=True)
    lease_until: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
    lease_epoch: int = column(BigInteger)
    failures: int = column(Integer)


class Singleton(SQLModel, table=True):
    """The lease of a duty that one process at a time has."""

    __tablename__ = "singletons"
    __table_args__ = ({"schema": SCHEMA},)

    name: str = column(Text, primary_key=True)
    owner: str = column(Text)
    until: datetime = column(TIMESTAMP(timezone=True))


class CreateDemand(SQLModel, table=True):
    """How many creates a tenant still wants; no row: none."""

    __tablename__ = "create_demand"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="create_demand_tenant_fkey"),
        {"schema": SCHEMA},
    )

    tenant: str = column(Text, primary_key=True)
    wanted: int = column(Integer)
    ready: int = column(Integer)
    started: bool = column(Boolean)
    priority: int = column(SmallInteger)
    since: datetime = column(TIMESTAMP(timezone=True))


class Hold(SQLModel, table=True):
    """Hands off one tenant until a time."""

    __tablename__ = "holds"
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["reconciler.tenants.name"], name="holds_tenant_fkey"),
        {"schema": SCHEMA},
    )

    tenant: str = column(Text, primary_key=True)
    held_by: str = column(Text)
    why: str = column(Text)
    until: datetime = column(TIMESTAMP(timezone=True))
    at: datetime = column(TIMESTAMP(timezone=True))


class Brake(SQLModel, table=True):
    """Hands off all: the row `all`, and one a class of calls where wanted."""

    __tablename__ = "brake"
    __table_args__ = ({"schema": SCHEMA},)

    scope: str = column(Text, primary_key=True)
    mode: str = column(Text)
    why: str = column(Text)
    set_by: str = column(Text)
    at: datetime | None = column(TIMESTAMP(timezone=True), nullable=True)
