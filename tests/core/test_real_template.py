"""A real render.yaml, unmodified, becomes a whole stack that comes up and stays quiet."""

import os
from pathlib import Path

import pytest
import yaml

from reconciler.core.compile import check
from reconciler.core.kinds import Kind
from reconciler.core.spec import Source
from tests.core.builders import GENERATED, REPO, blueprint
from tests.core.world import World

BESIDE = Path(__file__).parents[2].parent / "shared"
FILE = Path(os.environ.get("RECONCILER_SHARED", BESIDE)) / "blueprints" / "000-crm-django-nuxt.yaml"


@pytest.fixture
def crm():
    if not FILE.exists():
        pytest.skip(f"{FILE} is not there: set RECONCILER_SHARED")
    template = yaml.safe_load(FILE.read_text())
    made = blueprint(template=template, source=Source(repo=REPO, branch="main"), secrets={"SECRET_KEY": GENERATED})
    assert check(made) == ()
    return World(made)


def test_a_real_template_is_a_full_stack(crm):
    kinds = sorted(str(one.kind) for key, one in crm.stack().resources.items() if not key.startswith("@"))
    assert kinds == sorted(
        [Kind.ENV_GROUP, Kind.POSTGRES, Kind.KEY_VALUE, Kind.WEB, Kind.WEB, Kind.WEB, Kind.WORKER, Kind.WORKER]
    )


def test_a_real_template_blocks_on_its_one_secret_then_comes_up_with_one_deploy_each(crm):
    assert crm.converge() == []
    (wait,) = crm.plan().waits
    assert wait.you == "reconciler secret set acme SENTRY_DSN"
    crm.gives(SENTRY_DSN="https://x@sentry.example/1")
    crm.converge()
    assert crm.plan().empty and not crm.plan().drift
    assert set(crm.deploys.values()) == {1}
