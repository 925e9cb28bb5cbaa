"""Judges a service's events: has a server failed and not come back; it reads none itself.

Render API 6.3, 6.4. A failure is over when a server became available later, or a later deploy went live.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from reconciler.render import wire

FAILED = "server_failed"
AVAILABLE = "server_available"
DEPLOYED = "deploy_ended"
HARDWARE = "server_hardware_failure"
TYPES = (FAILED, AVAILABLE, DEPLOYED, HARDWARE)
SUCCEEDED = "succeeded"
REASON_MAX = 120
NEVER = datetime.min.replace(tzinfo=UTC)


def failure(found: Iterable[wire.ServiceEvent]) -> str | None:
    """Answer a phrase about failures that nothing later has ended, or None."""
    standing: list[wire.ServiceEvent] = []
    for event in sorted(found, key=lambda event: event.timestamp or NEVER):
        if event.type in {FAILED, HARDWARE}:
            standing.append(event)
        elif event.type == AVAILABLE or event.details.get("deployStatus") == SUCCEEDED:
            standing.clear()
    if not standing:
        return None
    times = f"{len(standing)} times, last: " if len(standing) > 1 else ""
    return f"server failed {times}{_reason(standing[-1])}"


def _reason(event: wire.ServiceEvent) -> str:
    """Say why, from {evicted, nonZeroExit, earlyExit, oomKilled, timedOutSeconds, unhealthy}."""
    if event.type == HARDWARE:
        return "hardware failure"
    reason = event.details.get("reason")
    told = reason if isinstance(reason, dict) else {}
    for field, phrase in (
        ("oomKilled", "out of memory"),
        ("nonZeroExit", "exited with status {}"),
        ("unhealthy", "unhealthy: {}"),
        ("timedOutSeconds", "timed out after {} s"),
        ("evicted", "evicted"),
        ("earlyExit", "exited early"),
    ):
        value = told.get(field)
        if value:
            return phrase.format(_plain(value))
    return "for no reason that Render names"


def _plain(value: object) -> str:
    """Escape and bound a text that comes from the tenant's own program."""
    text = value if isinstance(value, str) else repr(value)
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:REASON_MAX])
    return safe
