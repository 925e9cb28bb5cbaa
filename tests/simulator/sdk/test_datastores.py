"""A complete life of Postgres, Key Value and its old twin Redis through the official SDK."""

import datetime
from typing import Any

import pytest
from render.public_api.api.key_value import (
    create_key_value,
    delete_key_value,
    list_key_value,
    resume_key_value,
    retrieve_key_value,
    retrieve_key_value_connection_info,
    suspend_key_value,
    update_key_value,
)
from render.public_api.api.postgres import (
    create_postgres,
    create_postgres_export,
    create_postgres_user,
    delete_postgres,
    delete_postgres_user,
    failover_postgres,
    list_available_postgres_parameter_overrides,
    list_postgres,
    list_postgres_export,
    list_postgres_parameter_overrides,
    list_postgres_processes,
    list_postgres_sizes,
    list_postgres_table_scans,
    list_postgres_top_queries,
    list_postgres_users,
    promote_postgres,
    recover_postgres,
    restart_postgres,
    resume_postgres,
    retrieve_postgres,
    retrieve_postgres_connection_info,
    retrieve_postgres_recovery_info,
    setup_postgres_replication,
    suspend_postgres,
    update_postgres,
    update_postgres_parameter_overrides,
)
from render.public_api.api.redis_deprecated import (
    create_redis,
    delete_redis,
    list_redis,
    resume_redis,
    retrieve_redis,
    retrieve_redis_connection_info,
    suspend_redis,
    update_redis,
)
from render.public_api.models import (
    CidrBlockAndDescription,
    CredentialCreateInput,
    DatabaseRole,
    DatabaseStatus,
    KeyValuePATCHInput,
    KeyValuePlan,
    KeyValuePOSTInput,
    ListPostgresSuspendedItem,
    MaxmemoryPolicy,
    PersistenceMode,
    PostgresDetailSuspended,
    PostgresParameterOverrides,
    PostgresParameterOverridesWrapper,
    PostgresPATCHInput,
    PostgresPlans,
    PostgresPOSTInput,
    PostgresReplicationSetupInput,
    PostgresVersion,
    ReadReplicaInput,
    RecoveryInfoRecoveryStatus,
    RecoveryInput,
    RedisPATCHInput,
    RedisPlan,
    RedisPOSTInput,
    Region,
)
from render.public_api.types import UNSET

from tests.simulator.conftest import OWNER, Simulator
from tests.simulator.sdk.conftest import Sdk, newest_first

OFFICE = [CidrBlockAndDescription("203.0.113.0/24", "office")]
PRO = PostgresPlans.PRO_4GB


def overrides(**values: str) -> PostgresParameterOverrides:
    return PostgresParameterOverrides.from_dict(values)


def database(sdk: Sdk, name: str = "db", **more: Any) -> Any:
    given = {"plan": PRO, "version": PostgresVersion("17"), "database_name": "shop", "database_user": "owner"}
    return sdk(create_postgres, body=PostgresPOSTInput(name=name, owner_id=OWNER, **{**given, **more}))


def test_the_life_of_a_database(sdk: Sdk):
    made = database(sdk, region=Region.OHIO, ip_allow_list=OFFICE, disk_size_gb=20, enable_disk_autoscaling=True)
    assert (made.status, made.role, made.version) == (
        DatabaseStatus.UNKNOWN, DatabaseRole.PRIMARY, PostgresVersion("17"),
    )  # fmt: skip
    assert (made.plan, made.region, made.disk_size_gb, made.ip_allow_list) == (PRO, Region.OHIO, 20, OFFICE)
    assert made.database_name.startswith("shop_") and made.database_user == "owner" and made.owner.id == OWNER
    assert made.disk_autoscaling_enabled is True and made.high_availability_enabled is False
    assert sdk(retrieve_postgres, made.id).status is DatabaseStatus.CREATING
    sdk.live()
    (listed,) = sdk(list_postgres, name=["db"], owner_id=[OWNER], region=[Region.OHIO])
    assert (listed.postgres.id, listed.postgres.status) == (made.id, DatabaseStatus.AVAILABLE)

    patch = PostgresPATCHInput(
        name="db-2", plan=PostgresPlans.PRO_8GB, disk_size_gb=30, enable_high_availability=True,
        connection_pool="pgbouncer", enable_disk_autoscaling=False,
    )  # fmt: skip
    changed = sdk(update_postgres, made.id, body=patch)
    assert (changed.name, changed.plan, changed.disk_size_gb) == ("db-2", PostgresPlans.PRO_8GB, 30)
    assert changed.high_availability_enabled is True and changed.connection_pool == "pgbouncer"
    assert changed.status is DatabaseStatus.CREATING and changed.updated_at > made.updated_at
    sdk.live()
    sdk(failover_postgres, made.id)
    sdk(restart_postgres, made.id)
    assert sdk(retrieve_postgres, made.id).status is DatabaseStatus.CONFIG_RESTART
    assert sdk.refused(400, restart_postgres, made.id).startswith("database is not available")
    sdk.live()

    info = sdk(retrieve_postgres_connection_info, made.id)
    assert info.internal_connection_string == (
        f"postgresql://owner:{info.password}@{made.id}/{made.database_name}"
    )  # fmt: skip
    assert "ohio-postgres.render.com:5432" in info.external_connection_string and info.password in info.psql_command
    assert info.internal_connection_pool_string and info.external_connection_pool_string

    sdk(suspend_postgres, made.id)
    suspended = sdk(retrieve_postgres, made.id)
    assert (suspended.suspended, suspended.status) == (PostgresDetailSuspended.SUSPENDED, DatabaseStatus.SUSPENDED)
    assert len(sdk(list_postgres, suspended=[ListPostgresSuspendedItem.SUSPENDED])) == 1
    sdk(resume_postgres, made.id)
    sdk.live()
    resumed = sdk(retrieve_postgres, made.id)
    assert (resumed.suspended, resumed.status) == (PostgresDetailSuspended.NOT_SUSPENDED, DatabaseStatus.AVAILABLE)

    sdk(delete_postgres, made.id)
    sdk.gone(retrieve_postgres, made.id)
    sdk.gone(delete_postgres, made.id)
    assert sdk(list_postgres) == []


def test_databases_come_in_pages_newest_first(sdk: Sdk):
    made = [database(sdk, f"db-{number}") for number in range(3)]
    with_replica = database(sdk, "with", read_replicas=[ReadReplicaInput("copy")])
    found = sdk.pages(list_postgres, "postgres", owner_id=[OWNER])
    assert newest_first(found) and len(found) == 5
    primaries = sdk.pages(list_postgres, "postgres", include_replicas=False)
    assert [item.id for item in primaries] == [with_replica.id, *(item.id for item in reversed(made))]
    between = sdk(list_postgres, created_after=made[0].created_at, created_before=made[2].created_at)
    assert [line.postgres.id for line in between] == [made[1].id]


def test_replicas_come_go_and_are_promoted(sdk: Sdk):
    wanted = [ReadReplicaInput("one", overrides(work_mem="8MB")), ReadReplicaInput("two")]
    made = database(sdk, read_replicas=wanted)
    assert made.status is DatabaseStatus.CREATING
    assert [item.name for item in made.read_replicas] == ["one", "two"]
    assert made.read_replicas[0].parameter_overrides == overrides(work_mem="8MB")
    first, second = made.read_replicas
    replica = sdk(retrieve_postgres, first.id)
    assert (replica.role, replica.primary_postgres_id) == (DatabaseRole.REPLICA, made.id)
    sdk.live()
    sdk(promote_postgres, second.id)
    assert sdk(retrieve_postgres, second.id).role is DatabaseRole.PRIMARY
    kept = sdk(update_postgres, made.id, body=PostgresPATCHInput(read_replicas=[ReadReplicaInput("three")]))
    assert [item.name for item in kept.read_replicas] == ["three"]
    sdk.gone(retrieve_postgres, first.id)
    assert sdk(update_postgres, made.id, body=PostgresPATCHInput(read_replicas=[])).read_replicas == []
    assert sdk.refused(400, promote_postgres, made.id) == "only a replica can be promoted"


def test_parameter_overrides(sdk: Sdk):
    made = database(sdk, parameter_overrides=overrides(work_mem="8MB"), read_replicas=[ReadReplicaInput("copy")])
    assert made.parameter_overrides == overrides(work_mem="8MB")
    known = sdk(list_available_postgres_parameter_overrides, made.id).available_parameter_overrides
    restart = {item.name: item.requires_restart for item in known}
    assert restart["work_mem"] is False and restart["max_connections"] is True
    asked = PostgresParameterOverridesWrapper(overrides(work_mem="16MB"))
    done = sdk(update_postgres_parameter_overrides, made.id, body=asked)
    assert done.affected_databases == [made.id, made.read_replicas[0].id]
    assert (done.applied_overrides, done.requires_restart) == (overrides(work_mem="16MB"), False)
    assert sdk(list_postgres_parameter_overrides, made.id) == asked
    asked = PostgresParameterOverridesWrapper(overrides(max_connections="200"))
    assert sdk(update_postgres_parameter_overrides, made.id, body=asked).requires_restart is True
    assert sdk(retrieve_postgres, made.id).parameter_overrides == overrides(max_connections="200")
    changed = sdk(update_postgres, made.id, body=PostgresPATCHInput(parameter_overrides=overrides()))
    assert changed.parameter_overrides is UNSET


def test_exports_appear_when_they_are_done(sdk: Sdk):
    made = database(sdk)
    sdk.live()
    sdk(create_postgres_export, made.id)
    (export,) = sdk(list_postgres_export, made.id)
    assert export.url is UNSET and export.created_at > made.created_at
    sdk.live()
    (done,) = sdk(list_postgres_export, made.id)
    assert done.id == export.id and done.url.startswith("https://")


def test_recovery_makes_another_database(sdk: Sdk):
    made = database(sdk)
    assert sdk(retrieve_postgres_recovery_info, made.id).recovery_status is RecoveryInfoRecoveryStatus.BACKUP_NOT_READY
    sdk.live()
    window = sdk(retrieve_postgres_recovery_info, made.id)
    assert window.recovery_status is RecoveryInfoRecoveryStatus.AVAILABLE
    at = window.starts_at + datetime.timedelta(seconds=30)
    other = sdk(recover_postgres, made.id, body=RecoveryInput(restore_name="again", restore_time=at))
    assert (other.name, other.status) == ("again", DatabaseStatus.RECOVERY_IN_PROGRESS) and other.id != made.id
    sdk.live()
    assert sdk(retrieve_postgres, other.id).status is DatabaseStatus.AVAILABLE


def test_users_of_a_database(sdk: Sdk):
    made = database(sdk)
    sdk(create_postgres_user, made.id, body=CredentialCreateInput("reader"))
    users = sdk(list_postgres_users, made.id)
    assert {item.username: item.default for item in users} == {"owner": True, "reader": False}
    assert all(isinstance(item.open_connections, int) for item in users)
    sdk.refused(400, create_postgres_user, made.id, body=CredentialCreateInput("reader"))
    sdk(delete_postgres_user, made.id, "reader")
    assert [item.username for item in sdk(list_postgres_users, made.id)] == ["owner"]
    sdk.gone(delete_postgres_user, made.id, "reader")


def test_a_look_into_a_database(sdk: Sdk):
    made = database(sdk, disk_size_gb=10)
    sdk.refused(400, list_postgres_processes, made.id)
    sdk.live()
    sessions = sdk(list_postgres_processes, made.id).processes
    assert len({item.pid for item in sessions}) == len(sessions) > 0
    assert {item.database_name for item in sessions} == {made.database_name}
    (size,) = sdk(list_postgres_sizes, made.id).sizes
    assert size.database == made.database_name and 0 < size.bytes_ < 10_000_000_000
    assert sdk(list_postgres_table_scans, made.id).table_scans == []
    assert sdk(list_postgres_top_queries, made.id).top_queries == []
    asked = PostgresReplicationSetupInput("public", made.database_name, restart_now=True)
    sdk(setup_postgres_replication, made.id, body=asked)
    assert sdk(retrieve_postgres, made.id).status is DatabaseStatus.CONFIG_RESTART


def test_a_free_database_expires(sdk: Sdk):
    made = database(sdk, plan=PostgresPlans.FREE, ip_allow_list=OFFICE)
    assert made.expires_at - made.created_at == datetime.timedelta(days=30)
    assert sdk(retrieve_postgres_recovery_info, made.id).recovery_status is RecoveryInfoRecoveryStatus.NOT_AVAILABLE


def test_a_closed_database_is_typed_where_an_empty_list_is_one(sdk: Sdk, sim: Simulator):
    with pytest.raises(TypeError):  # the recorded `ipAllowList: null` is more than the SDK can read
        database(sdk, ip_allow_list=[])
    sim.set(nulls_as_recorded=False)
    (line,) = sdk(list_postgres)
    assert sdk(retrieve_postgres, line.postgres.id).ip_allow_list == []
    opened = sdk(update_postgres, line.postgres.id, body=PostgresPATCHInput(ip_allow_list=OFFICE))
    assert opened.ip_allow_list == OFFICE


def test_the_life_of_a_key_value(sdk: Sdk):
    asked = KeyValuePOSTInput(
        name="kv", owner_id=OWNER, plan=KeyValuePlan.STARTER, region=Region.VIRGINIA, ip_allow_list=OFFICE,
        maxmemory_policy=MaxmemoryPolicy.NOEVICTION, persistence_mode=PersistenceMode.SNAPSHOT,
    )  # fmt: skip
    made = sdk(create_key_value, body=asked)
    assert (made.plan, made.region, made.ip_allow_list) == (KeyValuePlan.STARTER, Region.VIRGINIA, OFFICE)
    assert made.options.maxmemory_policy == "noeviction" and made.options.persistence_mode == "snapshot"
    sdk.live()
    (line,) = sdk(list_key_value, name=["kv"], owner_id=[OWNER], region=[Region.VIRGINIA])
    assert (line.key_value.id, line.key_value.status) == (made.id, DatabaseStatus.AVAILABLE)
    assert line.key_value.dashboard_url.endswith(made.id)
    patch = KeyValuePATCHInput(
        name="kv-2", plan=KeyValuePlan.STANDARD, maxmemory_policy=MaxmemoryPolicy.VOLATILE_LRU,
        persistence_mode=PersistenceMode.JOURNAL_SNAPSHOT,
    )  # fmt: skip
    changed = sdk(update_key_value, made.id, body=patch)
    assert (changed.name, changed.plan) == ("kv-2", KeyValuePlan.STANDARD)
    assert changed.options.maxmemory_policy == "volatile_lru" and changed.updated_at > made.updated_at
    sdk.live()
    info = sdk(retrieve_key_value_connection_info, made.id)
    assert info.internal_connection_string == f"redis://{made.id}:6379"
    assert info.external_connection_string.startswith("rediss://") and info.cli_command.startswith(" ")
    sdk(suspend_key_value, made.id)
    assert sdk(retrieve_key_value, made.id).status is DatabaseStatus.SUSPENDED
    sdk(resume_key_value, made.id)
    sdk.live()
    assert sdk(retrieve_key_value, made.id).status is DatabaseStatus.AVAILABLE
    sdk(delete_key_value, made.id)
    sdk.gone(retrieve_key_value, made.id)
    sdk.gone(delete_key_value, made.id)


def test_key_values_come_in_pages_newest_first(sdk: Sdk, sim: Simulator):
    sim.set(nulls_as_recorded=False)
    plan = KeyValuePlan.FREE
    made = [sdk(create_key_value, body=KeyValuePOSTInput(f"kv-{n}", OWNER, plan)) for n in range(4)]
    assert made[0].options.persistence_mode == "off" and made[0].ip_allow_list == []
    found = sdk.pages(list_key_value, "key_value", owner_id=[OWNER])
    assert [item.id for item in found] == [item.id for item in reversed(made)]
    twins = sdk.pages(list_redis, "redis", owner_id=[OWNER])
    assert [item.id for item in twins] == [item.id for item in found]


def test_the_life_of_a_redis(sdk: Sdk):
    asked = RedisPOSTInput(name="old", owner_id=OWNER, plan=RedisPlan.STARTER, ip_allow_list=OFFICE)
    made = sdk(create_redis, body=asked)
    assert (made.name, made.plan, made.ip_allow_list) == ("old", RedisPlan.STARTER, OFFICE)
    sdk.live()
    (line,) = sdk(list_redis, name=["old"])
    assert line.redis.id == made.id and sdk(retrieve_key_value, made.id).name == "old"
    changed = sdk(update_redis, made.id, body=RedisPATCHInput(plan=RedisPlan.PRO))
    assert changed.plan is RedisPlan.PRO
    info = sdk(retrieve_redis_connection_info, made.id)
    assert info.internal_connection_string == f"redis://{made.id}:6379" and info.redis_cli_command
    sdk(suspend_redis, made.id)
    assert sdk(retrieve_redis, made.id).status is DatabaseStatus.SUSPENDED
    sdk(resume_redis, made.id)
    sdk.live()
    assert sdk(retrieve_redis, made.id).status is DatabaseStatus.AVAILABLE
    sdk(delete_redis, made.id)
    sdk.gone(retrieve_redis, made.id)
