"""Variables, secret files, deploys, jobs, runs, domains, headers, routes and disks through the official SDK."""

import datetime
from typing import Any

import pytest
from render.public_api.api.custom_domains import (
    create_custom_domain,
    delete_custom_domain,
    list_custom_domains,
    refresh_custom_domain,
    retrieve_custom_domain,
)
from render.public_api.api.deploys import cancel_deploy, create_deploy, list_deploys, retrieve_deploy, rollback_deploy
from render.public_api.api.disks import (
    add_disk,
    delete_disk,
    list_disks,
    list_snapshots,
    restore_snapshot,
    retrieve_disk,
    update_disk,
)
from render.public_api.api.one_off_jobs import cancel_job, list_job, post_job, retrieve_job
from render.public_api.api.services import (
    add_or_update_secret_file,
    create_service,
    delete_env_var,
    delete_secret_file,
    get_env_vars_for_service,
    list_secret_files_for_service,
    retrieve_env_var,
    retrieve_secret_file,
    retrieve_service,
    update_env_var,
    update_env_vars_for_service,
    update_secret_files_for_service,
)
from render.public_api.api.services_cron_jobs import cancel_cron_job_run, run_cron_job
from render.public_api.api.services_headers import add_headers, delete_header, list_headers, update_headers
from render.public_api.api.services_routes import add_route, delete_route, list_routes, patch_route, put_routes
from render.public_api.models import (
    AddOrUpdateSecretFileBody,
    CreateCustomDomainBody,
    CreateDeployBody,
    CreateDeployBodyClearCache,
    CronJobRunStatus,
    CustomDomainDomainType,
    CustomDomainVerificationStatus,
    DeployMode,
    DeployStatus,
    DeployTrigger,
    DiskPATCH,
    DiskPOST,
    EnvVarGenerateValue,
    EnvVarKeyGenerateValue,
    EnvVarKeyValue,
    EnvVarValue,
    HeaderInput,
    Image,
    JobStatus,
    ListCustomDomainsVerificationStatus,
    PostJobBody,
    RollbackDeployBody,
    RoutePatch,
    RoutePost,
    RoutePut,
    RouteType,
    SecretFileInput,
    ServicePOST,
    ServiceRuntime,
    ServiceType,
    SnapshotRestorePOST,
    WebServiceDetailsPOST,
)
from render.public_api.types import UNSET

from tests.simulator.conftest import OWNER, Simulator
from tests.simulator.sdk.conftest import Sdk, newest_first

DAY_S = 86_400


def test_environment_variables(sdk: Sdk):
    key = sdk.service("web").id
    given = [EnvVarKeyValue(f"V{number}", str(number)) for number in range(4)]
    put = sdk(update_env_vars_for_service, key, body=[*given, EnvVarKeyGenerateValue("TOKEN", True)])
    assert [(line.env_var.key, line.env_var.value) for line in put[:4]] == [(v.key, v.value) for v in given]
    assert len(put[4].env_var.value) == 44
    listed = sdk.pages(get_env_vars_for_service, "env_var", key)
    assert listed == [line.env_var for line in reversed(put)]
    one = sdk(update_env_var, key, "V1", body=EnvVarValue("new"))
    assert (one.key, one.value) == ("V1", "new") and sdk(retrieve_env_var, key, "V1") == one
    generated = sdk(update_env_var, key, "FRESH", body=EnvVarGenerateValue(True))
    assert len(generated.value) == 44
    sdk(delete_env_var, key, "V0")
    sdk.gone(retrieve_env_var, key, "V0")
    assert {line.env_var.key for line in sdk(get_env_vars_for_service, key)} == {"V1", "V2", "V3", "TOKEN", "FRESH"}
    assert sdk(update_env_vars_for_service, key, body=[]) == []
    assert sdk(get_env_vars_for_service, key) == []


def test_secret_files(sdk: Sdk):
    key = sdk.service("web").id
    given = [SecretFileInput(f"{number}.pem", f"content {number}") for number in range(3)]
    put = sdk(update_secret_files_for_service, key, body=given)
    listed = sdk.pages(list_secret_files_for_service, "secret_file", key)
    assert listed == [line.secret_file for line in reversed(put)]
    made = sdk(add_or_update_secret_file, key, "more.pem", body=AddOrUpdateSecretFileBody("more"))
    assert (made.name, made.content) == ("more.pem", "more") and sdk(retrieve_secret_file, key, "more.pem") == made
    sdk(delete_secret_file, key, "0.pem")
    sdk.gone(retrieve_secret_file, key, "0.pem")
    assert len(sdk(list_secret_files_for_service, key)) == 3


def test_deploys_go_live_and_are_rolled_back(sdk: Sdk):
    service = sdk.service("web", branch="trunk")
    (first,) = [line.deploy for line in sdk(list_deploys, service.id)]
    assert (first.status, first.trigger) == (DeployStatus.BUILD_IN_PROGRESS, DeployTrigger.API)
    assert first.image is UNSET and len(first.commit.id) == 40 and first.finished_at is UNSET
    sdk.live()
    live = sdk(retrieve_deploy, service.id, first.id)
    assert live.status is DeployStatus.LIVE and live.finished_at > live.started_at >= live.created_at
    asked = CreateDeployBody(clear_cache=CreateDeployBodyClearCache.CLEAR, commit_id="0" * 40)
    second = sdk(create_deploy, service.id, body=asked)
    assert second.commit.id == "0" * 40 and second.finished_at is UNSET
    sdk.live()
    assert sdk(retrieve_deploy, service.id, first.id).status is DeployStatus.DEACTIVATED
    back = sdk(rollback_deploy, service.id, body=RollbackDeployBody(first.id))
    assert (back.trigger, back.commit) == (DeployTrigger.ROLLBACK, first.commit)
    sdk.live()
    assert sdk(retrieve_deploy, service.id, back.id).status is DeployStatus.LIVE
    sdk.gone(retrieve_deploy, service.id, "dep-00000000000000000000")


def test_deploys_are_canceled_and_queued(sdk: Sdk):
    service = sdk.service("web")
    sdk.live()
    running = sdk(create_deploy, service.id, body=CreateDeployBody(deploy_mode=DeployMode.DEPLOY_ONLY))
    assert running.status is DeployStatus.UPDATE_IN_PROGRESS
    assert sdk(create_deploy, service.id, body=CreateDeployBody()) is None  # 202, queued behind the running one
    (queued,) = sdk(list_deploys, service.id, status=[DeployStatus.QUEUED])
    canceled = sdk(cancel_deploy, service.id, running.id)
    assert canceled.status is DeployStatus.CANCELED and canceled.finished_at >= canceled.started_at
    sdk.live()
    assert sdk(retrieve_deploy, service.id, queued.deploy.id).status is DeployStatus.LIVE
    sdk.refused(400, cancel_deploy, service.id, running.id)
    found = sdk.pages(list_deploys, "deploy", service.id)
    assert newest_first(found) and len(found) == 3
    assert sdk(list_deploys, service.id, created_after=running.created_at, finished_before=canceled.finished_at) == []


def test_deploys_of_images_are_typed_where_no_commit_is_absent(sdk: Sdk, sim: Simulator):
    body = ServicePOST(
        type_=ServiceType.WEB_SERVICE, name="img", owner_id=OWNER, image=Image(OWNER, "acme/shop:1"),
        service_details=WebServiceDetailsPOST(runtime=ServiceRuntime.IMAGE),
    )  # fmt: skip
    key = sdk(create_service, body=body).service.id
    with pytest.raises(TypeError):  # the recorded `commit: null` is more than the SDK can read
        list_deploys.sync_detailed(key, client=sdk.client)
    sim.set(nulls_as_recorded=False)
    (first,) = [line.deploy for line in sdk(list_deploys, key)]
    assert first.image.ref == "docker.io/acme/shop:1" and first.image.sha.startswith("sha256:")
    assert first.commit is UNSET and first.status is DeployStatus.UPDATE_IN_PROGRESS
    sdk.live()
    second = sdk(create_deploy, key, body=CreateDeployBody(image_url="docker.io/acme/shop:2"))
    assert second.image.ref == "docker.io/acme/shop:2"


def test_one_off_jobs(sdk: Sdk):
    key = sdk.service("web").id
    sdk.live()
    jobs = [sdk(post_job, key, body=PostJobBody(f"run {number}", plan_id="plan-srv-006")) for number in range(3)]
    assert (jobs[0].status, jobs[0].start_command, jobs[0].service_id) == (JobStatus.PENDING, "run 0", key)
    canceled = sdk(cancel_job, key, jobs[0].id)
    assert canceled.status is JobStatus.CANCELED
    sdk.live()
    ended = sdk(retrieve_job, key, jobs[1].id)
    assert ended.status is JobStatus.SUCCEEDED and ended.finished_at > ended.started_at > ended.created_at
    found = sdk.pages(list_job, "job", key)
    assert newest_first(found) and {job.id for job in found} == {job.id for job in jobs}
    assert [line.job.id for line in sdk(list_job, key, status=[JobStatus.CANCELED])] == [jobs[0].id]
    sdk.gone(retrieve_job, key, "job-00000000000000000000")


def test_runs_of_a_cron_job(sdk: Sdk):
    key = sdk.cron().id
    sdk.live()
    run = sdk(run_cron_job, key)
    assert run.status is CronJobRunStatus.PENDING and run.triggered_by == "owner@example.com"
    assert sdk(run_cron_job, key).id != run.id
    sdk(cancel_cron_job_run, key)
    assert sdk(retrieve_service, key).service_details.last_successful_run_at is UNSET
    sdk(run_cron_job, key)
    sdk.live()
    done = sdk(retrieve_service, key).service_details.last_successful_run_at
    assert isinstance(done, datetime.datetime)


def test_custom_domains(sdk: Sdk):
    key = sdk.service("web").id
    pair = sdk(create_custom_domain, key, body=CreateCustomDomainBody("acme.co.uk"))
    assert [(item.name, item.redirect_for_name) for item in pair] == [
        ("acme.co.uk", ""), ("www.acme.co.uk", "acme.co.uk"),
    ]  # fmt: skip
    assert (pair[0].domain_type, pair[0].public_suffix) == (CustomDomainDomainType.APEX, "co.uk")
    (shop,) = sdk(create_custom_domain, key, body=CreateCustomDomainBody("shop.acme.org"))
    assert shop.verification_status is CustomDomainVerificationStatus.UNVERIFIED
    sdk(refresh_custom_domain, key, "shop.acme.org")
    sdk.live()
    shown = sdk(retrieve_custom_domain, key, shop.id)
    assert shown.verification_status is CustomDomainVerificationStatus.VERIFIED
    assert sdk(retrieve_custom_domain, key, "shop.acme.org") == shown
    found = sdk.pages(list_custom_domains, "custom_domain", key)
    assert newest_first(found) and len(found) == 3
    verified = sdk(list_custom_domains, key, verification_status=ListCustomDomainsVerificationStatus.VERIFIED)
    assert [line.custom_domain for line in verified] == [shown]
    sdk(delete_custom_domain, key, "shop.acme.org")
    sdk.gone(retrieve_custom_domain, key, shop.id)
    body = CreateCustomDomainBody("acme.co.uk")
    sdk.refused(409, create_custom_domain, sdk.service("other").id, body=body)


def test_headers_of_a_site(sdk: Sdk):
    key = sdk.site().id
    put = sdk(update_headers, key, body=[HeaderInput("/*", f"X-{number}", str(number)) for number in range(3)])
    added = sdk(add_headers, key, body=HeaderInput("/a", "Y", "1")).headers
    assert (added.path, added.name, added.value) == ("/a", "Y", "1")
    found = sdk.pages(list_headers, "header", key)
    assert [item.id for item in found] == [added.id, *(item.id for item in reversed(put))]
    assert [line.header for line in sdk(list_headers, key, path=["/a"], name=["Y"], value=["1"])] == [added]
    sdk(delete_header, key, added.id)
    sdk.gone(delete_header, key, added.id)
    assert len(sdk(list_headers, key)) == 3


def test_routes_of_a_site(sdk: Sdk):
    key = sdk.site().id
    put = sdk(put_routes, key, body=[RoutePut(RouteType.REWRITE, f"/{n}", "/index.html") for n in range(2)])
    last = sdk(add_route, key, body=RoutePost(RouteType.REDIRECT, "/old", "/new"))
    assert (last.type_, last.source, last.destination, last.priority) == (RouteType.REDIRECT, "/old", "/new", 2)
    first = sdk(add_route, key, body=RoutePost(RouteType.REDIRECT, "/a", "/b", priority=0))
    moved = sdk(patch_route, key, last.id, body=RoutePatch(1)).headers
    assert (moved.id, moved.priority) == (last.id, 1)
    found = sdk.pages(list_routes, "route", key)
    assert [item.id for item in found] == [first.id, last.id, *(item.id for item in put)]
    assert [item.priority for item in found] == [0, 1, 2, 3]
    sdk(delete_route, key, first.id)
    assert [line.route.priority for line in sdk(list_routes, key)] == [0, 1, 2]
    sdk.gone(delete_route, key, first.id)


def disk_of(service: Any, **more: Any) -> DiskPOST:
    return DiskPOST(name="data", size_gb=1, mount_path="/var/data", service_id=service.id, **more)


def test_disks(sdk: Sdk, sim: Simulator):
    services = [sdk.service(f"web-{number}") for number in range(3)]
    disks = [sdk(add_disk, body=disk_of(service)) for service in services]
    disk = disks[0]
    assert (disk.name, disk.size_gb, disk.mount_path, disk.service_id) == ("data", 1, "/var/data", services[0].id)
    shown = sdk(retrieve_service, services[0].id).service_details.disk
    assert (shown.id, shown.size_gb) == (disk.id, 1)
    found = sdk.pages(list_disks, "disk", owner_id=[OWNER], name=["data"])
    assert newest_first(found) and {item.id for item in found} == {item.id for item in disks}
    assert [line.disk for line in sdk(list_disks, service_id=[services[0].id])] == [sdk(retrieve_disk, disk.id)]
    grown = sdk(update_disk, disk.id, body=DiskPATCH(name="more", size_gb=3, mount_path="/data"))
    assert (grown.name, grown.size_gb, grown.mount_path) == ("more", 3, "/data") and grown.updated_at > disk.updated_at
    sdk.refused(400, update_disk, disk.id, body=DiskPATCH(size_gb=2))
    sim.step(2 * DAY_S)
    snapshots = sdk(list_snapshots, disk.id)
    assert [item.created_at for item in snapshots] == sorted((i.created_at for i in snapshots), reverse=True)
    assert snapshots[0].instance_id.startswith(services[0].id)
    restored = sdk(restore_snapshot, disk.id, body=SnapshotRestorePOST(snapshots[1].snapshot_key))
    assert restored.id == disk.id
    sdk.refused(404, restore_snapshot, disk.id, body=SnapshotRestorePOST("snap-of-another"))
    sdk(delete_disk, disk.id)
    sdk.gone(retrieve_disk, disk.id)
    assert sdk(retrieve_service, services[0].id).service_details.disk is UNSET
