"""Starts a simulator from the command line: `python -m reconciler.simulator`."""

import argparse
import math
import re
import socket
import sqlite3
import sys
from pathlib import Path

from reconciler.simulator import times
from reconciler.simulator.config import SimulatorConfig
from reconciler.simulator.server import listen, serve
from reconciler.simulator.store import Store

MAX_PORT = 65_535
OWNER_ID = re.compile(r"(tea|usr|own)-[A-Za-z0-9_-]+")


def read_arguments(arguments: list[str]) -> SimulatorConfig:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="reconciler simulate", description="A local simulator of the Render API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8787, help="port to listen on (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds in a real one (default: 1)")
    parser.add_argument("--frozen", action="store_true", help="let only POST /_sim/clock move the clock")
    parser.add_argument("--start", help="first instant of a new world (RFC 3339; default: now)")
    parser.add_argument("--state", type=Path, help="SQLite file that keeps the world (default: memory only)")
    parser.add_argument("--owner-id", help="workspace id; others are refused (default: any id is accepted)")
    parser.add_argument("--api-key", action="append", default=[], help="accepted key, repeatable (default: any)")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input ends")
    parser.add_argument("--seed", type=int, help="make ids, suffixes and chance repeatable")
    given = parser.parse_args(arguments)
    return SimulatorConfig(
        host=given.host, port=_port(parser, given.port), speed=_speed(parser, given.speed), frozen=given.frozen,
        start_ns=_start(parser, given.start), state=_state(parser, given.state),
        owner_id=_owner(parser, given.owner_id), api_keys=_keys(parser, given.api_key),
        exit_with_parent=given.exit_with_parent, seed=given.seed,
    )  # fmt: skip


def _port(parser: argparse.ArgumentParser, port: int) -> int:
    if not 0 <= port <= MAX_PORT:
        parser.error(f"--port {port}: no such port; give a number from 0 (a free one) to {MAX_PORT}")
    return port


def _speed(parser: argparse.ArgumentParser, speed: float) -> float:
    if not (speed > 0 and math.isfinite(speed)):
        parser.error(f"--speed {speed}: must be positive; 1 is real time, --frozen stops the clock")
    return speed


def _start(parser: argparse.ArgumentParser, text: str | None) -> int | None:
    try:
        return times.parse(text) if text else None
    except ValueError:
        parser.error(f"--start {text}: not an RFC 3339 time; write it like 2026-05-01T00:00:00Z")


def _state(parser: argparse.ArgumentParser, path: Path | None) -> Path | None:
    """Find out now whether the file can be a state file, not with the first request."""
    if path is None:
        return None
    try:
        Store(path).close()
    except (OSError, sqlite3.Error) as error:
        parser.error(f"--state {path}: cannot be used ({error}); name a state file of the simulator or a new file")
    return path


def _owner(parser: argparse.ArgumentParser, owner_id: str | None) -> str | None:
    if owner_id is not None and not OWNER_ID.fullmatch(owner_id):
        parser.error(f"--owner-id {owner_id}: not a workspace id; it looks like tea-cccccccccccccccccccc")
    return owner_id


def _keys(parser: argparse.ArgumentParser, keys: list[str]) -> tuple[str, ...]:
    if any(not key.strip() or key != key.strip() for key in keys):
        parser.error("--api-key: a key is blank or has blanks around it; leave the option out to accept every key")
    return tuple(keys)


def main() -> None:
    """Serve until stopped; a port that cannot be had is said in one line."""
    config = read_arguments(sys.argv[1:])
    try:
        listener = listen(config)
    except (OSError, OverflowError) as error:
        sys.exit(
            f"reconciler simulate: error: --host {config.host} --port {config.port}: cannot listen there "
            f"({error}); stop what uses it, or give another --port (0 takes a free one)"
        )
    if not config.exit_with_parent:
        _say_where(config, listener)
    serve(config, listener)


def _say_where(config: SimulatorConfig, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    address = f"[{config.host}]" if ":" in config.host else config.host
    pace = "clock frozen" if config.frozen else f"{config.speed:g} times real time"
    print(f"simulated Render at http://{address}:{port}/v1, {pace}; Ctrl-C stops it", flush=True)


if __name__ == "__main__":
    main()
