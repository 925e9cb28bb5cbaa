"""Edits that change the shape of a stack: components, commits, hooks, environments, names, late values."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import manifest
from reconciler.core.values import Sensitive
from tests.engine.documents import tenant
from tests.engine.following import assert_still, follow, in_words, names_of
from tests.engine.world import ACTOR, World, env_of

SHARED = Path(os.environ.get("RECONCILER_SHARED", Path(__file__).parents[3] / "shared"))
REAL = SHARED / "blueprints" / "000-crm-django-nuxt.yaml"
REPO = "https://github.com/acme-inc/crm"


def blueprint(name: str, template: dict[str, Any], **spec: object) -> str:
    document = {
        "apiVersion": "reconciler/v1",
        "kind": "Blueprint",
        "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }
    return yaml.safe_dump(document)


def of(name: str, blueprint_name: str, **spec: object) -> str:
    document = {
        "apiVersion": "reconciler/v1",
        "kind": "Tenant",
        "metadata": {"name": name},
        "spec": {"blueprint": blueprint_name, **spec},
    }
    return yaml.safe_dump(document)


def image(name: str, sort: str = "web", **more: object) -> dict[str, Any]:
    return {"type": sort, "name": name, "runtime": "image", "image": {"url": f"docker.io/acme/{name}:1"}, **more}


DB = {"name": "db", "plan": "basic-256mb", "ipAllowList": []}
GROUP = {"name": "shared", "envVars": [{"key": "LEVEL", "value": "info"}]}


async def test_components_come_and_go_with_the_blueprint_and_data_waits_for_a_person(world: World) -> None:
    app = image("app")
    full = {"services": [app, image("jobs", "worker", envVars=[{"fromGroup": "shared"}])]}
    full |= {"databases": [DB], "envVarGroups": [GROUP]}
    await world.apply(blueprint("shape", {"services": [app]}, entrypoint="app"))
    await world.apply(of("acme", "shape"))
    await world.settle("acme")

    await world.apply(blueprint("shape", full, entrypoint="app"))
    more = await follow(world, world.step(1), "acme", revision=2)
    assert more.count("POST (services|postgres|env-groups)") == 3
    assert not [one for one in more.writes if "app-acme" in one], "what did not change is not touched"
    assert more.live("services", "jobs-acme")["running"]["env"]["LEVEL"] == "info"
    assert more.said("Created", "postgres db") and more.said("Created", "worker jobs")
    await assert_still(world)

    await world.apply(blueprint("shape", {"services": [app]}, entrypoint="app"))
    less = await follow(world, world.step(1), "acme", revision=3)
    assert [one for one in less.writes if one.startswith("DELETE")][-2:] == [
        "DELETE services/jobs-acme",
        "DELETE env-groups/shared-acme",
    ]
    assert not less.count("DELETE postgres/.*") and less.said("Deleted", "worker jobs")
    status = (await world.tenant("acme")).status
    assert status is not None and status.phase == "Ready"
    assert "postgres db is no longer in the Blueprint; deleting it would lose its data" in status.why
    assert status.you == "reconciler apply acme --set 'allowDataLoss=[\"db\"]'" and less.said("DataLoss", "postgres db")
    assert {one.component for one in status.components} == {"app", "db"}
    assert await world.quiet(300) == []

    gone = await follow(world, world.detail("acme", allowDataLoss=["db"]), "acme")
    assert gone.writes == ["DELETE postgres/db-acme"]
    status = (await world.tenant("acme")).status
    assert status is not None and status.conditions[1].status == "True" and status.total == 1
    await assert_still(world)
    await follow(world, world.detail("acme", allowDataLoss=[]), "acme")
    await assert_still(world)


async def test_a_commit_is_a_revision_one_deploy_each_and_the_hook_runs_once_ever(world: World) -> None:
    app = {"type": "web", "name": "app", "runtime": "node", "buildCommand": "npm ci", "startCommand": "npm start"}
    template = {"services": [{**app, "initialDeployHook": "npm run seed"}, {**app, "name": "two"}]}

    def at_commit(commit: str, **spec: object) -> str:
        return blueprint("code", template, source={"repo": REPO, "commit": commit}, entrypoint="app", **spec)

    await world.apply(at_commit("a" * 40))
    await world.apply(of("acme", "code"))
    await world.settle("acme")
    truth = await world.simulator.truth()
    names = names_of(truth)
    built = [in_words(one, names) for one in truth["writes"]]
    assert built.count("POST services/app-acme/jobs") == 1
    live = next(one for one in truth["services"] if one["name"] == "app-acme")
    assert live["autoDeploy"] == "no"
    assert _commit(live) == "a" * 40
    await assert_still(world)

    for letter in "bc":
        await world.apply(at_commit(letter * 40))
        moved = await follow(world, world.step(1), "acme", revision={"b": 2, "c": 3}[letter])
        assert sorted(moved.writes) == ["POST services/app-acme/deploys", "POST services/two-acme/deploys"]
        assert _commit(moved.live("services", "app-acme")) == letter * 40
        assert moved.said("Deploying", "commit")
        await assert_still(world)

    # A commit and a variable in one edit: one deploy. The hook is no part of it.
    await world.apply(at_commit("d" * 40, env={"app": {"NEW": "1"}}))
    both = await follow(world, world.step(1), "acme", revision=4)
    assert sorted(both.writes) == [
        "POST services/app-acme/deploys",
        "POST services/two-acme/deploys",
        "PUT services/app-acme/env-vars",
    ]
    off = world.registry.set_state("acme", "suspended", ACTOR)
    await follow(world, off, "acme", phase="Suspended")
    on = await follow(world, world.registry.set_state("acme", "running", ACTOR), "acme")
    assert on.count(".*/jobs") == 0
    await assert_still(world)


def _commit(service: dict[str, Any]) -> str:
    live = next(one for one in service["deploys"] if one["id"] == service["liveDeployId"])
    return str(live["commit"]["id"])


async def test_naming_projects_and_environments_are_the_blueprints_choice(world: World) -> None:
    bare = {"services": [image("app")], "envVarGroups": [GROUP]}
    await world.apply(blueprint("flat", bare, project=False, naming="{tenant}-x-{component}"))
    await world.apply(of("acme", "flat"))
    staged = {
        "projects": [
            {
                "name": "shop",
                "environments": [
                    {
                        "name": "production",
                        "services": [image("app", plan="standard")],
                        "permissions": {"protection": "enabled"},
                    },
                    {"name": "staging", "services": [image("app")], "networking": {"isolation": "enabled"}},
                ],
            }
        ]
    }
    await world.apply(blueprint("staged", staged))
    await world.apply(of("live", "staged", environment="production"))
    await world.apply(of("test", "staged", environment="staging"))
    await world.apply(of("none", "staged"))
    await world.settle("acme", "live", "test")

    truth = await world.simulator.truth()
    services = {one["name"]: one for one in truth["services"]}
    assert set(services) == {"acme-x-app", "app-live", "app-test"}
    assert not services["acme-x-app"].get("environmentId")
    assert {one["name"] for one in truth["projects"]} == {"live", "test"}
    assert (services["app-live"]["serviceDetails"]["plan"], services["app-test"]["serviceDetails"]["plan"]) == (
        "standard",
        "starter",
    )
    environments = {one["id"]: one for one in truth["environments"]}
    assert environments[services["app-live"]["environmentId"]]["protectedStatus"] == "protected"
    assert environments[services["app-test"]["environmentId"]]["networkIsolationEnabled"] is True
    status = (await world.tenant("none")).status
    assert status is not None and status.phase == "Invalid"
    assert "production" in status.why and "staging" in status.why, "says what there is to choose from"
    await world.run(lambda: _invalid(world, "none"))
    assert await world.quiet(300) == []
    gone = await follow(
        world, world.registry.set_state("acme", "deleted", ACTOR, purge_mode="now"), "acme", phase="Deleted"
    )
    assert [one for one in gone.writes if one.startswith("DELETE")] == [
        "DELETE services/acme-x-app",
        "DELETE env-groups/acme-x-shared",
    ]


async def _invalid(world: World, name: str) -> bool:
    status = (await world.tenant(name)).status
    return status is not None and status.phase == "Invalid"


async def test_values_that_name_each_other_come_late_with_one_more_deploy(world: World) -> None:
    front = image("front", envVars=[{"key": "API", "value": "${url.back}"}])
    back = image("back", envVars=[{"key": "ORIGIN", "value": "${url.front}"}])
    await world.apply(blueprint("ring", {"services": [front, back]}, entrypoint="front", ready={"path": "/"}))
    made = await follow(world, world.apply(of("acme", "ring")), "acme")
    assert made.count("POST services") == 2 and made.count("POST .*/deploys") == 1
    running = {one["name"]: one["running"]["env"] for one in made.truth["services"]}
    assert running["front-acme"]["API"] == "https://back-acme.onrender.com"
    assert running["back-acme"]["ORIGIN"] == "https://front-acme.onrender.com"
    await assert_still(world)


@pytest.mark.skipif(not REAL.is_file(), reason="needs the real Blueprints: set RECONCILER_SHARED to their folder")
async def test_a_real_blueprint_unmodified_gives_a_tenant_a_running_stack(world: World) -> None:
    digest = hashlib.sha256(REAL.read_bytes()).hexdigest()
    text = f"""
apiVersion: reconciler/v1
kind: Blueprint
metadata: {{name: crm}}
spec:
  templateFile: {REAL}
  source: {{repo: "{REPO}", branch: main}}
  entrypoint: backboneos-frontend
  ready: {{path: /, within: 15m}}
  secrets: {{SECRET_KEY: {{generate: 50}}, SENTRY_DSN: {{shared: true}}}}
  env:
    backboneos-backend: {{ALLOWED_HOSTS: "${{host.backboneos-backend}}"}}
"""
    (written,) = manifest.load_documents(text, file="crm.yaml")
    document = manifest.inline_template(written, lambda path: Path(path).read_text(encoding="utf-8"))
    await world.registry.put_blueprint("crm", manifest.blueprint_document(document), ACTOR)
    await world.apply(tenant("acme", "crm").replace("  tier: small\n", ""))
    await world.settle("acme", phase="Blocked")
    await world.registry.set_secret("blueprint", "crm", "SENTRY_DSN", Sensitive("https://sentry.example/1"), ACTOR)
    await world.settle("acme")

    truth = await world.simulator.truth()
    live = {one["name"]: one for one in truth["services"]}
    parts = ("backend", "frontend", "celery-worker", "celery-beat", "flower")
    assert set(live) == {f"backboneos-{part}-acme" for part in parts}
    backend = live["backboneos-backend-acme"]["running"]["env"]
    assert backend["DATABASE_URL"].startswith("postgresql://") and backend["REDIS_URL"].startswith("redis://")
    assert len(backend["SECRET_KEY"]) == 50 and backend["SENTRY_DSN"] == "https://sentry.example/1"
    assert backend["ALLOWED_HOSTS"] == "backboneos-backend-acme.onrender.com"
    assert backend["DJANGO_SETTINGS_MODULE"] == "backend.settings"
    assert env_of(live["backboneos-celery-worker-acme"])["SECRET_KEY"] == backend["SECRET_KEY"]
    status = (await world.tenant("acme")).status
    assert status is not None and status.url == "https://backboneos-frontend-acme.onrender.com"
    assert any("preview" in one for one in status.warnings)
    await assert_still(world)
    assert hashlib.sha256(REAL.read_bytes()).hexdigest() == digest
