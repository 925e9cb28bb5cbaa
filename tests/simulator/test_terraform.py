"""Terraform itself with Render's provider against the simulator; runs where the provider has been built.

Opt in by naming the built provider: RECONCILER_TERRAFORM_PROVIDER=/path/to/terraform-provider-render. Each scenario
is a row of configurations in `terraform/`; after each one a second plan must be empty, also in a state that was
imported anew, and destroying the last must leave nothing.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.simulator.config import SimulatorConfig
from tests.simulator.conftest import OWNER, Simulator, free_port, run

PROVIDER = os.environ.get("RECONCILER_TERRAFORM_PROVIDER", "")
TERRAFORM = shutil.which("terraform")
CONFIGURATIONS = Path(__file__).parent / "terraform"
APPLY, PLAN = ("apply", "-auto-approve"), ("plan", "-detailed-exitcode")
SCENARIOS = ("web", "workers", "datastores", "workspace")

# What a fresh state cannot take over, by the provider's own doing: these kinds have no import; an imported
# database shows the suffix of its name and would be replaced; an imported group fails on generated variables.
NOT_IMPORTED = re.compile(
    r"render_(log_stream|metrics_stream|notification_setting|webhook)\."
    r"|render_postgres\.full$|render_env_group\.full$|render_env_group_link\.full$"
)
# Imported projects name their environments by name, so not while a name differs from its key.
NO_IMPORT_AFTER = {"datastores.2.tf", "workspace.2.tf"}

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),  # the provider sends six requests a second at most
    pytest.mark.skipif(not PROVIDER, reason="RECONCILER_TERRAFORM_PROVIDER names no built provider"),
    pytest.mark.skipif(TERRAFORM is None, reason="terraform is not on PATH"),
]


class Directory:
    """A directory with a configuration and its state."""

    def __init__(self, path: Path, sim: Simulator) -> None:
        self.path = path
        path.mkdir()
        settings = path / "cli.tfrc"
        overridden = f'dev_overrides {{ "render-oss/render" = "{Path(PROVIDER).parent}" }}'
        settings.write_text(f"provider_installation {{\n  {overridden}\n  direct {{}}\n}}\n")
        self.environment = os.environ | {
            "TF_CLI_CONFIG_FILE": str(settings),
            "CHECKPOINT_DISABLE": "1",
            "NO_PROXY": "127.0.0.1",
            "RENDER_HOST": f"{sim.base}/v1",
            "RENDER_API_KEY": "k1",
            "RENDER_OWNER_ID": OWNER,
        }
        shutil.copy(CONFIGURATIONS / "provider.tf", path)

    def run(self, *arguments: str) -> str:
        """Run terraform and insist on success, which of a detailed plan means an empty one."""
        assert TERRAFORM is not None
        given = [] if arguments[0] == "show" else ["-input=false"]
        done = subprocess.run(
            [TERRAFORM, *arguments, *given, "-no-color"],
            cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"terraform {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def resources(self) -> list[dict[str, Any]]:
        """What the state holds."""
        found: list[dict[str, Any]] = json.loads(self.run("show", "-json"))["values"]["root_module"]["resources"]
        return found


def importing(step: Path, resources: list[dict[str, Any]]) -> str:
    """Write a configuration that imports the managed resources of another state, as far as that is possible."""
    text = re.sub(r'(?ms)^data ".*?^}\n', "", step.read_text())
    for kind, name in re.findall(r'(?m)^resource "(\w+)" "(\w+)"', text):
        if NOT_IMPORTED.match(f"{kind}.{name}"):
            text = re.sub(rf'(?ms)^resource "{kind}" "{name}" .*?^}}\n', "", text)
    for item in resources:
        if item["mode"] == "managed" and not NOT_IMPORTED.match(item["address"]):
            key = item["values"].get("id") or item["values"]["env_group_id"]
            text += f'import {{\n  to = {item["address"]}\n  id = "{key}"\n}}\n'
    return text


@pytest.fixture
def quick() -> Iterator[Simulator]:
    """A simulator on which a real second is ten minutes, so that the provider's waits are short."""
    yield from run(SimulatorConfig(port=free_port(), speed=600, seed=7))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_plans_are_empty_after_every_apply_and_nothing_is_left_after_destroy(
    quick: Simulator, scenario: str, tmp_path: Path
):
    work = Directory(tmp_path / "work", quick)
    for step in sorted(CONFIGURATIONS.glob(f"{scenario}.*.tf")):
        shutil.copy(step, work.path / "main.tf")
        work.run(*APPLY)
        work.run(*PLAN)
        read = {item["address"]: item["values"] for item in work.resources()}
        for address, values in read.items():
            # The provider's own project data source drops what it has read.
            if address.startswith("data.") and "name" in values and "render_project" not in address:
                assert values["name"] == read[address.removeprefix("data.")]["name"]
        if step.name in NO_IMPORT_AFTER:
            continue
        fresh = Directory(tmp_path / step.stem, quick)
        (fresh.path / "main.tf").write_text(importing(step, work.resources()))
        fresh.run(*APPLY)
        fresh.run(*PLAN)
        work.run(*APPLY, "-refresh-only")
        work.run(*PLAN)
    work.run("destroy", "-auto-approve")
    truth = quick.truth()
    kinds = ("services", "postgres", "key_values", "env_groups", "projects", "environments", "disks")
    assert {kind: truth[kind] for kind in kinds if truth[kind]} == {}
    assert [item["kind"] for item in truth["others"] if item["kind"] != "notifications"] == []
    assert truth["throttled"] == 0
