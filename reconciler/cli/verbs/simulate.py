"""The verbs `simulate ...`: start the simulated Render, or ask its control plane over HTTP; it simulates nothing."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer

from reconciler.cli import local, output, root
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Column, Format, Listing
from reconciler.core.values import Json

TIMEOUT_S = 30.0
HOST, PORT, SPEED = "127.0.0.1", 8787, 1.0

verbs = typer.Typer(
    name="simulate",
    short_help="A simulated Render: serve it, act in it.",
    invoke_without_command=True,
    epilog=root.examples(
        "reconciler simulate --speed 60 --state rehearsal.sqlite",
        "reconciler simulate human suspend backend-acme",
        "reconciler simulate clock --step 1h",
    ),
)
root.app.add_typer(verbs, name="simulate")

Pairs = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Further fields; values are JSON or text.")
]


@verbs.callback()
def simulate(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0: a free one.")] = PORT,
    speed: Annotated[float, typer.Option("--speed", min=0.001, help="Simulated seconds in a real one.")] = SPEED,
    frozen: Annotated[bool, typer.Option("--frozen", help="Only `simulate clock --step` moves the clock.")] = False,
    state: Annotated[Path | None, typer.Option("--state", help="File that keeps the world between runs.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Make ids and chance repeatable.")] = None,
    owner: Annotated[str, typer.Option("--owner-id", help="Workspace id; others are refused.")] = "",
    keys: Annotated[
        list[str] | None, typer.Option("--api-key", help="Accepted key, repeatable; without one every key works.")
    ] = None,
) -> None:
    """Serve a simulated Render, or act on the one that runs: be a person in the dashboard, move time, break things."""
    if context.invoked_subcommand is not None:
        return
    flags = ["--host", host, "--port", str(port), "--speed", str(speed)]
    flags += ["--frozen"] if frozen else []
    flags += ["--state", str(state)] if state is not None else []
    flags += ["--seed", str(seed)] if seed is not None else []
    flags += ["--owner-id", owner] if owner else []
    for key in keys or []:
        flags += [f"--api-key={key}"]
    sys.stdout.flush()
    # The simulator in this process's place: Ctrl-C, signals and what it says of bad values are its own.
    os.execv(sys.executable, [sys.executable, "-m", "reconciler.simulator", *flags])  # noqa: S606 - no shell


@verbs.command(
    "human",
    epilog=root.examples(
        "reconciler simulate human suspend backend-acme",
        "reconciler simulate human env-set backend-acme key=DEBUG value=1",
        "reconciler simulate human scale backend-acme instances=6",
        "reconciler simulate human delete worker-acme",
    ),
)
def human(
    action: Annotated[
        str, typer.Argument(help="What the person does: suspend, resume, delete, plan, scale, env-set, ...")
    ],
    service: Annotated[str, typer.Argument(help="Name or id of a service, datastore or env group.")],
    pairs: Pairs = None,
) -> None:
    """Do what a person does in the Render dashboard, behind the operator's back."""
    answer = _ask("POST", "/_sim/human", {**_fields(pairs), "action": action, "service": service})
    output.line(f"{action} {service}: done, as a person would in the dashboard ({_text(answer, 'id')})")


@verbs.command(
    "clock",
    epilog=root.examples(
        "reconciler simulate clock",
        "reconciler simulate clock --step 1h",
        "reconciler simulate clock --speed 600",
        "reconciler simulate clock --freeze",
    ),
)
def clock(
    step: Annotated[str, typer.Option("--step", help="Move it forward: 90s, 10m, 1h.", show_default=False)] = "",
    speed: Annotated[float | None, typer.Option("--speed", min=0.001, help="Simulated seconds in a real one.")] = None,
    freeze: Annotated[bool | None, typer.Option("--freeze/--run", help="Stop it, or let it run again.")] = None,
    form: root.Output = Format.TABLE,
) -> None:
    """Show or move the simulated clock."""
    body: dict[str, Json] = {}
    if step:
        body["step_s"] = root.seconds(step)
    if speed is not None:
        body["speed"] = speed
    if freeze is not None:
        body["frozen"] = freeze
    answer = _ask("POST", "/_sim/clock", body) if body else _ask("GET", "/_sim/clock")
    if not _printed(answer, form):
        how = "stands still" if isinstance(answer, dict) and answer.get("frozen") else f"{_text(answer, 'speed')} times"
        output.line(f"{_text(answer, 'now')}  {how}")


@verbs.command(
    "fault",
    epilog=root.examples(
        "reconciler simulate fault                                          # the rules in force",
        "reconciler simulate fault --known                                  # every fault there is",
        "reconciler simulate fault timeout_after method=POST path=/services count=1",
        "reconciler simulate fault status status=503 probability=0.1",
        "reconciler simulate fault latency method=PATCH service=backend-.* sim_latency_s=13 seed=4",
        "reconciler simulate fault billing_suspended",
        "reconciler simulate fault --drop flt-1",
        "reconciler simulate fault --clear",
    ),
)
def fault(
    name: Annotated[str, typer.Argument(help="The fault to inject; without one the rules are listed.")] = "",
    pairs: Pairs = None,
    drop: Annotated[str, typer.Option("--drop", metavar="ID", help="Take one rule away.", show_default=False)] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take all rules away.")] = False,
    known: Annotated[bool, typer.Option("--known", help="List every fault and what it takes.")] = False,
    form: root.Output = Format.TABLE,
) -> None:
    """Break things: delays, lost answers, error statuses, failing builds, incomplete lists."""
    if known:
        _list_known(_ask("GET", "/_sim/faults/known"), form)
    elif drop or clear:
        answer = _ask("DELETE", f"/_sim/faults/{drop}" if drop else "/_sim/faults")
        output.line(f"{_text(answer, 'dropped')} dropped")
    elif name:
        answer = _ask("POST", "/_sim/faults", {**_fields(pairs), "fault": name})
        output.line(f"{_text(answer, 'id')} {name}: in force")
    else:
        _list_faults(_ask("GET", "/_sim/faults"), form)


def _list_known(answer: Json, form: Format) -> None:
    known = [one for one in answer if isinstance(one, dict)] if isinstance(answer, list) else []
    output.show(
        Listing(
            what="faults",
            columns=(Column("FAULT"), Column("PARAMETERS"), Column("OPTIONS")),
            rows=[[_text(one, "fault"), _words(one, "params"), _words(one, "options")] for one in known],
            documents=list(known),
            names=[f"fault/{_text(one, 'fault')}" for one in known],
        ),
        form,
    )


def _list_faults(answer: Json, form: Format) -> None:
    rules = [rule for rule in answer if isinstance(rule, dict)] if isinstance(answer, list) else []
    output.show(
        Listing(
            what="faults in force",
            columns=(
                Column("ID"),
                Column("FAULT"),
                Column("METHOD"),
                Column("PATH"),
                Column("SERVICE"),
                Column("PROBABILITY", right=True),
                Column("STRUCK", right=True),
            ),
            rows=[
                [str(rule.get(key) or "-") for key in ("id", "fault", "method", "path", "service", "probability")]
                + [f"{rule.get('struck', 0)}/{rule.get('count') or 'any'}"]
                for rule in rules
            ],
            documents=list(rules),
            names=[f"fault/{rule.get('id')}" for rule in rules],
        ),
        form,
    )


@verbs.command(
    "truth",
    epilog=root.examples(
        "reconciler simulate truth",
        "reconciler simulate truth --since 120    # and the writes after number 120",
        "reconciler simulate truth --bill -o json",
    ),
)
def truth(
    since: Annotated[int, typer.Option("--since", min=0, help="Only writes after this number.")] = 0,
    bill: Annotated[bool, typer.Option("--bill", help="What a bill would say instead.")] = False,
    form: root.Output = Format.YAML,
) -> None:
    """Show what really exists in the simulated Render, and every write it took."""
    answer = _ask("GET", "/_sim/truth/bill") if bill else _ask("GET", f"/_sim/truth?since={since}")
    if form is Format.JSON:
        output.print_json(answer)
    else:
        output.print_yaml(answer)


@verbs.command(
    "settings",
    epilog=root.examples("reconciler simulate settings", "reconciler simulate settings build_docker_s=600"),
)
def settings(pairs: Pairs = None, form: root.Output = Format.YAML) -> None:
    """Show or change the knobs of the simulated platform: durations, limits, unproven behaviours."""
    changes = _fields(pairs)
    answer = _ask("PATCH", "/_sim/settings", changes) if changes else _ask("GET", "/_sim/settings")
    if form is Format.JSON:
        output.print_json(answer)
    else:
        output.print_yaml(answer)


def _fields(pairs: list[str] | None) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Failure(f'"{pair}" is not a field', remedy="write NAME=VALUE", code=ExitCode.USAGE)
        found[name] = _value(value)
    return found


def _value(words: str) -> Json:
    """Read JSON where it is JSON, text everywhere else."""
    try:
        read: Json = json.loads(words)
    except ValueError:
        return words
    return read


def _printed(answer: Json, form: Format) -> bool:
    if form is Format.JSON:
        output.print_json(answer)
    elif form is Format.YAML:
        output.print_yaml(answer)
    else:
        return False
    return True


def _text(answer: Json, field: str) -> str:
    return str(answer.get(field, "-")) if isinstance(answer, dict) else "-"


def _words(answer: dict[str, Json], field: str) -> str:
    words = answer.get(field)
    return ", ".join(str(word) for word in words) if isinstance(words, list) and words else "-"


def _ask(method: str, path: str, body: dict[str, Json] | None = None) -> Json:
    chosen = root.INVOCATION.settings
    address = local.simulator_url(chosen) or f"http://127.0.0.1:{chosen.simulator_port}"
    try:
        answer = httpx.request(method, f"{address}{path}", json=body, timeout=TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        raise Failure(
            f"no simulator answers at {address} ({type(error).__name__})",
            remedy="start `reconciler run --local` or `reconciler simulate`",
        ) from error
    try:
        said: Json = answer.json()
    except ValueError as error:
        raise Failure(f"{address} is not the simulator: it answered {answer.status_code} without JSON") from error
    if answer.is_error:
        raise Failure(
            _text(said, "message"),
            code=ExitCode.NOT_FOUND if answer.status_code == httpx.codes.NOT_FOUND else ExitCode.FAILED,
        )
    return said
