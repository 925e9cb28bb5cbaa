"""Render's CLI itself against the simulator; runs where it has been built.

Opt in by naming the built program: RECONCILER_RENDER_CLI=/path/to/render.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.simulator.config import SimulatorConfig
from tests.simulator.conftest import OWNER, Simulator, free_port, run

CLI = os.environ.get("RECONCILER_RENDER_CLI", "")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CLI, reason="RECONCILER_RENDER_CLI names no built CLI"),
]


class Cli:
    """The CLI with a configuration of its own, answering in JSON."""

    def __init__(self, path: Path, sim: Simulator) -> None:
        self.path = path
        self.sim = sim
        self.environment = os.environ | {
            "HOME": str(path),
            "NO_PROXY": "127.0.0.1",
            "RENDER_HOST": f"{sim.base}/v1/",
            "RENDER_API_KEY": "k1",
            "RENDER_CLI_CONFIG_PATH": str(path / "cli.yaml"),
            "RENDER_CLI_DISABLE_ANALYTICS": "1",
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command and insist on its exit code."""
        done = subprocess.run(
            [CLI, *arguments, "--confirm", "-o", "json"],
            cwd=self.path, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"render {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command and read its answer."""
        read = json.loads(self.run(*arguments, code=code))
        return read["data"] if isinstance(read, dict) and "data" in read else read


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The CLI with the workspace set, on a simulator where a second is ten minutes."""
    for sim in run(SimulatorConfig(port=free_port(), speed=600, seed=7)):
        program = Cli(tmp_path, sim)
        program.run("workspace", "set", OWNER)
        yield program


IMAGE = ("--type", "web_service", "--runtime", "image", "--image", "nginx:1")


def test_workspace_and_identity(cli: Cli):
    assert "owner@example.com" in cli.run("whoami")
    assert cli.json("workspace", "current")["id"] == OWNER
    assert len(cli.json("workspaces")) == 1


def test_services_are_created_cloned_updated_listed_and_deleted(cli: Cli):
    secret = cli.path / "secret.txt"
    secret.write_text("content")
    cli.run(
        "services", "create", "--name", "web", *IMAGE, "--plan", "starter", "--region", "ohio", "--env-var", "A=1=2",
        "--secret-file", f"s:{secret}", "--health-check-path", "/up", "--pre-deploy-command", "true",
        "--num-instances", "2", "--max-shutdown-delay", "40", "--previews", "manual", "--maintenance-mode",
        "--maintenance-mode-uri", "https://status.example.com", "--ip-allow-list", "cidr=10.0.0.0/8,description=in",
    )  # fmt: skip
    repository = ("--repo", "https://github.com/render-examples/express-hello-world")
    cli.run(
        "services", "create", "--name", "native", "--type", "private_service", "--runtime", "node", *repository,
        "--build-command", "npm ci", "--start-command", "npm start", "--build-filter-path", "src/**",
    )  # fmt: skip
    cli.run("services", "create", "--name", "worker", "--type", "background_worker", "--runtime", "docker", *repository)
    cli.run("services", "create", "--name", "site", "--type", "static_site", *repository, "--publish-directory", "d")
    cli.run(
        "services", "create", "--name", "cron", "--type", "cron_job", "--runtime", "image", "--image", "alpine",
        "--cron-schedule", "0 0 * * *", "--cron-command", "date",
    )  # fmt: skip
    for name in ("web", "native", "worker", "site", "cron"):
        cli.run("services", "create", "--from", name, "--name", f"{name}-clone")
    cli.run("services", "create", "--name", "web", *IMAGE, code=1)
    cli.run("services", "update", "web", "--name", "web-two", "--plan", "pro", "--image", "nginx:2")
    cli.run("services", "update", "native", "--build-command", "make", "--start-command", "go", "--auto-deploy=false")
    cli.run("services", "update", "site", "--publish-directory", "out")
    cli.run("services", "delete", "web-clone")
    cli.run("services", "delete", "nobody", code=1)
    listed = {item["service"]["name"]: item["service"] for item in cli.json("services")}
    names = {"web-two", "native", "worker", "site", "cron"}
    assert listed.keys() == names | {f"{name}-clone" for name in ("native", "worker", "site", "cron")}
    web = next(item for item in cli.sim.truth()["services"] if item["name"] == "web-two")
    assert (web["imagePath"], web["serviceDetails"]["plan"]) == ("docker.io/library/nginx:2", "pro")
    assert (web["envVars"], web["secretFiles"]) == ({"A": "1=2"}, {"s": "content"})


def test_deploys_are_waited_for_listed_and_canceled(cli: Cli):
    web = cli.json("services", "create", "--name", "web", *IMAGE)["id"]
    queued = cli.json("deploys", "create", web, "--wait")
    assert queued["status"] == "live"
    assert cli.json("deploys", "create", web, "--wait", "--image", "docker.io/library/nginx:3")["status"] == "live"
    cli.sim.fault("deploy_failed", service="web", count=1)
    cli.run("deploys", "create", web, "--wait", code=1)
    cli.sim.set(go_live_s=1_000_000)
    running = cli.json("deploys", "create", web)
    cli.run("deploys", "cancel", web, running["id"])
    statuses = [item["status"] for item in cli.json("deploys", "list", web)]
    assert statuses == ["canceled", "update_failed", "live", "deactivated", "deactivated"]
    assert len(cli.json("services", "instances", web)) == 1
    cli.run("restart", web)


def test_jobs_are_created_listed_and_canceled(cli: Cli):
    cli.sim.set(job_start_s=1_000_000)
    web = cli.json("services", "create", "--name", "web", *IMAGE)["id"]
    cli.run("deploys", "create", web, "--wait")
    job = cli.json("jobs", "create", web, "--start-command", "echo hi")
    cli.json("jobs", "create", web, "--start-command", "sleep", "--plan-id", "plan-srv-006")
    cli.run("jobs", "cancel", web, job["id"])
    assert [item["status"] for item in cli.json("jobs", "list", web)] == ["pending", "canceled"]


def test_logs_are_read_and_filtered(cli: Cli):
    web = cli.json("services", "create", "--name", "web", *IMAGE)["id"]
    assert "deploy_started" in cli.run("logs", "-r", web, "--limit", "10")
    assert cli.run("logs", "-r", web, "--level", "error", "--direction", "forward") == ""


def test_databases_and_caches_live_through_every_command(cli: Cli):
    for kind, create, update in (
        ("pg", ("--plan", "pro_4gb", "--high-availability", "--read-replica", "r"), ("--disk-autoscaling",)),
        ("kv", ("--plan", "starter", "--memory-policy", "queue"), ("--persistence-mode", "off")),
    ):
        allowed = ("--ip-allow-list", "cidr=203.0.113.5/32,description=office")
        made = cli.json(kind, "create", "--name", f"{kind}-one", *create, *allowed)
        assert cli.json(kind, "get", f"{kind}-one")["id"] == made["id"]
        shown = cli.run(kind, "get", made["id"], "--include-sensitive-connection-info")
        assert "render.com" in shown
        cli.run(kind, "update", f"{kind}-one", "--name", f"{kind}-two", "--clear-ip-allow-list", *update)
        cli.run(kind, "suspend", f"{kind}-two")
        assert cli.json(kind, "get", f"{kind}-two")["status"] == "suspended"
        cli.run(kind, "resume", f"{kind}-two")
        assert f"{kind}-two" in cli.run(kind, "list")
        cli.run(kind, "delete", f"{kind}-two")
    truth = cli.sim.truth()
    assert (truth["postgres"], truth["key_values"]) == ([], [])


def test_projects_and_environments_are_found_by_name(cli: Cli):
    environments = [{"name": "production"}, {"name": "staging"}]
    made = cli.sim.ok("POST", "/projects", {"name": "shop", "ownerId": OWNER, "environments": environments})
    assert cli.json("projects")[0]["id"] == made["id"]
    assert {item["name"] for item in cli.json("environments", made["id"])} == {"production", "staging"}
    cli.run("kv", "create", "--name", "cache", "--project", "shop", "--environment", "production")
    cli.run("pg", "create", "--name", "db", "--environment", made["environmentIds"][1])
    listed = cli.json("services", "-e", made["environmentIds"][0])
    assert [item["keyValue"]["name"] for item in listed] == ["cache"]
    assert cli.json("pg", "get", "db", "--environment", "staging")["name"] == "db"


def test_blueprints_are_validated(cli: Cli):
    good = cli.path / "render.yaml"
    good.write_text("services:\n- {type: web, name: a, runtime: node, plan: starter}\ndatabases:\n- {name: d}\n")
    assert cli.json("blueprints", "validate")["valid"] is True
    good.write_text("services:\n- {type: web, name: a, plan: gigantic}\n")
    wrong = cli.json("blueprints", "validate")
    assert (wrong["valid"], wrong["errors"][0]["error"]) == (False, "invalid plan gigantic")
