"""Events, logs, metrics and the audit log through the official SDK."""

import datetime
from types import ModuleType
from typing import Any

import pytest
from render.public_api.api.audit_logs import list_owner_audit_logs
from render.public_api.api.deploys import cancel_deploy, create_deploy
from render.public_api.api.disks import add_disk, delete_disk, list_snapshots, restore_snapshot, update_disk
from render.public_api.api.environment_groups import create_env_group
from render.public_api.api.events import retrieve_event
from render.public_api.api.logs import list_logs, list_logs_values
from render.public_api.api.metrics import (
    get_active_connections,
    get_bandwidth,
    get_bandwidth_sources,
    get_cpu,
    get_cpu_limit,
    get_cpu_target,
    get_disk_capacity,
    get_disk_usage,
    get_http_latency,
    get_http_requests,
    get_instance_count,
    get_memory,
    get_memory_limit,
    get_memory_target,
    get_replication_lag,
    list_application_filter_values,
    list_http_filter_values,
    list_path_filter_values,
)
from render.public_api.api.one_off_jobs import post_job
from render.public_api.api.postgres import (
    create_postgres,
    failover_postgres,
    restart_postgres,
    resume_postgres,
    suspend_postgres,
    update_postgres,
)
from render.public_api.api.services import (
    autoscale_service,
    delete_autoscaling_config,
    list_events,
    list_instances,
    purge_cache,
    restart_service,
    resume_service,
    scale_service,
    suspend_service,
    update_service,
)
from render.public_api.api.services_cron_jobs import cancel_cron_job_run, run_cron_job
from render.public_api.api.webhooks import create_webhook, delete_webhook
from render.public_api.models import (
    AuditLogActorType,
    AuditLogEvent,
    AuditLogStatus,
    AutoDeployTrigger,
    AutoscalingConfig,
    AutoscalingCriteria,
    AutoscalingCriteriaPercentage,
    Cache,
    CacheProfile,
    CreateDeployBody,
    DiskPATCH,
    DiskPOST,
    EnvGroupPOSTInput,
    GetBandwidthSourcesResponse200DataItemLabelsTrafficSource,
    GetCpuAggregationMethod,
    GetHttpRequestsAggregateBy,
    ListLogsValuesLabel,
    LogDirection,
    LogLabelName,
    MaintenanceMode,
    Plan,
    PostgresPATCHInput,
    PostgresPlans,
    PostgresPOSTInput,
    PostgresVersion,
    PostJobBody,
    ReadReplicaInput,
    ScaleServiceBody,
    ServiceEventType,
    ServicePATCH,
    SnapshotRestorePOST,
    WebhookPOSTInput,
    WebServiceDetailsPATCH,
)

from tests.simulator.conftest import OWNER, Simulator
from tests.simulator.sdk import shapes
from tests.simulator.sdk.conftest import Sdk, newest_first, web_details

TRAFFIC = GetBandwidthSourcesResponse200DataItemLabelsTrafficSource
HOUR = datetime.timedelta(hours=1)


def everything_on_a_service(sdk: Sdk, sim: Simulator) -> tuple[Any, set[str]]:
    """Do to a web service whatever leaves an event; the service and the types of the events."""
    service = sdk.service("web", web_details(pre_deploy_command="migrate"))
    key = service.id
    sdk.live()
    sdk(restart_service, key)
    sdk(scale_service, key, body=ScaleServiceBody(2))
    criteria = AutoscalingCriteria(AutoscalingCriteriaPercentage(60, True), AutoscalingCriteriaPercentage(60, False))
    sdk(autoscale_service, key, body=AutoscalingConfig(2, 5, criteria, True))
    sim.human("scale", key, instances=4)
    sdk(delete_autoscaling_config, key)
    sdk(scale_service, key, body=ScaleServiceBody(1))
    for trigger in (AutoDeployTrigger.OFF, AutoDeployTrigger.COMMIT):
        sdk(update_service, key, body=ServicePATCH(auto_deploy_trigger=trigger))
    details = WebServiceDetailsPATCH(
        plan=Plan.STANDARD, cache=Cache(CacheProfile.ORIGIN_CONTROLLED), maintenance_mode=MaintenanceMode(True, "")
    )  # fmt: skip
    sdk(update_service, key, body=ServicePATCH(service_details=details))
    sdk(purge_cache, key)
    disk = sdk(add_disk, body=DiskPOST("data", 1, "/data", key))
    sdk(update_disk, disk.id, body=DiskPATCH(size_gb=2))
    sim.step(86_400)
    snapshot = sdk(list_snapshots, disk.id)[0].snapshot_key
    sdk(restore_snapshot, disk.id, body=SnapshotRestorePOST(snapshot))
    sdk(delete_disk, disk.id)
    sdk(post_job, key, body=PostJobBody("echo"))
    sdk(cancel_deploy, key, sdk(create_deploy, key, body=CreateDeployBody()).id)
    sdk(suspend_service, key)
    sdk(resume_service, key)
    sim.human("crash", key)
    sim.human("recover", key)
    sdk.live()
    sim.fault("build_failed", service=key)
    sdk(create_deploy, key, body=CreateDeployBody())
    sdk.live()
    return service, {
        "build_started", "build_ended", "deploy_started", "deploy_ended", "pre_deploy_started", "pre_deploy_ended",
        "server_available", "server_restarted", "server_failed", "instance_count_changed", "autoscaling_started",
        "autoscaling_ended", "autoscaling_config_changed", "auto_deploy_enabled", "auto_deploy_disabled",
        "plan_changed", "maintenance_mode_enabled", "disk_created", "disk_updated", "disk_deleted",
        "disk_snapshot_restored", "job_run_ended", "service_suspended", "service_resumed", "suspender_added",
        "suspender_removed",
    }  # fmt: skip


def test_every_event_of_a_service_has_the_details_of_its_type(sdk: Sdk, sim: Simulator):
    service, expected = everything_on_a_service(sdk, sim)
    since = {"start_time": service.created_at - HOUR}
    found = [line.event for line in sdk(list_events, service.id, limit=100, **since)]
    assert {event.type_.value for event in found} == expected
    assert {event.service_id for event in found} == {service.id}
    for event in found:
        if not event.type_.value.startswith("suspender_"):
            assert sdk(retrieve_event, event.id).timestamp == event.timestamp
    sdk.gone(retrieve_event, "evt-00000000000000000000")
    # An emptied cache is told to webhooks, which name the event by its id, and is not in the list.
    (purge,) = [event.id for event in sim.app.world.events.rows.values() if event.type == "edge_cache_purged"]
    assert shapes.details_of(sdk(retrieve_event, purge)).trigger.system is False


def test_events_come_in_pages_newest_first(sdk: Sdk):
    service = sdk.service("web")
    sdk.live()
    found = sdk.pages(list_events, "event", service.id)
    assert [event.timestamp for event in found] == sorted((event.timestamp for event in found), reverse=True)
    deploys = sdk(list_events, service.id, type_=ServiceEventType.DEPLOY_ENDED)
    assert [shapes.details_of(line.event).deploy_status.value for line in deploys] == ["succeeded"]


def test_events_of_a_cron_job(sdk: Sdk):
    key = sdk.cron().id
    sdk.live()
    sdk(run_cron_job, key)
    sdk(cancel_cron_job_run, key)
    sdk(run_cron_job, key)
    sdk.live()
    ended = sdk(list_events, key, type_=ServiceEventType.CRON_JOB_RUN_ENDED)
    assert [shapes.details_of(line.event).status.value for line in ended] == ["successful", "canceled"]
    assert len(sdk(list_events, key, type_=ServiceEventType.CRON_JOB_RUN_STARTED)) == 2


def test_every_event_of_a_database_has_the_details_of_its_type(sdk: Sdk, sim: Simulator):
    asked = PostgresPOSTInput("db", OWNER, PostgresPlans.PRO_4GB, PostgresVersion("17"), "shop", "owner")
    key = sdk(create_postgres, body=asked).id
    sdk.live()
    patch = PostgresPATCHInput(
        plan=PostgresPlans.PRO_8GB, disk_size_gb=200, enable_high_availability=True, connection_pool="pgbouncer",
        read_replicas=[ReadReplicaInput("copy")], enable_disk_autoscaling=True,
    )  # fmt: skip
    sdk(update_postgres, key, body=patch)
    sdk.live()
    sdk(failover_postgres, key)
    sdk(restart_postgres, key)
    sdk.live()
    sim.human("maintenance", key, after_s=1)
    sdk.live()
    sdk(suspend_postgres, key)
    sdk(resume_postgres, key)
    # The SDK has no list of a database's events: a webhook names them.
    told = sim.ok("GET", f"/postgres/{key}/events", limit=100)
    events = [sdk(retrieve_event, line["event"]["id"]) for line in told]
    assert {event.type_.value for event in events} >= {
        "postgres_created", "postgres_available", "plan_changed", "postgres_disk_size_changed",
        "postgres_ha_status_changed", "postgres_read_replicas_changed", "postgres_cluster_leader_changed",
        "postgres_restarted", "maintenance_started", "maintenance_ended", "service_suspended", "service_resumed",
    }  # fmt: skip


def test_logs_are_paged_and_filtered(sdk: Sdk, sim: Simulator):
    service = sdk.service("web")
    sim.step(300)
    sim.human("crash", service.id)
    sim.step(1)
    asked = {"owner_id": OWNER, "resource": [service.id]}
    page = sdk(list_logs, **asked, limit=2)
    assert page.has_more is True and len(page.logs) == 2 and page.logs[0].message == "server_failed"
    lines = list(page.logs)
    while page.has_more:
        page = sdk(list_logs, **asked, limit=2, start_time=page.next_start_time, end_time=page.next_end_time)
        lines += page.logs
    everything = sdk(list_logs, **asked, limit=100).logs
    assert [line.id for line in lines] == [line.id for line in everything]
    forward = sdk(list_logs, **asked, limit=100, direction=LogDirection.FORWARD).logs
    assert [line.id for line in forward] == [line.id for line in reversed(everything)]
    bad = sdk(list_logs, **asked, level=["error"]).logs
    assert [line.message for line in bad] == ["server_failed"]
    labels = {label.name: label.value for label in bad[0].labels}
    assert labels[LogLabelName.RESOURCE] == service.id and labels[LogLabelName.LEVEL] == "error"
    assert [line.message for line in sdk(list_logs, **asked, text=["server_f"]).logs] == ["server_failed"]
    assert sdk(list_logs, **asked, instance=["none"]).logs == []
    assert sdk(list_logs_values, **asked, label=ListLogsValuesLabel.LEVEL) == ["error", "info"]
    (instance,) = sdk(list_logs_values, **asked, label=ListLogsValuesLabel.INSTANCE)
    assert instance == sdk(list_instances, service.id)[0].id


SERIES = [
    (get_active_connections, {}), (get_bandwidth, {}), (get_disk_capacity, {}), (get_disk_usage, {}),
    (get_cpu, {"aggregation_method": GetCpuAggregationMethod.MAX}), (get_cpu_limit, {}), (get_cpu_target, {}),
    (get_memory, {}), (get_memory_limit, {}), (get_memory_target, {}), (get_instance_count, {}),
    (get_http_latency, {"quantile": 0.95}), (get_replication_lag, {}),
    (get_http_requests, {"aggregate_by": GetHttpRequestsAggregateBy.STATUSCODE}),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "more"), SERIES, ids=[metric.__name__.rpartition(".")[2] for metric, _ in SERIES])
def test_metrics_are_series_over_the_interval_asked_for(sdk: Sdk, sim: Simulator, metric: ModuleType, more: Any):
    service = sdk.service("web")
    sim.step(7_200)
    end = service.created_at + 2 * HOUR
    (series,) = sdk(metric, resource=service.id, start_time=end - HOUR, end_time=end, **more)
    stamps = [point.timestamp for point in series.values]
    assert stamps == sorted(set(stamps)) and stamps and end - 2 * HOUR < stamps[0] <= stamps[-1] < end
    assert series.unit and any(label.value == service.id for label in series.labels)


def test_metrics_say_what_is(sdk: Sdk, sim: Simulator):
    service = sdk.service("web")
    sdk(scale_service, service.id, body=ScaleServiceBody(3))
    sim.step(7_200)
    (count,) = sdk(get_instance_count, resource=service.id, resolution_seconds=600)
    assert count.values[-1].value == 3
    steps = {later.timestamp - point.timestamp for point, later in zip(count.values, count.values[1:], strict=False)}
    assert steps == {datetime.timedelta(seconds=600)}
    sources = sdk(get_bandwidth_sources, resource=service.id).data
    assert [item.labels.traffic_source for item in sources] == [TRAFFIC.TOTAL, TRAFFIC.HTTP]
    (total,) = sdk(get_bandwidth, resource=service.id)
    assert [point.value for point in sources[0].values] == [point.value for point in total.values]
    early = datetime.datetime(2025, 3, 8, tzinfo=datetime.UTC)
    sdk.refused(400, get_bandwidth_sources, resource=service.id, start_time=early)
    (application,) = sdk(list_application_filter_values, resource=service.id)
    assert application.filter_.value == "instance" and len(application.values) == 3
    http = {item.filter_.value: item.values for item in sdk(list_http_filter_values, resource=service.id)}
    assert http == {"host": [service.service_details.url.removeprefix("https://")], "statusCode": ["200"]}
    assert sdk(list_path_filter_values, resource=service.id) == ["/"]


def test_the_audit_log_names_who_did_what(sdk: Sdk, sim: Simulator):
    service = sdk.service("web")
    sdk(create_env_group, body=EnvGroupPOSTInput("g", OWNER, []))
    hook = sdk(create_webhook, body=WebhookPOSTInput(OWNER, "https://acme.example", "h", True, []))
    sdk(delete_webhook, hook.id)
    sim.human("rename", service.id, name="shop")
    found = sdk.pages(list_owner_audit_logs, "audit_log", OWNER)
    assert newest_first(found)
    assert [entry.event for entry in found] == [
        AuditLogEvent.UPDATESERVICENAMEEVENT, AuditLogEvent.DELETEWEBHOOKEVENT, AuditLogEvent.CREATEWEBHOOKEVENT,
        AuditLogEvent.CREATEENVVARSEVENT, AuditLogEvent.CREATESERVEREVENT,
    ]  # fmt: skip
    assert found[0].actor.type_ is AuditLogActorType.USER and found[1].actor.type_ is AuditLogActorType.REST_API
    assert {entry.status for entry in found} == {AuditLogStatus.SUCCESS}
    assert service.id in found[0].metadata["resourceIds"]
    oldest = sdk.pages(list_owner_audit_logs, "audit_log", OWNER, direction=LogDirection.FORWARD)
    assert [entry.id for entry in oldest] == [entry.id for entry in reversed(found)]
    assert sdk(list_owner_audit_logs, OWNER, start_time=found[0].timestamp + HOUR) == []
