"""Notifications, streams, credentials, webhooks, addresses, maintenance, metrics, Blueprints."""

from tests.simulator.conftest import OWNER, Simulator


def test_notification_overrides_always_exist(sim: Simulator):
    service = sim.service("web")
    path = f"/notification-settings/overrides/services/{service['id']}"
    assert sim.ok("GET", path)["notificationsToSend"] == "default"
    sim.ok("PATCH", path, {})
    assert sim.read(service)["notifyOnFail"] == "default"
    changed = sim.ok("PATCH", path, {"notificationsToSend": "all", "previewNotificationsEnabled": "true"})
    assert changed["previewNotificationsEnabled"] == "true"
    assert sim.read(service)["notifyOnFail"] == "notify"
    assert [item["override"] for item in sim.ok("GET", "/notification-settings/overrides")] == [changed]
    assert sim.read(service)["updatedAt"] == service["updatedAt"]
    sim.refused(400, "PATCH", path, {"previewNotificationsEnabled": True})
    owner = f"/notification-settings/owners/{OWNER}"
    assert sim.ok("PATCH", owner, {"slackEnabled": True})["slackEnabled"] is True
    assert sim.ok("GET", owner)["notificationsToSend"] == "failure"


def test_log_stream_overrides_are_missing_until_set(sim: Simulator):
    service = sim.service("web")
    path = f"/logs/streams/resource/{service['id']}"
    assert sim.refused(404, "GET", path) == f"not found: {service['id']}"
    shown = sim.ok("PUT", path, {"setting": "drop"})
    assert shown == {"endpoint": "", "resourceId": service["id"], "setting": "drop"}
    assert sim.ok("GET", path) == shown
    assert sim.ok("GET", "/logs/streams/resource", setting="drop") == [shown]
    sim.ok("DELETE", path)
    sim.refused(404, "GET", path)


def test_streams_of_the_workspace_hide_their_tokens(sim: Simulator):
    logs = f"/logs/streams/owner/{OWNER}"
    shown = sim.ok("PUT", logs, {"endpoint": "e:1", "preview": "send", "token": "t"})
    assert shown == {"endpoint": "e:1", "ownerId": OWNER, "preview": "send"}
    metrics = f"/metrics-stream/{OWNER}"
    assert "token" not in sim.ok("PUT", metrics, {"provider": "CUSTOM", "url": "https://x", "token": "t"})
    for path in (logs, metrics):
        sim.ok("GET", path)
        sim.ok("DELETE", path)
        sim.refused(404, "GET", path)


def test_a_registry_credential_is_made_with_200_and_hides_its_token(sim: Simulator):
    body = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    answer = sim.call("POST", "/registrycredentials", body)
    assert answer.status_code == 200
    made = answer.json()
    assert made.keys() == {"id", "name", "registry", "username", "updatedAt"}
    image = {"imagePath": "acme/x", "ownerId": "", "registryCredentialId": made["id"]}
    service = sim.service("web", image=image)
    assert service["registryCredential"] == {"id": made["id"], "name": "r"}
    assert sim.ok("GET", "/registrycredentials", name="r") == [made]
    assert sim.ok("PATCH", f"/registrycredentials/{made['id']}", {"name": "s"})["name"] == "s"
    sim.refused(400, "DELETE", f"/registrycredentials/{made['id']}")
    sim.ok("DELETE", f"/services/{service['id']}")
    sim.ok("DELETE", f"/registrycredentials/{made['id']}")


def test_an_image_sent_without_a_credential_has_none(sim: Simulator):
    body = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    made = sim.ok("POST", "/registrycredentials", body)
    image = {"imagePath": "acme/x", "ownerId": "", "registryCredentialId": made["id"]}
    service = sim.service("web", image=image)
    path = f"/services/{service['id']}"
    assert "registryCredential" in sim.ok("PATCH", path, {"serviceDetails": {"plan": "standard"}})
    assert "registryCredential" not in sim.ok("PATCH", path, {"image": {"imagePath": "acme/x", "ownerId": OWNER}})
    sim.ok("DELETE", f"/registrycredentials/{made['id']}")


def test_a_docker_build_shows_its_credential_among_its_commands(sim: Simulator):
    body = {"registry": "DOCKER", "name": "r", "username": "u", "authToken": "t", "ownerId": OWNER}
    made = sim.ok("POST", "/registrycredentials", body)
    commands = {"registryCredentialId": made["id"]}
    given = {
        "type": "web_service", "name": "web", "ownerId": OWNER, "repo": "https://github.com/acme/x",
        "serviceDetails": {"runtime": "docker", "envSpecificDetails": commands},
    }  # fmt: skip
    service = sim.ok("POST", "/services", given)["service"]
    assert service["serviceDetails"]["envSpecificDetails"]["registryCredential"] == made
    switched = sim.ok("PATCH", f"/services/{service['id']}", {"serviceDetails": {"runtime": "node"}})
    assert "registryCredential" not in switched
    assert "registryCredential" not in switched["serviceDetails"]["envSpecificDetails"]


def test_a_set_of_addresses_comes_up_in_its_own_way(sim: Simulator):
    body = {"name": "ips", "ownerId": OWNER, "region": "oregon"}
    made = sim.ok("POST", "/dedicated-ips", body)
    assert (made["status"], made["ips"], made["environmentIds"]) == ("CREATING", [], [])
    path = f"/dedicated-ips/{made['id']}"
    assert sim.ok("GET", path)["status"] == "PENDING"
    sim.step(20)
    up = sim.ok("GET", path)
    assert (up["status"], len(up["ips"])) == ("RUNNING", 3)
    assert sim.ok("PATCH", path, {"description": "d"})["description"] == "d"
    assert len(sim.ok("GET", "/dedicated-ips", ownerId=OWNER)) == 1
    sim.refused(400, "GET", "/dedicated-ips")
    sim.ok("DELETE", path)
    sim.refused(404, "GET", path)


def test_metrics_show_what_costs_depend_on(sim: Simulator):
    service = sim.service("web", serviceDetails={"numInstances": 2})
    sim.step(3_600)
    (shown,) = sim.ok("GET", "/metrics/instance-count", resource=service["id"])
    assert {item["value"] for item in shown["values"][1:]} == {2.0}
    (traffic,) = sim.ok("GET", "/metrics/bandwidth", resource=service["id"])
    assert traffic["unit"] == "GB"
    sim.refused(400, "GET", "/metrics/bandwidth")
    assert sim.ok("GET", "/logs", ownerId=OWNER, resource=service["id"])["logs"]


def test_who_am_i_and_what_was_done(sim: Simulator):
    assert sim.ok("GET", "/users")["email"]
    owner = sim.ok("GET", "/owners")[0]["owner"]["id"]
    sim.service("web")
    audit = sim.ok("GET", f"/owners/{owner}/audit-logs")
    assert audit[0]["auditLog"]["event"] == "CreateServerEvent"
    assert sim.ok("GET", f"/owners/{owner}/members")[0]["role"] == "ADMIN"
    assert sim.ok("GET", "/blueprints") == []
