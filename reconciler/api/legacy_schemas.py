"""Describes the answers of the replaced service's contract under /api/, which is frozen."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from reconciler.api.schemas import ConditionShape


class OldTenant(BaseModel):
    """A tenant in the words of the replaced service."""

    id: int
    name: str
    slug: str
    status: Literal["PROVISIONING", "ACTIVE", "SUSPENDED", "ERROR"]
    render_service_ids: dict[str, str]
    custom_plugin_repo: str | None
    created_at: datetime
    updated_at: datetime


class OldPage(BaseModel):
    """A page of tenants, as Django REST framework writes it."""

    count: int
    next: str | None
    previous: str | None
    page: int
    page_size: int
    results: list[OldTenant]


class OldStatus(BaseModel):
    """The four old words, and the finer truth beside them."""

    id: int
    status: Literal["PROVISIONING", "ACTIVE", "SUSPENDED", "ERROR"]
    phase: str
    why: str
    you: str
    url: str
    eta: datetime | None
    conditions: list[ConditionShape]


class OldDeletion(BaseModel):
    """A deletion that began."""

    message: Literal["Tenant deletion initiated"]
    tenant_id: int


class OldHealth(BaseModel):
    """The API is there."""

    status: Literal["ok"]
