"""The verbs `rollout ...`: where a Blueprint's newest revision has got to, and going on after a stop."""

import typer

from reconciler.cli import output, root, session, tables
from reconciler.cli.output import Format, Listing
from reconciler.cli.session import Session

verbs = root.group(
    "rollout",
    "See how far a Blueprint's newest revision has got, or let a stopped rollout go on.",
    "How edits of Blueprints reach tenants.",
    "reconciler rollout status",
    "reconciler rollout retry crm",
)


@verbs.command("status", epilog=root.examples("reconciler rollout status", "reconciler rollout status -o json"))
def status(form: root.Output = Format.TABLE) -> None:
    """List every Blueprint with its newest revision and how far its rollout has got."""

    async def listing(opened: Session) -> Listing:
        return tables.blueprints(await opened.registry.list_blueprints(), opened.now())

    output.show(session.run(listing), form)


@verbs.command("retry", epilog=root.examples("reconciler rollout retry crm"))
def retry(blueprint: str = typer.Argument(help="Name of a Blueprint.", show_default=False)) -> None:
    """Go on with a rollout that stopped because tenants failed; put the cause right first."""

    async def go_on(opened: Session) -> str:
        await opened.registry.retry_rollout(blueprint, opened.actor)
        return (await opened.registry.get_blueprint(blueprint)).rollout

    output.line(f"blueprint/{blueprint} goes on: {session.run(go_on)}")
