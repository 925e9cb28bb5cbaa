"""Gets the plan that the engine would carry out, from the composition root or over HTTP; it decides nothing."""

import io
import sys
from collections.abc import Mapping
from typing import TextIO, cast

from pydantic import SecretStr

from reconciler import settings as every_setting
from reconciler.cli import local, session
from reconciler.cli.render_plan import PlanView
from reconciler.cli.session import Session
from reconciler.core.values import Json
from reconciler.settings import Settings
from reconciler.telemetry import logs

SIMULATED_KEY = "rnd_simulated"
"""A simulator takes any key."""


async def preview(opened: Session, name: str, columns: Mapping[str, Json] | None) -> PlanView:
    """Answer the plan of a tenant as it stands, or as it would stand with these columns. Nothing is changed."""
    from reconciler.cli.remote import RemoteRegistry

    if isinstance(opened.registry, RemoteRegistry):
        return await opened.registry.plan(name, columns)
    from reconciler import daemon

    return (await daemon.preview(complete(opened.settings), name, columns)).plan


class _Notes(io.TextIOBase):
    """Standard error as it is when something is written, whoever has replaced it since."""

    def write(self, words: str) -> int:
        """Write beside the result."""
        return sys.stderr.write(words)

    def isatty(self) -> bool:
        """Say whether a person reads it."""
        return sys.stderr.isatty()


def complete(settings: Settings) -> Settings:
    """Add what a local run has to settings that do not say it; Invalid when a real workspace's are incomplete."""
    simulator = local.simulator_url(settings)
    changes: dict[str, object] = {"database_url": session.database_url(settings)}
    if simulator and not settings.render_api_key.get_secret_value():
        changes |= {"render_api_url": f"{simulator}/v1", "render_api_key": SecretStr(SIMULATED_KEY)}
    if not settings.encryption_key.get_secret_value():
        changes["encryption_key_file"] = local.key_file(settings)
    whole = settings.model_copy(update=changes)
    every_setting.require_production(whole)
    logs.configure("warning", stream=cast(TextIO, _Notes()), as_json=False)  # results alone go to standard output
    return whole
