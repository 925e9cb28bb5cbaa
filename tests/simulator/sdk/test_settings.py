"""Credentials, notifications, streams, webhooks, addresses, maintenance, Blueprints and people through the SDK."""

import datetime
import io
import time
from typing import Any

from render.public_api.api.blueprints import (
    disconnect_blueprint,
    list_blueprint_syncs,
    list_blueprints,
    retrieve_blueprint,
    update_blueprint,
    validate_blueprint,
)
from render.public_api.api.dedicated_i_ps import (
    create_dedicated_ip,
    delete_dedicated_ip,
    list_dedicated_ips,
    retrieve_dedicated_ip,
    update_dedicated_ip,
)
from render.public_api.api.key_value import create_key_value, list_key_value, retrieve_key_value
from render.public_api.api.logs import (
    delete_owner_log_stream,
    delete_resource_log_stream,
    get_owner_log_stream,
    get_resource_log_stream,
    list_resource_log_streams,
    update_owner_log_stream,
    update_resource_log_stream,
)
from render.public_api.api.maintenance import (
    list_maintenance,
    retrieve_maintenance,
    trigger_maintenance,
    update_maintenance,
)
from render.public_api.api.metrics import (
    delete_owner_metrics_stream,
    get_owner_metrics_stream,
    upsert_owner_metrics_stream,
)
from render.public_api.api.notification_settings import (
    list_notification_overrides,
    patch_owner_notification_settings,
    patch_service_notification_overrides,
    retrieve_owner_notification_settings,
    retrieve_service_notification_overrides,
)
from render.public_api.api.projects_environments import create_project
from render.public_api.api.registry_credentials import (
    create_registry_credential,
    delete_registry_credential,
    list_registry_credentials,
    retrieve_registry_credential,
    update_registry_credential,
)
from render.public_api.api.services import restart_service, retrieve_service, retrieve_service_outbound_ips
from render.public_api.api.users import get_user
from render.public_api.api.webhooks import (
    create_webhook,
    delete_webhook,
    list_webhook_events,
    list_webhooks,
    retrieve_webhook,
    update_webhook,
)
from render.public_api.api.workspaces import list_owners, retrieve_owner, retrieve_owner_members
from render.public_api.models import (
    BlueprintPATCH,
    CidrBlockAndDescription,
    CreateRegistryCredentialBody,
    DatabaseStatus,
    DedicatedIPPATCH,
    DedicatedIPPOST,
    DedicatedIPStatus,
    EventType,
    KeyValuePlan,
    KeyValuePOSTInput,
    LogStreamOwnerUpdate,
    LogStreamPreviewSetting,
    LogStreamResourceUpdate,
    LogStreamSetting,
    MaintenanceRunPATCH,
    MaintenanceState,
    MetricsStreamInput,
    NotificationServiceOverridePATCH,
    NotificationSettingPATCH,
    NotifyOverride,
    NotifyPreviewOverride,
    NotifySetting,
    NotifySettingV2,
    OtelProviderType,
    OutboundIpsType,
    OwnerType,
    ProjectPOSTEnvironmentInput,
    ProjectPOSTInput,
    Region,
    RegistryCredentialRegistry,
    ResourceRefType,
    Status,
    SyncState,
    TeamMemberRole,
    UpdateRegistryCredentialBody,
    ValidateBlueprintRequest,
    WebhookPATCHInput,
    WebhookPOSTInput,
)
from render.public_api.types import UNSET, File

from tests.simulator.conftest import OWNER, Simulator, free_port
from tests.simulator.sdk.conftest import REPO, Sdk, newest_first

OFFICE = [CidrBlockAndDescription("203.0.113.0/24", "office")]
DOCKER = RegistryCredentialRegistry.DOCKER
DAY = datetime.timedelta(days=1)


def test_the_life_of_registry_credentials(sdk: Sdk):
    made = [sdk(create_registry_credential, body=CreateRegistryCredentialBody(DOCKER, f"r{n}", "me", "t", OWNER))
            for n in range(3)]  # fmt: skip
    assert (made[0].name, made[0].registry, made[0].username) == ("r0", DOCKER, "me")
    assert [item.id for item in sdk(list_registry_credentials, limit=2)] == [made[2].id, made[1].id]
    found = sdk(list_registry_credentials, name=["r1"], username=["me"], type_=[DOCKER], owner_id=[OWNER])
    assert found == [sdk(retrieve_registry_credential, made[1].id)]
    patch = UpdateRegistryCredentialBody(RegistryCredentialRegistry.GITHUB, "r9", "you", "t2")
    changed = sdk(update_registry_credential, made[1].id, body=patch)
    assert (changed.name, changed.registry, changed.username) == ("r9", RegistryCredentialRegistry.GITHUB, "you")
    assert changed.updated_at > made[1].updated_at
    sdk(delete_registry_credential, made[1].id)
    sdk.gone(retrieve_registry_credential, made[1].id)


def test_notification_overrides(sdk: Sdk):
    services = [sdk.service(f"web-{number}") for number in range(3)]
    shown = sdk(retrieve_service_notification_overrides, services[0].id)
    assert shown.notifications_to_send is NotifyOverride.DEFAULT
    patch = NotificationServiceOverridePATCH(NotifyPreviewOverride.FALSE, NotifyOverride.FAILURE)
    for service in services:
        changed = sdk(patch_service_notification_overrides, service.id, body=patch)
        assert (changed.service_id, changed.preview_notifications_enabled, changed.notifications_to_send) == (
            service.id, NotifyPreviewOverride.FALSE, NotifyOverride.FAILURE,
        )  # fmt: skip
    assert sdk(retrieve_service, services[0].id).notify_on_fail is NotifySetting.NOTIFY
    found = sdk.pages(list_notification_overrides, "override", owner_id=[OWNER])
    assert [item.service_id for item in found] == [service.id for service in reversed(services)]
    (one,) = sdk(list_notification_overrides, service_id=[services[1].id])
    assert one.override.service_id == services[1].id


def test_notifications_of_the_workspace(sdk: Sdk):
    before = sdk(retrieve_owner_notification_settings, OWNER)
    assert (before.owner_id, before.notifications_to_send) == (OWNER, NotifySettingV2.FAILURE)
    patch = NotificationSettingPATCH(False, True, NotifySettingV2.ALL)
    changed = sdk(patch_owner_notification_settings, OWNER, body=patch)
    assert (changed.email_enabled, changed.preview_notifications_enabled) == (False, True)
    assert sdk(retrieve_owner_notification_settings, OWNER) == changed
    assert changed.notifications_to_send is NotifySettingV2.ALL


def test_log_streams(sdk: Sdk):
    service = sdk.service("web")
    sdk.gone(get_resource_log_stream, service.id)
    update = LogStreamResourceUpdate(LogStreamSetting.SEND, "logs.acme.example:6514", "token")
    shown = sdk(update_resource_log_stream, service.id, body=update)
    assert (shown.resource_id, shown.setting) == (service.id, LogStreamSetting.SEND)
    assert shown.endpoint == "logs.acme.example:6514" and sdk(get_resource_log_stream, service.id) == shown
    assert sdk(list_resource_log_streams, resource_id=[service.id], setting=[LogStreamSetting.SEND]) == [shown]
    sdk(delete_resource_log_stream, service.id)
    sdk.gone(get_resource_log_stream, service.id)
    sdk.gone(get_owner_log_stream, OWNER)
    update = LogStreamOwnerUpdate(LogStreamPreviewSetting.DROP, "logs.acme.example:6514", "token")
    shown = sdk(update_owner_log_stream, OWNER, body=update)
    assert (shown.owner_id, shown.preview) == (OWNER, LogStreamPreviewSetting.DROP)
    assert sdk(get_owner_log_stream, OWNER) == shown
    sdk(delete_owner_log_stream, OWNER)
    sdk.gone(get_owner_log_stream, OWNER)


def not_set(sdk: Sdk) -> bool:
    """Tell whether there is no metrics stream; here the SDK knows a 404 without a body."""
    return get_owner_metrics_stream.sync_detailed(OWNER, client=sdk.client).status_code == 404


def test_the_metrics_stream(sdk: Sdk):
    assert not_set(sdk)
    asked = MetricsStreamInput(OtelProviderType.LOGFIRE, "https://otel.acme.example", "token")
    shown = sdk(upsert_owner_metrics_stream, OWNER, body=asked)
    assert (shown.owner_id, shown.provider) == (OWNER, OtelProviderType.LOGFIRE)
    moved = sdk(upsert_owner_metrics_stream, OWNER, body=MetricsStreamInput(url="https://other.acme.example"))
    assert (moved.provider, moved.url) == (OtelProviderType.LOGFIRE, "https://other.acme.example")
    assert sdk(get_owner_metrics_stream, OWNER) == moved
    sdk(delete_owner_metrics_stream, OWNER)
    assert not_set(sdk)


def hook(sdk: Sdk, name: str, *events: EventType, enabled: bool = True) -> Any:
    url = f"http://127.0.0.1:{free_port()}/hook"  # nobody listens there
    return sdk(create_webhook, body=WebhookPOSTInput(OWNER, url, name, enabled, list(events)))


def test_the_life_of_webhooks(sdk: Sdk):
    made = [hook(sdk, f"h-{number}", EventType.DEPLOY_ENDED) for number in range(3)]
    one = made[1]
    assert (one.name, one.enabled, one.event_filter) == ("h-1", True, [EventType.DEPLOY_ENDED])
    assert one.secret.startswith("whsec_") and sdk(retrieve_webhook, one.id) == one
    found = sdk.pages(list_webhooks, "webhook", owner_id=[OWNER])
    assert newest_first(found) and len(found) == 3
    patch = WebhookPATCHInput("new", "https://acme.example/hook", False, [EventType.SERVER_FAILED])
    changed = sdk(update_webhook, one.id, body=patch)
    assert (changed.name, changed.url, changed.enabled) == ("new", "https://acme.example/hook", False)
    assert changed.event_filter == [EventType.SERVER_FAILED] and changed.secret == one.secret
    sdk(delete_webhook, one.id)
    sdk.gone(retrieve_webhook, one.id)


def test_a_webhook_tells_what_it_sent(sdk: Sdk, sim: Simulator):
    service = sdk.service("web")
    sdk.live()
    made = hook(sdk, "h", EventType.SERVER_RESTARTED)
    for _ in range(3):
        sdk(restart_service, service.id)
    sim.step(1)
    deadline = time.monotonic() + 5
    while len(sdk(list_webhook_events, made.id)) < 3:  # deliveries are real connections, made in real time
        assert time.monotonic() < deadline
    found = sdk.pages(list_webhook_events, "webhook_event", made.id)
    assert {item.event_type for item in found} == {EventType.SERVER_RESTARTED}
    assert all(item.error and item.status_code is UNSET for item in found)
    assert len({item.event_id for item in found}) == 3
    assert sdk(list_webhook_events, made.id, sent_after=found[0].sent_at + DAY) == []


def test_the_life_of_dedicated_addresses(sdk: Sdk):
    service = sdk.service("web")
    asked = DedicatedIPPOST(name="out", owner_id=OWNER, region=Region.OREGON, description="for the bank")
    made = sdk(create_dedicated_ip, body=asked)
    assert (made.name, made.owner_id, made.region, made.ips) == ("out", OWNER, Region.OREGON, [])
    assert made.status is DedicatedIPStatus.CREATING
    assert sdk(retrieve_service_outbound_ips, service.id).type_ is OutboundIpsType.SHARED
    sdk.live()
    shown = sdk(retrieve_dedicated_ip, made.id)
    assert shown.status is DedicatedIPStatus.RUNNING and len(shown.ips) == 3
    assert sdk(list_dedicated_ips, owner_id=OWNER) == [shown]
    outbound = sdk(retrieve_service_outbound_ips, service.id)
    assert (outbound.type_, outbound.dedicated_ip_id) == (OutboundIpsType.DEDICATED, made.id)
    assert outbound.ips == shown.ips
    body = ProjectPOSTInput("shop", OWNER, [ProjectPOSTEnvironmentInput("live")])
    (environment,) = sdk(create_project, body=body).environment_ids
    changed = sdk(update_dedicated_ip, made.id, body=DedicatedIPPATCH("narrow", "live only", [environment]))
    assert (changed.name, changed.description, changed.environment_ids) == ("narrow", "live only", [environment])
    assert sdk(list_dedicated_ips, owner_id=OWNER, environment_id=[environment]) == [changed]
    assert sdk(list_dedicated_ips, owner_id=OWNER, environment_id=["evm-00000000000000000000"]) == []
    assert sdk(retrieve_service_outbound_ips, service.id).type_ is OutboundIpsType.SHARED
    sdk(delete_dedicated_ip, made.id)
    sdk.gone(retrieve_dedicated_ip, made.id)


def test_maintenance_is_moved_triggered_and_done(sdk: Sdk, sim: Simulator):
    asked = KeyValuePOSTInput("kv", OWNER, KeyValuePlan.STARTER, ip_allow_list=OFFICE)
    key = sdk(create_key_value, body=asked).id
    sdk.live()
    sim.human("maintenance", key, after_s=86_400)
    (run,) = sdk(list_maintenance, resource_id=[key], owner_id=[OWNER], state=[MaintenanceState.SCHEDULED])
    assert (run.resource_id, run.state) == (key, MaintenanceState.SCHEDULED)
    assert sdk(retrieve_key_value, key).maintenance.id == run.id
    assert sdk(list_key_value)[0].key_value.id == key
    sdk(update_maintenance, run.id, body=MaintenanceRunPATCH(run.scheduled_at + DAY))
    assert sdk(retrieve_maintenance, run.id).scheduled_at == run.scheduled_at + DAY
    late = MaintenanceRunPATCH(run.pending_maintenance_by + DAY)
    assert sdk.refused(400, update_maintenance, run.id, body=late).startswith("scheduledAt")
    sdk(trigger_maintenance, run.id)
    sim.step(1)
    assert sdk(retrieve_maintenance, run.id).state is MaintenanceState.IN_PROGRESS
    assert sdk(retrieve_key_value, key).status is DatabaseStatus.MAINTENANCE_IN_PROGRESS
    sdk.refused(400, trigger_maintenance, run.id)
    sdk.live()
    assert sdk(retrieve_maintenance, run.id).state is MaintenanceState.SUCCEEDED
    shown = sdk(retrieve_key_value, key)
    assert (shown.status, shown.maintenance) == (DatabaseStatus.AVAILABLE, UNSET)


def connected(sim: Simulator, name: str, **more: Any) -> str:
    given = {"action": "blueprint-connect", "name": name, "repo": REPO, **more}
    return str(sim.sim("POST", "/human", given)["id"])


def test_blueprints_that_a_person_connected(sdk: Sdk, sim: Simulator):
    service = sdk.service("web")
    key = connected(sim, "stack", branch="trunk", path="infra/render.yaml", resources=[service.id])
    for number in range(2):
        connected(sim, f"other-{number}")
    workspace = sdk(list_owners)[0].owner.id
    found = sdk.pages(list_blueprints, "blueprint", owner_id=[workspace])
    assert newest_first(found) and len(found) == 3
    shown = sdk(retrieve_blueprint, key)
    assert (shown.name, shown.repo, shown.branch, shown.path) == ("stack", REPO, "trunk", "infra/render.yaml")
    assert (shown.status, shown.auto_sync) == (Status.IN_SYNC, True)
    (resource,) = shown.resources
    assert (resource.id, resource.name, resource.type_) == (service.id, "web", ResourceRefType.WEB_SERVICE)
    (sync,) = [line.sync for line in sdk(list_blueprint_syncs, key)]
    assert sync.state is SyncState.SUCCESS and len(sync.commit.id) == 40 and sync.started_at == shown.last_sync
    patch = BlueprintPATCH(name="new", auto_sync=False, path="render.yaml", branch="main")
    changed = sdk(update_blueprint, key, body=patch)
    assert (changed.name, changed.status, changed.path, changed.branch) == (
        "new", Status.PAUSED, "render.yaml", "main",
    )  # fmt: skip
    sdk(disconnect_blueprint, key)
    sdk.gone(retrieve_blueprint, key)
    assert sdk(retrieve_service, service.id).name == "web"


def blueprint(text: str) -> ValidateBlueprintRequest:
    return ValidateBlueprintRequest(OWNER, File(io.BytesIO(text.encode()), "render.yaml", "application/yaml"))


def test_a_blueprint_is_validated(sdk: Sdk):
    good = """
services:
- {type: web, name: shop, runtime: node}
- {type: keyvalue, name: cache, ipAllowList: []}
databases:
- name: db
envVarGroups:
- name: common
"""
    shown = sdk(validate_blueprint, body=blueprint(good))
    plan = shown.plan
    assert shown.valid is True and shown.errors == [] and plan.total_actions == 4
    assert (plan.services, plan.databases, plan.key_value, plan.env_groups) == (["shop"], ["db"], ["cache"], ["common"])
    shown = sdk(validate_blueprint, body=blueprint("services:\n- {type: boat, name: shop}\n"))
    assert shown.valid is False and shown.plan is UNSET
    (error,) = shown.errors
    assert error.path == "services[0].type" and isinstance(error.line, int)


def test_workspaces_members_and_the_user(sdk: Sdk, sim: Simulator):
    me = sdk(get_user)
    (line,) = sdk(list_owners, email=[me.email])
    assert line.owner.type_ is OwnerType.TEAM and sdk(list_owners, name=["another"]) == []
    assert sdk(retrieve_owner, line.owner.id) == line.owner
    (member,) = sdk(retrieve_owner_members, line.owner.id)
    assert (member.user_id, member.email, member.role) == (me.id, me.email, TeamMemberRole.ADMIN)
    assert sdk(list_owners, cursor=line.cursor) == []
