"""Holds what a composition root tells the API, and the questions the API asks it; it reads no setting itself."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from reconciler.core.values import Sensitive

MIB = 1024 * 1024


class Health(Protocol):
    """Whether this process makes progress and can serve; both answer reasons, none when all is well."""

    async def live(self) -> Sequence[str]:
        """Say why the process should be restarted: the oldest overdue tenant is too old, no claim succeeded, ..."""

    async def ready(self) -> Sequence[str]:
        """Say why no request should be sent here: the database does not answer, the process is stopping, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Limits and wiring of the HTTP API. Times are real."""

    default_blueprint: str = ""
    """Blueprint of a tenant that comes over the older contract with a bare name (RECONCILER_DEFAULT_BLUEPRINT)."""
    default_tier: str = ""
    """Tier of such a tenant (RECONCILER_DEFAULT_TIER); empty when its Blueprint has none."""
    webhook_secret: Sensitive = field(default=Sensitive(""), repr=False)
    """`whsec_...` of Render's webhook; empty: /webhooks/render answers 404."""
    wake_resource: Callable[[str], Awaitable[bool]] | None = None
    """Wakes the tenant that owns a live id and answers whether there is one."""
    metrics_open: bool = False
    """Whether /metrics needs no key here; for local runs only."""
    public_url: str = ""
    """Address clients use, when a proxy hides it: for `next` and `previous`. Empty: what the request says."""
    session_secret: Sensitive = field(default=Sensitive(""), repr=False)
    """Signs the console's sessions; the same on every replica. Empty: random, so they end with the process."""
    secure_cookies: bool = False
    """Whether the console's cookie goes over TLS only; on whenever people come over https."""
    requests_per_minute: int = 600
    """What one key may ask; a burst of a tenth of it is let through at once."""
    body_bytes_max: int = MIB
    """Longest request body: specs are kilobytes, a self-contained Blueprint tens of them."""
    version: str = "0.1.0"
    """Shown in /docs."""
