"""Starts a simulator from the command line: `python -m reconciler.simulator`."""

import argparse
import sys
from pathlib import Path

from reconciler.simulator import times
from reconciler.simulator.config import SimulatorConfig
from reconciler.simulator.server import serve


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
    if given.speed <= 0:
        parser.error("--speed must be positive")
    try:
        start_ns = times.parse(given.start) if given.start else None
    except ValueError:
        parser.error(f"--start is not an RFC 3339 time: {given.start}")
    return SimulatorConfig(
        host=given.host, port=given.port, speed=given.speed, frozen=given.frozen, start_ns=start_ns,
        state=given.state, owner_id=given.owner_id, api_keys=tuple(given.api_key),
        exit_with_parent=given.exit_with_parent, seed=given.seed,
    )  # fmt: skip


def main() -> None:
    """Serve until stopped."""
    serve(read_arguments(sys.argv[1:]))


if __name__ == "__main__":
    main()
