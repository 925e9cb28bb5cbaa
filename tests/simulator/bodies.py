"""A valid body for every route that reads one, as clients send them: the ground of tests that spoil them.

`{web}`, `{project}` and the like stand for ids of what exists, `{now}` for the present.
"""

import copy
from typing import Any

from tests.simulator.conftest import OWNER

COMMANDS = {"buildCommand": "b", "startCommand": "s", "dockerCommand": "d", "dockerContext": ".", "dockerfilePath": "f",
            "registryCredentialId": ""}  # fmt: skip
ALLOWED = [{"cidrBlock": "10.0.0.0/8", "description": "d"}]
AUTOSCALING = {"enabled": True, "min": 1, "max": 3, "criteria": {
    "cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 70}}}  # fmt: skip
DISK = {"name": "d", "mountPath": "/data", "sizeGB": 1}
HEADERS = [{"path": "/", "name": "n", "value": "v"}]
ROUTES = [{"type": "rewrite", "source": "/a", "destination": "/b"}]
DETAILS: dict[str, Any] = {
    "runtime": "node", "env": "node", "plan": "starter", "region": "oregon", "numInstances": 1,
    "envSpecificDetails": COMMANDS, "preDeployCommand": "p", "healthCheckPath": "/", "maxShutdownDelaySeconds": 30,
    "maintenanceMode": {"enabled": False, "uri": ""}, "previews": {"generation": "off"}, "ipAllowList": ALLOWED,
    "renderSubdomainPolicy": "enabled", "cache": {"profile": "no-cache"}, "schedule": "0 0 * * *",
    "pullRequestPreviewsEnabled": "no", "buildCommand": "b", "publishPath": "p",
    "headers": HEADERS, "routes": ROUTES, "parentServer": {"id": "x"}, "internalRouting": {},
}  # fmt: skip
SERVICE: dict[str, Any] = {
    "type": "web_service", "name": "junk", "ownerId": OWNER, "repo": "https://github.com/acme/site", "branch": "main",
    "rootDir": "", "image": {"ownerId": "", "imagePath": "nginx", "registryCredentialId": ""}, "autoDeploy": "yes",
    "autoDeployTrigger": "commit", "buildFilter": {"paths": ["a"], "ignoredPaths": ["b"]}, "environmentId": "",
    "envVars": [{"key": "A", "value": "1"}, {"key": "B", "generateValue": True}],
    "secretFiles": [{"name": "f", "content": "c"}], "serviceDetails": DETAILS,
}  # fmt: skip
POSTGRES: dict[str, Any] = {
    "name": "db", "ownerId": OWNER, "plan": "pro_4gb", "version": "16", "databaseName": "d", "databaseUser": "u",
    "region": "oregon", "environmentId": "", "diskSizeGB": 20, "enableDiskAutoscaling": False,
    "enableHighAvailability": False, "ipAllowList": ALLOWED, "parameterOverrides": {"work_mem": "1"},
    "readReplicas": [{"name": "r", "parameterOverrides": {"work_mem": "2"}}], "connectionPool": "none",
    "datadogAPIKey": "", "datadogSite": "",
}  # fmt: skip
KEY_VALUE = {
    "name": "kv", "ownerId": OWNER, "plan": "starter", "region": "oregon", "environmentId": "",
    "maxmemoryPolicy": "noeviction", "persistenceMode": "snapshot", "ipAllowList": ALLOWED,
}  # fmt: skip
ENVIRONMENT = {"name": "e", "protectedStatus": "protected", "networkIsolationEnabled": True, "ipAllowList": ALLOWED}
TEMPLATES: dict[str, Any] = {
    "POST /services": SERVICE,
    "PATCH /services/{id}": SERVICE,
    "POST /services/{id}/scale": {"numInstances": 1},
    "PUT /services/{id}/autoscaling": AUTOSCALING,
    "POST /services/{id}/preview": {"imagePath": "nginx:2", "name": "p", "plan": "starter"},
    "PUT /services/{id}/env-vars": SERVICE["envVars"],
    "PUT /services/{id}/env-vars/{key}": {"value": "x", "generateValue": False},
    "PUT /services/{id}/secret-files": SERVICE["secretFiles"],
    "PUT /services/{id}/secret-files/{name}": {"content": "x"},
    "POST /services/{id}/deploys": {"clearCache": "clear", "commitId": "", "imageUrl": "", "deployMode": "deploy_only"},
    "POST /services/{id}/rollback": {"deployId": "{deploy}"},
    "POST /disks": {"serviceId": "{web}", "name": "d", "mountPath": "/data", "sizeGB": 1},
    "PATCH /disks/{id}": {"name": "d", "mountPath": "/data", "sizeGB": 2},
    "POST /disks/{id}/snapshots/restore": {"snapshotKey": "k", "instanceId": "i"},
    "POST /services/{id}/custom-domains": {"name": "www.example.com"},
    "PUT /services/{id}/headers": HEADERS,
    "POST /services/{id}/headers": HEADERS[0],
    "PUT /services/{id}/routes": ROUTES,
    "POST /services/{id}/routes": {"type": "rewrite", "source": "/a", "destination": "/b", "priority": 0},
    "PATCH /services/{id}/routes": {"id": "{rule}", "priority": 0},
    "PATCH /services/{id}/routes/{rule}": {"priority": 0},
    "POST /services/{id}/jobs": {"startCommand": "x", "planId": "plan-srv-006"},
    "POST /postgres": POSTGRES,
    "PATCH /postgres/{id}": POSTGRES,
    "POST /postgres/{id}/recovery": {"restoreTime": "{now}", "restoreName": "r", "plan": "pro_4gb",
                                     "environmentId": "", "datadogApiKey": "", "datadogSite": ""},
    "POST /postgres/{id}/credentials": {"username": "u2"},
    "PUT /postgres/{id}/parameter-overrides": {"work_mem": "1"},
    "POST /key-value": KEY_VALUE,
    "PATCH /key-value/{id}": KEY_VALUE,
    "POST /redis": KEY_VALUE,
    "PATCH /redis/{id}": KEY_VALUE,
    "POST /env-groups": {"name": "g", "ownerId": OWNER, "envVars": SERVICE["envVars"], "environmentId": "",
                         "secretFiles": SERVICE["secretFiles"], "serviceIds": []},
    "PATCH /env-groups/{id}": {"name": "g"},
    "PUT /env-groups/{id}/env-vars/{key}": {"value": "x", "generateValue": False},
    "PUT /env-groups/{id}/secret-files/{name}": {"content": "x"},
    "POST /projects": {"name": "p", "ownerId": OWNER, "environments": [ENVIRONMENT]},
    "PATCH /projects/{id}": {"name": "p"},
    "POST /environments": ENVIRONMENT | {"projectId": "{project}"},
    "PATCH /environments/{id}": ENVIRONMENT,
    "POST /environments/{id}/resources": {"resourceIds": ["{web}"]},
    "PATCH /notification-settings/overrides/services/{id}": {"notificationsToSend": "all",
                                                             "previewNotificationsEnabled": "true"},
    "PATCH /notification-settings/owners/{id}": {"slackEnabled": True, "emailEnabled": True,
                                                 "previewNotificationsEnabled": False, "notificationsToSend": "all"},
    "PUT /logs/streams/resource/{id}": {"setting": "send", "endpoint": "e", "token": "t"},
    "PUT /logs/streams/owner/{id}": {"endpoint": "e", "preview": "send", "token": "t"},
    "PUT /metrics-stream/{id}": {"provider": "CUSTOM", "url": "https://x", "token": "t"},
    "POST /registrycredentials": {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t",
                                  "ownerId": OWNER},
    "PATCH /registrycredentials/{id}": {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t"},
    "POST /webhooks": {"ownerId": OWNER, "url": "http://127.0.0.1:9/", "name": "w", "enabled": False,
                       "eventFilter": ["deploy_ended"]},
    "PATCH /webhooks/{id}": {"url": "http://127.0.0.1:9/", "name": "w", "enabled": False, "eventFilter": []},
    "POST /dedicated-ips": {"name": "i", "ownerId": OWNER, "region": "oregon", "description": "", "environmentIds": []},
    "PATCH /dedicated-ips/{id}": {"name": "i", "description": "", "environmentIds": []},
    "PATCH /maintenance/{id}": {"scheduledAt": "2026-05-28T22:00:00Z"},
    "PATCH /blueprints/{id}": {"name": "b", "autoSync": True, "path": "render.yaml"},
}  # fmt: skip
IMAGE = {"imagePath": "nginx", "ownerId": "", "registryCredentialId": "{credential}"}
KINDS: dict[str, dict[str, Any]] = {
    "web_service": {"serviceDetails": {"autoscaling": AUTOSCALING}},
    "private_service": {"serviceDetails": {"disk": DISK, "runtime": "docker", "env": "docker"}},
    "background_worker": {"image": IMAGE, "serviceDetails": {"runtime": "image", "env": "image"}},
    "cron_job": {"image": IMAGE, "serviceDetails": {"runtime": "image", "env": "image"}},
    "static_site": {},
}


def service(kind: str) -> dict[str, Any]:
    """Write the body of a service of a kind, with every field there is."""
    body = copy.deepcopy(SERVICE) | {"type": kind, "name": f"junk-{kind}"}
    for name, value in copy.deepcopy(KINDS[kind]).items():
        body[name] = {**body[name], **value}
    return body
