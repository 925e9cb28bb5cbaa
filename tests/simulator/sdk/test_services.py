"""A complete life of every kind of service through the official SDK."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from render.public_api.api.deploys import create_deploy, list_deploys, retrieve_deploy
from render.public_api.api.services import (
    autoscale_service,
    create_service,
    delete_autoscaling_config,
    delete_service,
    get_env_vars_for_service,
    list_instances,
    list_services,
    preview_service,
    purge_cache,
    restart_service,
    resume_service,
    retrieve_service,
    retrieve_service_outbound_ips,
    scale_service,
    suspend_service,
    update_env_vars_for_service,
    update_service,
)
from render.public_api.models import (
    AutoDeployTrigger,
    AutoscalingConfig,
    AutoscalingCriteria,
    AutoscalingCriteriaPercentage,
    BackgroundWorkerDetails,
    BackgroundWorkerDetailsPATCH,
    BackgroundWorkerDetailsPOST,
    BuildFilter,
    Cache,
    CacheProfile,
    CidrBlockAndDescription,
    CreateDeployBody,
    CronJobDetails,
    CronJobDetailsPATCH,
    CronJobDetailsPOST,
    DeployStatus,
    DockerDetailsPATCH,
    DockerDetailsPOST,
    EnvVarKeyValue,
    Image,
    ListServicesSuspendedItem,
    MaintenanceMode,
    NativeEnvironmentDetails,
    PaidPlan,
    Plan,
    PreviewInput,
    Previews,
    PreviewsGeneration,
    PrivateServiceDetails,
    PrivateServiceDetailsPATCH,
    PrivateServiceDetailsPOST,
    Region,
    RenderSubdomainPolicy,
    ScaleServiceBody,
    SecretFileInput,
    ServiceDisk,
    ServicePATCH,
    ServicePOST,
    ServiceRuntime,
    ServiceServiceSuspendedState,
    ServiceType,
    StaticSiteDetails,
    StaticSiteDetailsPATCH,
    StaticSiteDetailsPOST,
    SuspenderType,
    WebServiceDetails,
    WebServiceDetailsPATCH,
)
from render.public_api.types import UNSET

from tests.simulator.conftest import OWNER
from tests.simulator.sdk.conftest import REPO, Sdk, commands, newest_first, web_details

SUSPENDED, RUNNING = ServiceServiceSuspendedState.SUSPENDED, ServiceServiceSuspendedState.NOT_SUSPENDED
DOCKER = ServiceRuntime.DOCKER


@dataclass(frozen=True)
class Kind:
    """One kind of service: how it is created and changed, and the type its details come back as."""

    type: ServiceType
    create: Any
    change: Any
    details: type
    holds: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)
    scales: bool = True


KINDS = [
    Kind(
        ServiceType.WEB_SERVICE,
        web_details(
            plan=Plan.STARTER, region=Region.FRANKFURT, num_instances=2, health_check_path="/up",
            pre_deploy_command="npm run migrate", previews=Previews(PreviewsGeneration.AUTOMATIC),
            maintenance_mode=MaintenanceMode(enabled=False, uri="https://acme.example/soon"),
            max_shutdown_delay_seconds=60, render_subdomain_policy=RenderSubdomainPolicy.ENABLED,
            ip_allow_list=[CidrBlockAndDescription("203.0.113.0/24", "office")],
        ),
        WebServiceDetailsPATCH(plan=Plan.STANDARD, health_check_path="/healthz", cache=Cache(CacheProfile.NO_CACHE)),
        WebServiceDetails,
        {"plan": Plan.STARTER, "region": Region.FRANKFURT, "num_instances": 2, "health_check_path": "/up"},
        {"plan": Plan.STANDARD, "health_check_path": "/healthz"},
    ),
    Kind(
        ServiceType.PRIVATE_SERVICE,
        PrivateServiceDetailsPOST(
            runtime=DOCKER, plan=PaidPlan.STANDARD,
            env_specific_details=DockerDetailsPOST(docker_command="serve", dockerfile_path="./api/Dockerfile"),
        ),
        PrivateServiceDetailsPATCH(env_specific_details=DockerDetailsPATCH(docker_command="serve --fast")),
        PrivateServiceDetails,
        {"plan": Plan.STANDARD, "runtime": DOCKER},
        {"runtime": DOCKER},
    ),
    Kind(
        ServiceType.BACKGROUND_WORKER,
        BackgroundWorkerDetailsPOST(
            runtime=ServiceRuntime.PYTHON, env_specific_details=commands(),
            num_instances=3,
        ),
        BackgroundWorkerDetailsPATCH(plan=PaidPlan.PRO, runtime=ServiceRuntime.GO),
        BackgroundWorkerDetails,
        {"num_instances": 3, "runtime": ServiceRuntime.PYTHON},
        {"plan": Plan.PRO, "runtime": ServiceRuntime.GO},
    ),
    Kind(
        ServiceType.CRON_JOB,
        CronJobDetailsPOST(
            schedule="*/10 * * * *", runtime=ServiceRuntime.RUBY,
            env_specific_details=NativeEnvironmentDetails(build_command="bundle", start_command="rake nightly"),
        ),
        CronJobDetailsPATCH(schedule="5 4 * * *", plan=PaidPlan.STANDARD),
        CronJobDetails,
        {"schedule": "*/10 * * * *"},
        {"schedule": "5 4 * * *", "plan": Plan.STANDARD},
        scales=False,
    ),
    Kind(
        ServiceType.STATIC_SITE,
        StaticSiteDetailsPOST(build_command="make", publish_path="dist"),
        StaticSiteDetailsPATCH(build_command="make site", previews=Previews(PreviewsGeneration.MANUAL)),
        StaticSiteDetails,
        {"build_command": "make", "publish_path": "dist"},
        {"build_command": "make site", "publish_path": "dist"},
        scales=False,
    ),
]  # fmt: skip


def holds(details: Any, values: dict[str, Any]) -> bool:
    return all(getattr(details, name) == value for name, value in values.items())


def runs_what_it_is_given(sdk: Sdk, key: str, *, scales: bool) -> None:
    """Give a service variables, deploy it and scale it."""
    sdk(update_env_vars_for_service, key, body=[EnvVarKeyValue("A", "1"), EnvVarKeyValue("B", "2")])
    variables = sdk.pages(get_env_vars_for_service, "env_var", key, limit=1)
    assert {item.key: item.value for item in variables} == {"A": "1", "B": "2"}
    deploy = sdk(create_deploy, key, body=CreateDeployBody())
    sdk.live()
    assert sdk(retrieve_deploy, key, deploy.id).status is DeployStatus.LIVE
    (newest,) = sdk(list_deploys, key, limit=1)
    assert newest.deploy.id == deploy.id
    if scales:
        sdk(scale_service, key, body=ScaleServiceBody(4))
        assert sdk(retrieve_service, key).service_details.num_instances == 4
        assert len(sdk(list_instances, key)) == 4
    else:
        assert "scaling is not supported" in sdk.refused(400, scale_service, key, body=ScaleServiceBody(4))


@pytest.mark.parametrize("kind", KINDS, ids=[kind.type.value for kind in KINDS])
def test_the_life_of_a_service(sdk: Sdk, kind: Kind):
    body = ServicePOST(
        type_=kind.type, name="one", owner_id=OWNER, repo=REPO, branch="trunk", root_dir="app",
        auto_deploy_trigger=AutoDeployTrigger.CHECKSPASS,
        build_filter=BuildFilter(paths=["app/**"], ignored_paths=["docs/**"]),
        env_vars=[EnvVarKeyValue("PORT", "80")], secret_files=[SecretFileInput("key.pem", "secret")],
        service_details=kind.create,
    )  # fmt: skip
    made = sdk(create_service, body=body)
    service = made.service
    assert made.deploy_id.startswith("dep-")
    assert type(service.service_details) is kind.details and holds(service.service_details, kind.holds)
    assert (service.type_, service.name, service.owner_id, service.repo, service.branch, service.root_dir) == (
        kind.type, "one", OWNER, REPO, "trunk", "app",
    )  # fmt: skip
    assert (service.build_filter.paths, service.build_filter.ignored_paths) == (["app/**"], ["docs/**"])
    assert service.auto_deploy_trigger is AutoDeployTrigger.CHECKSPASS
    sdk.live()

    (listed,) = sdk(list_services, name=["one"], type_=[kind.type], owner_id=[OWNER])
    assert listed.service == sdk(retrieve_service, service.id)
    assert listed.service.updated_at > service.updated_at or kind.type is ServiceType.CRON_JOB

    patch = ServicePATCH(name="two", auto_deploy_trigger=AutoDeployTrigger.OFF, service_details=kind.change)
    changed = sdk(update_service, service.id, body=patch)
    assert (changed.name, changed.slug, changed.id) == ("two", service.slug, service.id)
    assert holds(changed.service_details, kind.held) and changed.updated_at > listed.service.updated_at
    assert sdk(retrieve_service, service.id) == changed
    assert sdk(list_services, name=["one"]) == []

    runs_what_it_is_given(sdk, service.id, scales=kind.scales)

    sdk(suspend_service, service.id)
    suspended = sdk(retrieve_service, service.id)
    assert (suspended.suspended, suspended.suspenders) == (SUSPENDED, [SuspenderType.USER])
    assert sdk(list_instances, service.id) == []
    sdk(resume_service, service.id)
    sdk.live()
    resumed = sdk(retrieve_service, service.id)
    assert (resumed.suspended, resumed.suspenders) == (RUNNING, [])

    sdk(delete_service, service.id)
    sdk.gone(retrieve_service, service.id)
    sdk.gone(delete_service, service.id)
    assert sdk(list_services) == []


def test_a_service_is_created_with_its_disk_and_autoscaling(sdk: Sdk):
    with_disk = sdk.service("disk", web_details(disk=ServiceDisk(name="data", mount_path="/var/data", size_gb=5)))
    disk = with_disk.service_details.disk
    assert disk.id.startswith("dsk-") and (disk.name, disk.mount_path, disk.size_gb) == ("data", "/var/data", 5)
    percent = AutoscalingCriteriaPercentage(50, enabled=True)
    wanted = AutoscalingConfig(min_=1, max_=3, criteria=AutoscalingCriteria(cpu=percent, memory=percent), enabled=True)
    assert sdk.service("scaled", web_details(autoscaling=wanted)).service_details.autoscaling == wanted


def test_services_come_in_pages_newest_first_and_are_filtered(sdk: Sdk):
    made = [sdk.service(f"web-{number}") for number in range(5)]
    site = sdk.site()
    sdk(suspend_service, made[0].id)
    found = sdk.pages(list_services, "service", owner_id=[OWNER])
    assert newest_first(found) and {item.id for item in found} == {item.id for item in (*made, site)}
    webs = sdk.pages(list_services, "service", type_=[ServiceType.WEB_SERVICE, ServiceType.CRON_JOB])
    assert [item.id for item in webs] == [item.id for item in reversed(made)]
    suspended = sdk(list_services, suspended=[ListServicesSuspendedItem.SUSPENDED])
    assert [line.service.id for line in suspended] == [made[0].id]
    assert len(sdk(list_services, env=[ServiceRuntime.NODE], region=[Region.OREGON])) == 5
    after = sdk(list_services, created_after=made[3].created_at, created_before=site.created_at)
    assert [line.service.id for line in after] == [made[4].id]
    changed = sdk(list_services, updated_after=site.updated_at, updated_before=made[0].updated_at)
    assert changed == []


def test_instances_follow_scale_and_autoscaling(sdk: Sdk):
    service = sdk.service("web")
    sdk.live()
    sdk(scale_service, service.id, body=ScaleServiceBody(12))
    assert sdk(retrieve_service, service.id).service_details.num_instances == 12
    instances = sdk(list_instances, service.id)
    assert len({item.id for item in instances}) == 12
    assert all(item.id.startswith(service.id) and item.created_at > service.created_at for item in instances)
    criteria = AutoscalingCriteria(
        cpu=AutoscalingCriteriaPercentage(60, enabled=True), memory=AutoscalingCriteriaPercentage(70, enabled=False)
    )
    wanted = AutoscalingConfig(min_=2, max_=4, criteria=criteria, enabled=True)
    assert sdk(autoscale_service, service.id, body=wanted) == wanted
    shown = sdk(retrieve_service, service.id).service_details
    assert (shown.autoscaling, shown.num_instances) == (wanted, 12)
    sdk(scale_service, service.id, body=ScaleServiceBody(7))  # accepted and ignored under autoscaling
    assert 2 <= len(sdk(list_instances, service.id)) <= 4
    sdk(delete_autoscaling_config, service.id)
    shown = sdk(retrieve_service, service.id).service_details
    assert (shown.autoscaling, shown.num_instances) == (UNSET, 12)
    assert "numInstances" in sdk.refused(400, scale_service, service.id, body=ScaleServiceBody(0))


def test_a_restart_renews_the_instances(sdk: Sdk):
    service = sdk.service("web")
    sdk.live()
    before = sdk(list_instances, service.id)[0].created_at
    sdk(restart_service, service.id)
    assert sdk(list_instances, service.id)[0].created_at > before
    sdk.refused(400, restart_service, sdk.cron().id)


def test_the_edge_cache_is_purged_once_it_is_on(sdk: Sdk):
    service = sdk.service("web")
    sdk.refused(400, purge_cache, service.id)
    details = WebServiceDetailsPATCH(cache=Cache(CacheProfile.ORIGIN_CONTROLLED))
    shown = sdk(update_service, service.id, body=ServicePATCH(service_details=details)).service_details
    assert shown.cache == Cache(CacheProfile.ORIGIN_CONTROLLED)
    sdk(purge_cache, service.id)


def test_an_image_service_has_previews(sdk: Sdk):
    body = ServicePOST(
        type_=ServiceType.WEB_SERVICE, name="shop", owner_id=OWNER,
        image=Image(owner_id=OWNER, image_path="acme/shop:1"),
    )  # fmt: skip
    body.service_details = web_details()
    body.service_details.runtime, body.service_details.env_specific_details = ServiceRuntime.IMAGE, UNSET
    parent = sdk(create_service, body=body).service
    assert parent.image_path == "docker.io/acme/shop:1" and parent.repo is UNSET
    asked = PreviewInput(image_path="acme/shop:2", name="try", plan=Plan.STANDARD)
    child = sdk(preview_service, parent.id, body=asked).service
    assert (child.name, child.image_path) == ("try", "docker.io/acme/shop:2")
    assert child.service_details.plan is Plan.STANDARD
    assert child.service_details.parent_server.id == parent.id
    assert len(sdk(list_services)) == 2
    assert [line.service.id for line in sdk(list_services, include_previews=False)] == [parent.id]
    sdk.refused(400, preview_service, sdk.service("git").id, body=asked)


def test_outbound_addresses_are_shared(sdk: Sdk):
    shown = sdk(retrieve_service_outbound_ips, sdk.service("web").id)
    assert shown.type_.value == "shared" and len(shown.ips) == len(set(shown.ips)) > 1


def test_a_taken_name_is_refused_with_the_error_model(sdk: Sdk):
    sdk.service("one")
    body = ServicePOST(
        type_=ServiceType.WEB_SERVICE, name="one", owner_id=OWNER, repo=REPO, service_details=web_details()
    )
    assert sdk.refused(409, create_service, body=body) == "name already in use: one"
