"""Runs the daemon's process: starts in order, watches, stops in order; every failure to start is one clear message."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import psycopg

from reconciler.core.errors import Denied, ReconcilerError, RenderError, StoreUnavailable, Unavailable
from reconciler.core.values import Sensitive
from reconciler.daemon import applied, local, progress, recovery
from reconciler.daemon.options import Options
from reconciler.daemon.serving import Serving
from reconciler.daemon.wiring import Wiring, owner_name, wire
from reconciler.doors import Actor
from reconciler.engine.worker import Worker
from reconciler.manifest import load_local_secrets
from reconciler.ports import Brake
from reconciler.postgres import migrate, pooler
from reconciler.postgres.errors import Unreachable, explain
from reconciler.settings import Settings
from reconciler.telemetry import logs

LOCAL = Actor(name="local run", via="cli")
FIRST_START = "first start on this workspace: look at what it would do, then release"
RETRY_S = 2.0
SHOW_EVERY_S = 0.4
COLLECT_AFTER = (20_000, 20, 20)
"""When the cycle collector runs. A pass makes thousands of small objects and no cycles worth mentioning: with Python's
own thresholds a fifth of its CPU goes into looking for some."""
T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """One run of the daemon, from start to stop."""

    settings: Settings
    options: Options
    world: local.LocalWorld | None
    out: progress.Progress = field(default_factory=progress.Progress)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 0


def run(settings: Settings, options: Options) -> int:
    """Run the daemon until a signal (or until all is settled, with `once`); answers the exit code."""
    world: local.LocalWorld | None = None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the loop takes it: what has begun is taken down
    try:
        if options.local:
            world = local.start(settings)
            settings = world.settings
        _configure_logs(settings, world)
        gc.freeze()  # what was imported stays: a full collection need not walk through it
        gc.set_threshold(*COLLECT_AFTER)
        return asyncio.run(_main(Run(settings, options, world)))
    finally:
        if world is not None:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
            world.stop()
            (world.home / "daemon.pid").unlink(missing_ok=True)


def _configure_logs(settings: Settings, world: local.LocalWorld | None) -> None:
    """Send logs to standard error, but out of the way of the picture that a local run draws."""
    as_json = {"auto": None, "console": False, "json": True}[settings.log_format]
    if world is None:
        logs.configure(settings.log_level, as_json=as_json)
        return
    stream = local.private_log(world.home / "daemon.log").open("a", buffering=1)
    logs.configure(settings.log_level, stream=stream, as_json=True if as_json is None else as_json)


async def _main(run: Run) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, run.stopping.set)
    wiring = await _patiently(run, lambda: _connect(run))
    if wiring is None:
        return run.code
    worker: Worker | None = None
    serving: Serving | None = None
    tasks: list[asyncio.Task[None]] = []
    try:
        if not await _patiently(run, lambda: _greet_render(run, wiring)):  # reads are counted in the database
            return run.code
        alive_at = await _patiently(run, lambda: _take_over(run, wiring))
        if run.stopping.is_set():
            return run.code
        if run.options.role in ("all", "engine"):
            worker = Worker(wiring.ports, owner_name(), alive_at=alive_at)
        serving = Serving(run.settings, wiring, worker, local=run.options.local)
        await serving.start(with_api=run.options.role in ("all", "api"))
        wiring.telemetry.log("started", role=run.options.role, owner=owner_name(), api=serving.url)
        if run.world is not None:
            await _open_local(run, run.world, wiring, serving)
        else:
            for line in await _apply(run, wiring):
                run.out.say(line)
        if worker is not None:
            tasks.append(asyncio.create_task(worker.run(), name="engine"))
        await _watch(run, wiring, worker, tasks)
        return run.code
    finally:
        await _stop(run, wiring, worker, serving, tasks)


async def _connect(run: Run) -> Wiring:
    """Migrate and wire."""
    if run.world is None or run.world.postgres is None:
        await asyncio.to_thread(migrate.upgrade, run.settings.database_direct_url or run.settings.database_url)
    return await wire(run.settings)


async def _take_over(run: Run, wiring: Wiring) -> datetime | None:
    """Look at the database as it was left, and give back what dead processes held; answers when anybody last worked."""
    alive_at = await wiring.store.told_at()
    await _first_start(wiring)
    recovered = await recovery.release_dead(wiring)
    if recovered.pids and run.world is not None:
        run.out.say(f"recovered {recovered}")
    for text in await pooler.findings(wiring.pool, run.settings.database_direct_url, run.settings.poll_s):
        wiring.telemetry.problem("pooler_found", says=text)
    return alive_at


async def _patiently(run: Run, step: Callable[[], Awaitable[T]]) -> T | None:
    """Repeat a step until it is done: what is not there is waited for, what is wrong an error. None: stopped first."""
    said: set[str] = set()
    began = time.monotonic()
    while not run.stopping.is_set():
        try:
            return await step()
        except (Unreachable, Unavailable, StoreUnavailable) as error:
            away: ReconcilerError = error
        except psycopg.OperationalError as error:
            away = explain(error, run.settings.database_url)
            if not isinstance(away, Unreachable):
                raise away from error
        if run.options.once and time.monotonic() - began > run.options.timeout_s:
            raise away
        if str(away) not in said:
            said.add(str(away))
            print(f"reconciler: {away}; trying again every {RETRY_S:g} s", file=sys.stderr, flush=True)
        await _pause(run, RETRY_S)
    return None


async def _greet_render(run: Run, wiring: Wiring) -> bool:
    """Ask Render who we are; wait while it is unreachable, give up when it refuses the key."""
    if run.options.role == "api":
        return True
    said, began = False, time.monotonic()
    while not run.stopping.is_set():
        try:
            workspace = await wiring.render.check()
        except Denied as error:
            print(
                f"reconciler: Render refuses RENDER_API_KEY ({error.status}: {error.message}); "
                "make a new key in the Render Dashboard, Account Settings, API Keys",
                file=sys.stderr,
            )
            run.code = 1
            return False
        except RenderError as error:
            if run.options.once and time.monotonic() - began > run.options.timeout_s:
                raise
            if not said:
                where = run.settings.render_api_url
                words = f"reconciler: {where} does not answer ({error.message}); trying again every {RETRY_S:g} s"
                print(words, file=sys.stderr, flush=True)
                said = True
            await _pause(run, RETRY_S)
            continue
        wiring.use_workspace(workspace)
        return True
    return False


async def _pause(run: Run, real_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run.stopping.wait(), real_s)


async def _first_start(wiring: Wiring) -> None:
    """Begin in `observe` on a real workspace that this database has never seen."""
    if wiring.simulator:
        return
    from reconciler.core.kinds import Kind

    if await wiring.store.swept_at(Kind.WEB) is None:
        await wiring.store.set_brake(Brake.OBSERVE, FIRST_START, "operator")
        wiring.telemetry.problem("brake", state="observe", why=FIRST_START)


async def _open_local(run: Run, world: local.LocalWorld, wiring: Wiring, serving: Serving) -> None:
    """Write down the addresses, make the admin key once, give the example secrets, apply the documents."""
    (world.home / "daemon.pid").write_text(f"{os.getpid()}\n")
    world.urls["api"] = serving.url
    if run.settings.database_url and "admin" not in world.urls:
        world.urls["admin"] = run.settings.database_url
    local.write_private(world.home / "urls.json", _json(world.urls))
    say = run.out.say
    where = f"embedded, {world.home}/pg" if world.postgres is not None else "yours"
    say(f"postgres  {where:<34} DATABASE_URL=...    uses yours")
    say(f"render    {_which_render(world, wiring):<34} RENDER_API_KEY=...  uses yours, read-only until you say so")
    key = await _admin_key(world, wiring)
    if key is not None:
        say(f"admin key {key.reveal()}   (shown once; kept in {world.home}/admin.key)")
    lines = await _apply(run, wiring)
    say(f"console   {serving.url:<34} {lines[0] if lines else 'nothing was applied'}")
    for line in lines[1:]:
        say(f"          {line}")
    say("")


def _which_render(world: local.LocalWorld, wiring: Wiring) -> str:
    if world.simulator is not None:
        return f"simulated, {wiring.clock.speed():g}x, real limits"
    at = urlsplit(wiring.simulator).netloc
    return f"simulated, {at}, {wiring.clock.speed():g}x" if at else "yours"


async def _apply(run: Run, wiring: Wiring) -> Sequence[str]:
    """Apply the documents of a folder, if one was named; answers a line for people about each."""
    folder = run.options.apply
    if folder is None or run.options.applier is None:
        return ()
    if run.world is not None and not applied.is_news(run.world.home, folder):
        return (f"{folder}/ is as it was applied before; later changes stand",)
    lines = await run.options.applier(wiring.registry, LOCAL, folder)
    await _give_secrets(folder, wiring)
    if run.world is not None:
        applied.remember(run.world.home, folder)
    return lines


def _json(urls: dict[str, str]) -> str:
    import json

    return json.dumps(urls, indent=1, sort_keys=True)


async def _admin_key(world: local.LocalWorld, wiring: Wiring) -> Sensitive | None:
    """Make the admin key of a fresh home; None when there is one already."""
    path = world.home / "admin.key"
    if path.exists() and await wiring.registry.find_key(Sensitive(path.read_text().strip())) is not None:
        return None
    _, secret = await wiring.registry.create_key("local admin", ["admin"], LOCAL)
    local.write_private(path, secret.reveal() + "\n")
    return secret


async def _give_secrets(folder: Path, wiring: Wiring) -> None:
    """Put the example secrets of a rehearsal in place, where nobody set them yet."""
    file = folder / "local-secrets.yaml"
    if not file.exists() or not wiring.simulator:
        return
    for one in load_local_secrets(file.read_text(), file=str(file)):
        if one.key not in await wiring.registry.list_secrets(one.scope, one.owner):
            await wiring.registry.set_secret(one.scope, one.owner, one.key, one.value, LOCAL)


async def _watch(run: Run, wiring: Wiring, worker: Worker | None, tasks: list[asyncio.Task[None]]) -> None:
    """Show how everybody stands until all have settled; then go on quietly, or end with `once`."""
    settled = run.world is None and not run.options.once
    started = time.monotonic()
    while not run.stopping.is_set():
        for task in tasks:
            if task.done():
                task.result()
                raise ReconcilerError(f"the {task.get_name()} ended by itself")
        if not settled:
            try:
                looked = worker is None or await _looked(worker, wiring)
                settled = await _show(run, wiring, time.monotonic() - started, looked=looked)
            except (StoreUnavailable, psycopg.OperationalError) as error:
                wiring.telemetry.problem("picture_failed", error=type(error).__name__)
                if run.options.once and time.monotonic() - started > run.options.timeout_s:
                    raise
            if settled and run.options.once:
                return
        await _pause(run, SHOW_EVERY_S if not settled else 1.0)


async def _looked(worker: Worker, wiring: Wiring) -> bool:
    """Say whether this process has seen the whole workspace and nobody is left to look at: then statuses are true."""
    if not worker.swept.is_set():
        return False
    backlog = await wiring.store.backlog(wiring.clock.now())
    return not backlog.leased and not sum(backlog.due.values())


async def _show(run: Run, wiring: Wiring, elapsed_s: float, *, looked: bool) -> bool:
    lines = await progress.picture(wiring.registry)
    run.out.show(lines)
    over = run.options.once and elapsed_s > run.options.timeout_s
    if not over and not (looked and all(line.settled for line in lines)):
        return False
    run.out.finish(lines)
    bad = [line.tenant for line in lines if not line.fine]
    fine = len(lines) - len(bad)
    run.out.say(f"\n{fine} of {len(lines)} tenants are where they should be, after {elapsed_s:.0f} s")
    if bad:
        run.out.say(f"not yet: {', '.join(bad)}; look: reconciler describe tenant {bad[0]}")
        run.code = 1
    if not run.options.once:
        run.code = 0
        _where_to_look(run, empty=not lines)
    return True


def _where_to_look(run: Run, *, empty: bool) -> None:
    say = run.out.say
    say("")
    if empty:
        say("Try:   reconciler get blueprints      reconciler apply -f FILE|DIR")
    else:
        say("Look:  reconciler get tenants      reconciler describe tenant NAME      reconciler events --watch")
        say("Try:   reconciler plan acme --set tier=pro      reconciler simulate human suspend backend-acme")
    say(f"Logs:  {run.settings.home}/daemon.log      SQL: make psql      Stop: Ctrl-C")


async def _stop(
    run: Run, wiring: Wiring, worker: Worker | None, serving: Serving | None, tasks: list[asyncio.Task[None]]
) -> None:
    """Stop claiming, finish or settle effects, release leases; HTTP and metrics last."""
    if worker is not None:
        worker.stop()
    steps: list[Callable[[], Awaitable[object]]] = [lambda: asyncio.gather(*tasks, return_exceptions=True)]
    if serving is not None:
        steps.append(serving.stop)
    steps.append(wiring.close)
    for step in steps:
        try:
            await asyncio.wait_for(step(), run.settings.shutdown_s)
        except TimeoutError:
            wiring.telemetry.problem("shutdown_slow")
    if run.world is not None:
        run.out.say("stopped; everything is kept in " + str(run.settings.home))
