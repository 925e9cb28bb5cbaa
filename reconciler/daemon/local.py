"""Brings a world of its own for `--local`: embedded PostgreSQL, the simulator as a process, keys, all in one folder."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from reconciler.api.server import listen
from reconciler.core.errors import Invalid, Problem, ReconcilerError
from reconciler.core.values import Sensitive
from reconciler.daemon.wiring import simulator_of
from reconciler.postgres import migrate, roles, vault
from reconciler.postgres.embedded import EmbeddedPostgres
from reconciler.settings import Settings

HOST = "127.0.0.1"
SIMULATOR_START_S = 20.0
PORT_FREE_S = 5.0
SIMULATED_KEY = "rnd_simulated"
"""A simulator takes any key, unless it was started with keys of its own."""
ROLE_NAMES = ("operator", "signup")


class LocalProblem(ReconcilerError):
    """The local world cannot be started; the message says what to do."""


@dataclass(slots=True)
class LocalWorld:
    """Everything a local run owns. `settings` are the ones to run with."""

    settings: Settings
    home: Path
    urls: dict[str, str] = field(default_factory=dict)
    postgres: EmbeddedPostgres | None = None
    simulator: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """Stop the simulator, then Postgres."""
        if self.simulator is not None:
            stop_process(self.simulator)
        if self.postgres is not None:
            self.postgres.stop()


def private_folder(path: Path) -> Path:
    """Make the home folder; the files in it that hold secrets are readable by their owner alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def private_log(path: Path) -> Path:
    """Make a file that only its owner may read, or take that right from others; what is in it stays."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    path.chmod(0o600)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def start(settings: Settings) -> LocalWorld:
    """Start what is missing: a Postgres without DATABASE_URL, a simulator when neither key nor address is set."""
    guest = simulator_of(settings)  # one that somebody else started, and that takes any key
    keyless = not settings.render_api_key.get_secret_value()
    own_render = keyless and settings.render_api_url == _field_default("render_api_url")
    if keyless and not own_render and not guest:
        raise Invalid([_no_key(settings)])
    home = private_folder(settings.home)
    world = LocalWorld(settings=settings, home=home)
    _wait_for_port(settings.api_host, settings.api_port, "RECONCILER_API_PORT")
    if own_render:
        _wait_for_port(HOST, settings.simulator_port, "RECONCILER_SIMULATOR_PORT")
    try:
        changes: dict[str, object] = {"encryption_key_file": _encryption_key(settings, home)}
        if not settings.database_url:
            changes["database_url"] = _start_postgres(world)
        if own_render:
            changes["render_api_url"] = _start_simulator(world)
        elif guest:
            world.urls["simulator"] = guest
        if keyless:
            changes["render_api_key"] = SecretStr(SIMULATED_KEY)
        world.settings = settings.model_copy(update=changes)
    except BaseException:
        world.stop()
        raise
    return world


def _field_default(name: str) -> object:
    return Settings.model_fields[name].default


def _no_key(settings: Settings) -> Problem:
    return Problem(
        path="RENDER_API_KEY",
        message=f"is not set, but RENDER_API_URL is, to {settings.render_api_url}",
        remedy="set it, or name a simulator of this machine (http://127.0.0.1:8787/v1), or unset RENDER_API_URL",
    )


def _encryption_key(settings: Settings, home: Path) -> Path | None:
    if settings.encryption_key.get_secret_value() or settings.encryption_key_file is not None:
        return settings.encryption_key_file
    path = home / "encryption.key"
    vault.make_key_file(path)
    return path


def _start_postgres(world: LocalWorld) -> str:
    world.postgres = EmbeddedPostgres(world.home / "pg")
    url = world.postgres.start()
    migrate.upgrade(url)
    passwords = _role_passwords(world.home / "roles.json")
    roles.set_role_passwords(url, passwords)
    world.urls |= {"admin": url}
    world.urls |= {role: roles.role_url(url, role, password) for role, password in passwords.items()}
    return url


def _role_passwords(path: Path) -> dict[str, Sensitive]:
    """Make the passwords of the SQL roles once, and keep them."""
    if not path.exists():
        write_private(path, json.dumps({role: secrets.token_urlsafe(18) for role in ROLE_NAMES}))
    kept: dict[str, str] = json.loads(path.read_text())
    return {role: Sensitive(kept[role]) for role in ROLE_NAMES}


def _wait_for_port(host: str, port: int, setting: str) -> None:
    """Wait a moment for a predecessor to let go of a port; then Invalid says who has it, and what to set."""
    deadline = time.monotonic() + PORT_FREE_S
    while True:
        try:
            listen(host, port, setting).close()
        except Invalid:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _start_simulator(world: LocalWorld) -> str:
    settings = world.settings
    port = settings.simulator_port or _free_port()
    log = private_log(world.home / "simulator.log").open("ab")
    for kept in world.home.glob("simulator.db*"):
        kept.chmod(0o600)
    # The arguments are our own; stdin is the leash: when this process dies, the simulator sees it close and ends.
    world.simulator = subprocess.Popen(  # noqa: S603
        [
            sys.executable, "-m", "reconciler.simulator", "--host", HOST, "--port", str(port),
            "--speed", str(settings.simulator_speed), "--state", str(world.home / "simulator.db"), "--exit-with-parent",
        ],
        stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, umask=0o077,
    )  # fmt: skip
    log.close()
    base = f"http://{HOST}:{port}"
    _wait_for_simulator(world, base)
    world.urls["simulator"] = base
    return f"{base}/v1"


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for_simulator(world: LocalWorld, base: str) -> None:
    deadline = time.monotonic() + SIMULATOR_START_S
    while time.monotonic() < deadline:
        if world.simulator is not None and world.simulator.poll() is not None:
            break
        try:
            if httpx.get(f"{base}/_sim/health", timeout=2.0).json().get("name") == "render-simulator":
                return
        except (httpx.HTTPError, ValueError):
            time.sleep(0.05)
    raise LocalProblem(f"the simulator did not come up on {base}; its words are in {world.home / 'simulator.log'}")


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """Let a child end by itself, then by force."""
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5.0)
    if process.stdin is not None:
        process.stdin.close()
