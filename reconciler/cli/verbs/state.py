"""The verbs `suspend`, `resume`, `delete`: set one word of a tenant's spec; what follows is the engine's business."""

from typing import Annotated

import typer

from reconciler.cli import bulk, root, session, text, waiting
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.session import Session
from reconciler.cli.waiting import Goal


@root.app.command(
    "suspend",
    short_help="Switch customers off; data is kept.",
    epilog=root.examples("reconciler suspend acme", "reconciler suspend acme bolt --wait --timeout 5m"),
)
def suspend(names: root.Names, wait: root.Wait = False, timeout: root.Timeout = "10m") -> None:
    """Switch customers off: their resources are suspended, their data is kept."""
    _set_state(names, "suspended", Goal.SUSPENDED if wait else None, timeout)


@root.app.command(
    "resume",
    short_help="Switch on again; undo a deletion.",
    epilog=root.examples(
        "reconciler resume acme", "reconciler resume acme --wait    # also undoes a deletion within keepFor"
    ),
)
def resume(names: root.Names, wait: root.Wait = False, timeout: root.Timeout = "10m") -> None:
    """Switch customers on again; until the purge this undoes a deletion as well."""
    _set_state(names, "running", Goal.READY if wait else None, timeout)


@root.app.command(
    "delete",
    short_help="Suspend now, purge after keepFor.",
    epilog=root.examples(
        "reconciler delete acme                 # suspended now, purged after keepFor; `resume` undoes it until then",
        "reconciler delete acme --now --yes     # purged at once, data and all",
        "reconciler delete acme --orphan --yes  # forgotten here, left running at Render",
    ),
)
def delete(
    names: root.Names,
    now: Annotated[bool, typer.Option("--now", help="Purge at once instead of after keepFor. Not undoable.")] = False,
    orphan: Annotated[bool, typer.Option("--orphan", help="Forget the stack and leave it running.")] = False,
    wait: root.Wait = False,
    timeout: root.Timeout = "10m",
    yes: root.Yes = False,
) -> None:
    """Delete tenants: suspended now, purged after their Blueprint's keepFor, until then `resume` undoes it."""
    if now and orphan:
        raise Failure("--now and --orphan exclude each other", remedy="choose one", code=ExitCode.USAGE)
    if wait and not (now or orphan):
        raise Failure(
            "the purge comes days later, so --wait would not return",
            remedy="add --now, or wait for the suspension: `reconciler wait NAME --for generation`",
            code=ExitCode.USAGE,
        )
    who = ", ".join(names)
    effect = (
        f"Purge {who} with all data now? This cannot be undone."
        if now
        else f"Forget {who} and leave what runs at Render to itself? This cannot be undone."
        if orphan
        else f"Delete {who}? Suspended now, purged after keepFor; `reconciler resume` undoes it until then."
    )
    bulk.confirm(effect, yes=yes)
    mode = "now" if now else "orphan" if orphan else "wait"
    _set_state(names, "deleted", Goal.DELETED if wait else None, timeout, mode=mode)


def _set_state(names: list[str], state: str, goal: Goal | None, timeout: str, mode: str = "wait") -> None:
    limit_s = root.seconds(timeout)

    async def all_of_them(opened: Session) -> None:
        async def one(name: str) -> str:
            return await _one(opened, name, state, mode)

        await bulk.each(names, one)
        if goal is not None:
            await waiting.wait(opened, names, goal, limit_s)

    session.run(all_of_them)


async def _one(opened: Session, name: str, state: str, mode: str) -> str:
    before = await opened.registry.get_tenant(name)
    row = await opened.registry.set_state(name, state, opened.actor, purge_mode=mode)
    if state == "deleted":
        return _deleted(name, mode, text.at(row.purge_at, opened.now()))
    undone = " (the deletion is undone)" if before.state == "deleted" else ""
    same = before.state == row.state and before.generation == row.generation
    word = {"suspended": "suspended", "running": "running"}[state]
    return f"tenant/{name} already {word}" if same else f"tenant/{name} {word} from now on{undone}"


def _deleted(name: str, mode: str, purged_at: str) -> str:
    match mode:
        case "now":
            return f"tenant/{name} is being purged"
        case "orphan":
            return f"tenant/{name} is being forgotten; its resources go on running at Render"
        case _:
            return f"tenant/{name} deleted: suspended now, purged {purged_at}; `reconciler resume {name}` undoes it"
