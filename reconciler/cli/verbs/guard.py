"""The verbs `hold`, `brake` and `reconcile`: hands off one, hands off all, look now; they carry nothing out."""

import asyncio
import time
from datetime import timedelta
from typing import Annotated

import typer

from reconciler.cli import bulk, output, root, session, tables, text, waiting
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format
from reconciler.cli.session import Session
from reconciler.core.values import Json
from reconciler.ports import Brake


@root.app.command(
    "hold",
    short_help="Hands off tenants for a while.",
    epilog=root.examples(
        'reconciler hold acme --for 2h --why "incident 311"',
        "reconciler hold acme --release",
    ),
)
def hold(
    names: root.Names,
    length: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d.", show_default=False)] = "",
    why: Annotated[str, typer.Option("--why", help="The reason, shown to everybody.", show_default=False)] = "",
    release: Annotated[bool, typer.Option("--release", help="Lift the hold.")] = False,
) -> None:
    """Keep hands off tenants for a while: nothing is changed and nothing healed, whatever their specs say."""
    if release and (length or why):
        raise Failure("--release takes neither --for nor --why", code=ExitCode.USAGE)
    if not release and not (length and why.strip()):
        raise Failure(
            "a hold needs an end and a reason",
            remedy="write --for 2h --why TEXT, or --release to lift one",
            code=ExitCode.USAGE,
        )
    length_s = 0.0 if release else root.seconds(length)
    if not release and length_s <= 0:
        raise Failure("--for must be longer than nothing", code=ExitCode.USAGE)

    async def hold_all(opened: Session) -> None:
        async def one(name: str) -> str:
            if release:
                await opened.registry.clear_hold(name, opened.actor)
                return f"tenant/{name} released"
            until = opened.now() + timedelta(seconds=length_s)
            await opened.registry.set_hold(name, why.strip(), until, opened.actor)
            return f"tenant/{name} held until {text.about(until, opened.now())}"

        await bulk.each(names, one)

    session.run(hold_all)


@root.app.command(
    "brake",
    short_help="Hands off all, or only plan and report.",
    epilog=root.examples(
        "reconciler brake                             # how it stands",
        'reconciler brake stop --why "Render incident"',
        "reconciler brake observe --why audit         # go on looking and planning, without one write",
        "reconciler brake normal",
    ),
)
def brake(
    position: Annotated[
        Brake | None, typer.Argument(help="Where to move it; without one it is only shown.", show_default=False)
    ] = None,
    why: Annotated[str, typer.Option("--why", help="The reason, shown to everybody.", show_default=False)] = "",
    form: root.Output = Format.TABLE,
) -> None:
    """Stop all effects on Render (stop), only plan and report (observe), or go on (normal)."""
    if position not in (None, Brake.NORMAL) and not why.strip():
        raise Failure("braking needs a reason", remedy="add --why TEXT", code=ExitCode.USAGE)

    async def move(opened: Session) -> tuple[Brake, str]:
        if position is not None:
            await opened.registry.set_brake(position, why.strip(), opened.actor)
        return await opened.registry.brake()

    now, reason = session.run(move)
    said: dict[str, Json] = {"brake": now.value, "why": reason}
    match form:
        case Format.JSON:
            output.print_json(said)
        case Format.YAML:
            output.print_yaml(said)
        case Format.NAME:
            output.line(f"brake/{now.value}")
        case _:
            output.line(f"brake    {now.value.upper() if now is not Brake.NORMAL else now.value}{_because(reason)}")


def _because(reason: str) -> str:
    return f"    {reason}" if reason else ""


@root.app.command(
    "reconcile",
    short_help="Look at tenants now; retry what failed.",
    epilog=root.examples("reconciler reconcile acme", "reconciler reconcile acme --wait --timeout 2m"),
)
def reconcile(
    names: root.Names,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the pass has been made.")] = False,
    timeout: root.Timeout = "10m",
) -> None:
    """Look at tenants now, deeply; ask once more what Render refused, deploy again what failed to deploy."""
    limit_s = root.seconds(timeout)

    async def look(opened: Session) -> None:
        tokens: dict[str, str] = {}

        async def one(name: str) -> str:
            tokens[name] = await opened.registry.reconcile(name, opened.actor)
            return f"tenant/{name} will be looked at now"

        await bulk.each(names, one)
        if wait:
            await _handled(opened, tokens, time.monotonic() + limit_s)

    session.run(look)


async def _handled(opened: Session, tokens: dict[str, str], ends: float) -> None:
    """Wait until every tenant's status shows the token of our request."""
    for name, token in tokens.items():
        while True:
            row = await opened.registry.get_tenant(name)
            if row.status is not None and row.status.handled_token == token:
                output.line(f"{name}  looked at: {tables.why(row)}")
                break
            if time.monotonic() >= ends:
                raise Failure(f"{name} was not looked at in time", code=ExitCode.TIMEOUT)
            await asyncio.sleep(waiting.POLL_S)
