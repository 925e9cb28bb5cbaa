"""Gets the plan that the engine would carry out, from the composition root or over HTTP; it decides nothing."""

from collections.abc import Mapping

from reconciler.cli.render_plan import PlanView
from reconciler.cli.session import Session
from reconciler.core.values import Json


async def preview(opened: Session, name: str, columns: Mapping[str, Json] | None) -> PlanView:
    """Answer the plan of a tenant as it stands, or as it would stand with these columns. Nothing is changed."""
    from reconciler.cli.remote import RemoteRegistry

    if isinstance(opened.registry, RemoteRegistry):
        return await opened.registry.plan(name, columns)
    from reconciler import daemon

    return await daemon.preview(opened.settings, name, columns)
