"""The page about rehearsing, played as it is written: every command in its order, in a folder of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.daemon.harness import ROOT, environment, free_port, until

PAGE = (ROOT / "docs" / "rehearse.md").read_text()
STAYS = re.compile(r"reconciler (simulate --|run$|run --local|events --watch)")
"""Commands that go on until Ctrl-C: the page gives each a shell of its own."""
ELSEWHERE = ("make install", 'export PATH="$PWD')
COMMAND_WITHIN_S = 240.0
PORTS = ("8787", "8900", "8001")
BEGAN = re.compile(r"simulated Render at|Stop: Ctrl-C|started")


@dataclass
class Shells:
    """The shells of a person who follows the page: what each said, and what still runs."""

    folder: Path
    ports: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def words(self, command: str) -> str:
        """Put free ports in the place of the page's, since others may be at work on this machine."""
        for port, free in self.ports.items():
            command = command.replace(port, free)
        alone = "reconciler simulate --speed"
        return command.replace(alone, alone.replace("--", f"--port {self.ports['8787']} --"))

    def play(self, command: str) -> None:
        """Do one line of the page; a wrong exit code is a failure with all that was said."""
        print(f"$ {command}", flush=True)
        if re.match(r"export |unset |\w+=\$\(", command):
            self._set(command)
            return
        words = self.words(command)
        if STAYS.match(command):
            self._start(command, words)
            return
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", words], cwd=self.folder, env=self._environment(), timeout=COMMAND_WITHIN_S,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        print(done.stdout + done.stderr, flush=True)
        expected = int(match.group(1)) if (match := re.search(r"# exit code (\d)", command)) else 0
        assert done.returncode == expected, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        self.said[command] = done.stdout

    def _set(self, command: str) -> None:
        """Keep the variables that a line sets, for the lines after it."""
        done = subprocess.run(
            ["bash", "-c", f"set -a; {self.words(command)}; env -0"], cwd=self.folder, env=self._environment(),
            timeout=COMMAND_WITHIN_S, capture_output=True, check=True,
        )  # fmt: skip
        now = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)
        self.settings = {key: value for key, value in now.items() if key not in ("_", "SHLVL", "PWD", "OLDPWD")}

    def fresh(self) -> None:
        """Turn to another shell: what was set in the one before is not set there."""
        self.settings = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def _start(self, command: str, words: str) -> None:
        out = self.folder / f"shell-{len(self.running)}.out"
        with out.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {words}"], cwd=self.folder, env=self._environment(), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.running.append(process)
        if "events" not in command:  # it is silent until something happens
            until(lambda: BEGAN.search(out.read_text()) or process.poll() is not None, 90.0, out.read_text)
            assert process.poll() is None, out.read_text()
            print(out.read_text(), flush=True)

    def _environment(self) -> dict[str, str]:
        home = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        return environment(RECONCILER_API_PORT=self.ports["8000"]) | self.settings | home

    def heard(self, command: str) -> str:
        """What one command of the page said, the last time it was played."""
        (found,) = [said for played, said in self.said.items() if played.startswith(command)]
        return found

    def end(self) -> list[int]:
        """Ctrl-C in every shell, the newest first; their exit codes."""
        codes = []
        for process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            codes.append(process.wait(30))
        self.running.clear()
        return codes


@pytest.fixture
def shells(tmp_path: Path) -> Iterator[Shells]:
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "reconciler").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from reconciler.cli import main; main()" "$@"\n'
    )
    (binaries / "reconciler").chmod(0o755)
    made = Shells(tmp_path, {port: str(free_port()) for port in (*PORTS, "8000")})
    yield made
    made.end()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl")
def test_the_page_about_rehearsing_does_what_it_says(shells: Shells) -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (shells.folder / "nova.yaml").write_text(document)
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        shells.fresh()
        for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            if command.startswith("rm -rf"):
                assert set(shells.end()) <= {0, 130}
            if not command.startswith(ELSEWHERE):
                shells.play(command)
    events = shells.heard("reconciler events nova")
    assert "OutcomeUnknown" in events and "Adopted" in events and "Conflict" not in events
    watched = (shells.folder / "shell-2.out").read_text()
    assert "DeployFailed" in watched and re.search(r"create web service api \(x2", watched) and "Healed" in watched
    assert "40/40" in shells.said["reconciler simulate fault"]
    assert shells.heard("curl -s -H 'Authorization: Bearer ci' $RENDER_API_URL/services/$service").strip() == (
        '"status":"live"'
    )
    assert "6 of 6 tenants are where they should be" in shells.heard("RECONCILER_HOME=ci")
    assert sorted(one.name for one in shells.folder.iterdir() if not one.name.startswith("shell-")) == ["bin", "specs"]
