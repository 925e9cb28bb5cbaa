"""Runs an ASGI application on a port inside somebody else's event loop, and stops it in order; knows no application."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from reconciler.api.holder import holder_of
from reconciler.core.errors import Invalid, Problem

BACKLOG = 2048
KEEP_ALIVE_S = 75
"""Longer than the proxies in front keep theirs (Render's: 60 s), so that none reuses a connection just closed."""
START_POLL_S = 0.01


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon owns the signals and decides the order of shutdown."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the daemon."""
        yield


class Server:
    """A server that listens; `stop` lets requests on the wire end, for `grace_s` real seconds at most."""

    def __init__(self, running: _Uvicorn, listener: socket.socket, task: asyncio.Task[None]) -> None:
        """Wrap what `serve` started."""
        self._running = running
        self._task = task
        address = listener.getsockname()
        self.host: str = address[0]
        self.port: int = address[1]

    @property
    def url(self) -> str:
        """Answer the base URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def stopped(self) -> asyncio.Task[None]:
        """Answer the task that ends when the server does; a daemon watches it."""
        return self._task

    async def stop(self) -> None:
        """Accept no more, let requests end, close. Safe to call twice, and finishes though the caller is cancelled."""
        self._running.should_exit = True
        await asyncio.shield(self._task)


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Take a port; Invalid says which setting names it and who may hold it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise Invalid([_refusal(error, host, port, setting)]) from error
    listener.setblocking(False)
    return listener


def _refusal(error: Exception, host: str, port: int, setting: str) -> Problem:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        holder = holder_of(port)
        message = f"cannot listen on {host}:{port}, the port is taken" + (f" by {holder}" if holder else "")
        remedy = f"stop that process (another `reconciler run`?) or set {setting} to a free port"
    elif number == errno.EACCES:
        message = f"cannot listen on {host}:{port}: ports below 1024 need root"
        remedy = f"set {setting} to a port from 1024"
    else:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"cannot listen on {host}:{port}: {reason}"
        remedy = f"name an address of this machine and a free port in {setting} and its host"
    return Problem(path=setting, message=message, remedy=remedy)


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    setting: str = "RECONCILER_API_PORT",
    grace_s: int = 5,
    trusted_proxies: str = "127.0.0.1",
) -> Server:
    """Start serving and answer once connections are taken; port 0 takes a free one.

    `trusted_proxies` lists addresses whose X-Forwarded-* headers are believed (`*` behind a proxy that cannot be
    gone around). Raises Invalid when the port cannot be taken.
    """
    listener = listen(host, port, setting)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
        ws="none",
    )
    running = _Uvicorn(config)
    task = asyncio.create_task(running.serve(sockets=[listener]), name=f"http {host}:{port}")
    while not running.started:
        if task.done():
            listener.close()
            await task
            raise RuntimeError(f"the HTTP server on {host}:{port} ended before it began")
        await asyncio.sleep(START_POLL_S)
    return Server(running, listener, task)
