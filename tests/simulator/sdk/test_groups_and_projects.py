"""A complete life of environment groups, projects and environments through the official SDK."""

import json
from typing import Any

import pytest
from render.public_api.api.environment_groups import (
    create_env_group,
    delete_env_group,
    delete_env_group_env_var,
    delete_env_group_secret_file,
    link_service_to_env_group,
    list_env_groups,
    retrieve_env_group,
    retrieve_env_group_env_var,
    retrieve_env_group_secret_file,
    unlink_service_from_env_group,
    update_env_group,
    update_env_group_env_var,
    update_env_group_secret_file,
)
from render.public_api.api.postgres import create_postgres, retrieve_postgres
from render.public_api.api.projects_environments import (
    add_resources_to_environment,
    create_environment,
    create_project,
    delete_environment,
    delete_project,
    list_environments,
    list_projects,
    remove_resources_from_environment,
    retrieve_environment,
    retrieve_project,
    update_environment,
    update_project,
)
from render.public_api.api.services import list_services, retrieve_service
from render.public_api.errors import UnexpectedStatus
from render.public_api.models import (
    CidrBlockAndDescription,
    EnvGroupPATCHInput,
    EnvGroupPOSTInput,
    Environment,
    EnvironmentPATCHInput,
    EnvironmentPOSTInput,
    EnvironmentResourcesPOSTInput,
    EnvVarGenerateValue,
    EnvVarKeyGenerateValue,
    EnvVarKeyValue,
    EnvVarValue,
    PostgresPlans,
    PostgresPOSTInput,
    PostgresVersion,
    ProjectPATCHInput,
    ProjectPOSTEnvironmentInput,
    ProjectPOSTInput,
    ProtectedStatus,
    SecretFileInput,
    ServiceTypeShort,
    UpdateEnvGroupSecretFileBody,
)
from render.public_api.types import UNSET

from tests.simulator.conftest import OWNER
from tests.simulator.sdk import shapes
from tests.simulator.sdk.conftest import Sdk, newest_first

OFFICE = [CidrBlockAndDescription("203.0.113.0/24", "office")]


def group(sdk: Sdk, name: str, **more: Any) -> Any:
    return sdk(create_env_group, body=EnvGroupPOSTInput(name=name, owner_id=OWNER, **{"env_vars": [], **more}))


def project(sdk: Sdk, name: str = "shop") -> Any:
    environments = [
        ProjectPOSTEnvironmentInput("live", ProtectedStatus.PROTECTED, network_isolation_enabled=True),
        ProjectPOSTEnvironmentInput("test", ip_allow_list=OFFICE),
    ]
    return sdk(create_project, body=ProjectPOSTInput(name=name, owner_id=OWNER, environments=environments))


def put_into(sdk: Sdk, environment_id: str, *keys: str) -> None:
    """Move resources. Recordings answer 201 where the SDK knows 200, so its model reads the body apart."""
    body = EnvironmentResourcesPOSTInput(list(keys))
    with pytest.raises(UnexpectedStatus) as caught:
        add_resources_to_environment.sync_detailed(environment_id, client=sdk.client, body=body)
    assert caught.value.status_code == 201
    answered = Environment.from_dict(json.loads(caught.value.content))
    assert list(shapes.complaints(answered, Environment)) == []
    assert answered == sdk(retrieve_environment, environment_id)


def test_the_life_of_a_group(sdk: Sdk):
    service = sdk.service("web")
    made = group(
        sdk, "common", env_vars=[EnvVarKeyValue("A", "1"), EnvVarKeyGenerateValue("TOKEN", True)],
        secret_files=[SecretFileInput("ca.pem", "certificate")], service_ids=[service.id],
    )  # fmt: skip
    assert {item.key for item in made.env_vars} == {"A", "TOKEN"} and made.environment_id is UNSET
    assert [(item.name, item.content) for item in made.secret_files] == [("ca.pem", "certificate")]
    (link,) = made.service_links
    assert (link.id, link.name, link.type_) == (service.id, "web", ServiceTypeShort.WEB)
    (listed,) = sdk(list_env_groups, name=["common"], owner_id=[OWNER])
    shown = sdk(retrieve_env_group, made.id)
    assert (listed.id, listed.service_links) == (made.id, shown.service_links) and shown.env_vars == made.env_vars

    assert sdk(update_env_group, made.id, body=EnvGroupPATCHInput("shared")).name == "shared"
    changed = sdk(update_env_group_env_var, made.id, "A", body=EnvVarValue("2"))
    assert {item.key: item.value for item in changed.env_vars}["A"] == "2"
    sdk(update_env_group_env_var, made.id, "B", body=EnvVarGenerateValue(True))
    assert len(sdk(retrieve_env_group_env_var, made.id, "B").value) == 44
    sdk(delete_env_group_env_var, made.id, "A")
    sdk.gone(retrieve_env_group_env_var, made.id, "A")
    sdk(update_env_group_secret_file, made.id, "key.pem", body=UpdateEnvGroupSecretFileBody("key"))
    assert sdk(retrieve_env_group_secret_file, made.id, "key.pem").content == "key"
    sdk(delete_env_group_secret_file, made.id, "ca.pem")
    assert [item.name for item in sdk(retrieve_env_group, made.id).secret_files] == ["key.pem"]

    sdk(unlink_service_from_env_group, made.id, service.id)
    assert sdk(retrieve_env_group, made.id).service_links == []
    cron = sdk.cron()
    linked = sdk(link_service_to_env_group, made.id, cron.id)
    assert [item.type_ for item in linked.service_links] == [ServiceTypeShort.CRON]
    sdk(delete_env_group, made.id)
    sdk.gone(retrieve_env_group, made.id)
    sdk.gone(delete_env_group, made.id)


def test_groups_are_listed_newest_first_without_cursors(sdk: Sdk):
    made = [group(sdk, f"g-{number}") for number in range(5)]
    first = sdk(list_env_groups, limit=2)
    assert [item.id for item in first] == [made[4].id, made[3].id]
    older = sdk(list_env_groups, limit=2, created_before=first[-1].created_at)
    assert [item.id for item in older] == [made[2].id, made[1].id]
    assert [item.id for item in sdk(list_env_groups, created_before=older[-1].created_at)] == [made[0].id]


def test_the_life_of_a_project(sdk: Sdk):
    made = project(sdk)
    assert (made.name, made.owner.id, len(made.environment_ids)) == ("shop", OWNER, 2)
    assert sdk(retrieve_project, made.id) == made
    (listed,) = sdk(list_projects, name=["shop"], owner_id=[OWNER])
    assert listed.project == made
    found = {line.environment.name: line.environment for line in sdk(list_environments, project_id=[made.id])}
    live, test = found["live"], found["test"]
    assert {live.id, test.id} == set(made.environment_ids)
    assert (live.protected_status, live.network_isolation_enabled) == (ProtectedStatus.PROTECTED, True)
    assert (test.protected_status, test.ip_allow_list) == (ProtectedStatus.UNPROTECTED, OFFICE)
    changed = sdk(update_project, made.id, body=ProjectPATCHInput("store"))
    assert changed.name == "store" and changed.updated_at > made.updated_at
    sdk(delete_project, made.id)
    sdk.gone(retrieve_project, made.id)
    sdk.gone(retrieve_environment, live.id)


def test_the_life_of_an_environment(sdk: Sdk):
    home = project(sdk)
    made = sdk(create_environment, body=EnvironmentPOSTInput("stage", home.id, ProtectedStatus.UNPROTECTED, False))
    assert (made.name, made.project_id, made.service_ids) == ("stage", home.id, None)
    (listed,) = sdk(list_environments, project_id=[home.id], name=["stage"], environment_id=[made.id])
    assert listed.environment == made
    patch = EnvironmentPATCHInput("staging", True, ProtectedStatus.PROTECTED, OFFICE)
    changed = sdk(update_environment, made.id, body=patch)
    assert (changed.name, changed.network_isolation_enabled) == ("staging", True)
    assert (changed.protected_status, changed.ip_allow_list) == (ProtectedStatus.PROTECTED, OFFICE)
    assert sdk(retrieve_environment, made.id) == changed
    sdk(delete_environment, made.id)
    sdk.gone(retrieve_environment, made.id)
    assert made.id not in sdk(retrieve_project, home.id).environment_ids


def test_resources_move_between_environments(sdk: Sdk):
    first, second = project(sdk).environment_ids
    web, bundle = sdk.service("web", environment_id=first), group(sdk, "g", environment_id=first)
    asked = PostgresPOSTInput("db", OWNER, PostgresPlans.BASIC_1GB, PostgresVersion("16"), "shop", "owner")
    db = sdk(create_postgres, body=asked)
    shown = sdk(retrieve_environment, first)
    assert (shown.service_ids, shown.env_group_ids, shown.databases_ids) == ([web.id], [bundle.id], None)
    put_into(sdk, second, web.id, db.id)
    moved = sdk(retrieve_environment, second)
    assert (moved.service_ids, moved.databases_ids) == ([web.id], [db.id])
    assert sdk(retrieve_environment, first).service_ids is None
    assert sdk(retrieve_service, web.id).environment_id == second
    assert sdk(retrieve_postgres, db.id).environment_id == second
    assert [line.service.id for line in sdk(list_services, environment_id=[second])] == [web.id]
    with pytest.raises(UnexpectedStatus, match="409"):  # not among the statuses that the SDK knows of it
        delete_environment.sync_detailed(second, client=sdk.client)
    sdk(remove_resources_from_environment, second, resource_ids=[web.id, db.id])
    assert sdk(retrieve_service, web.id).environment_id is UNSET
    sdk(delete_environment, second)


def test_an_empty_environment_is_typed_where_an_empty_list_is_one(sdk: Sdk):
    sdk.sim.set(nulls_as_recorded=False)
    shown = sdk(retrieve_environment, project(sdk).environment_ids[0])
    assert (shown.service_ids, shown.databases_ids, shown.redis_ids, shown.env_group_ids) == ([], [], [], [])


def test_projects_and_environments_come_in_pages_newest_first(sdk: Sdk):
    made = [project(sdk, f"p-{number}") for number in range(3)]
    projects = sdk.pages(list_projects, "project", owner_id=[OWNER])
    assert [item.id for item in projects] == [item.id for item in reversed(made)]
    environments = sdk.pages(list_environments, "environment", project_id=[made[0].id, made[1].id])
    assert newest_first(environments) and len(environments) == 4
