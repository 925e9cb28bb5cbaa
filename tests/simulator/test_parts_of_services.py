"""Variables, files, disks, domains, headers, routes, jobs, cron runs, events."""

import re

from tests.simulator.conftest import OWNER, Simulator, at


def test_variables_are_replaced_as_a_whole(sim: Simulator):
    service = sim.service("web", envVars=[{"key": "OLD", "value": "1"}])
    path = f"/services/{service['id']}/env-vars"
    sent = [{"key": "A", "value": "1"}, {"key": "B", "generateValue": True}]
    answered = sim.ok("PUT", path, sent)
    assert [item["envVar"]["key"] for item in answered] == ["A", "B"]
    value = answered[1]["envVar"]["value"]
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", value)
    assert [item["envVar"] for item in sim.ok("GET", path)] == [
        {"key": "B", "value": value}, {"key": "A", "value": "1"},
    ]  # fmt: skip
    again = sim.ok("PUT", path, [{"key": "A", "value": "1"}, {"key": "B", "value": value}])
    assert {item["cursor"] for item in again}.isdisjoint(item["cursor"] for item in answered)
    assert sim.read(service)["updatedAt"] == service["updatedAt"]
    sim.ok("PUT", f"{path}/A", {"value": "2"})
    assert sim.ok("GET", f"{path}/A") == {"key": "A", "value": "2"}
    assert sim.call("DELETE", f"{path}/A").status_code == 204
    sim.refused(404, "GET", f"{path}/A")
    answer = sim.http.put(f"/v1{path}", content=b"null", headers={"Authorization": "Bearer k1"})
    assert answer.json() == []
    assert sim.ok("GET", path) == []


def test_a_repeated_wish_to_generate_regenerates_unless_set_otherwise(sim: Simulator):
    path = f"/services/{sim.service('web')['id']}/env-vars"
    wish = [{"key": "A", "generateValue": True}]
    first, second = (sim.ok("PUT", path, wish)[0]["envVar"]["value"] for _ in range(2))
    assert first != second
    sim.set(generate_value_again=False)
    assert sim.ok("PUT", path, wish)[0]["envVar"]["value"] == second


def test_variables_come_in_pages(sim: Simulator):
    variables = [{"key": f"K{number}", "value": ""} for number in range(25)]
    path = f"/services/{sim.service('web', envVars=variables)['id']}/env-vars"
    first = sim.ok("GET", path)
    assert len(first) == 20
    rest = sim.ok("GET", path, cursor=first[-1]["cursor"])
    assert [item["envVar"]["key"] for item in rest] == ["K4", "K3", "K2", "K1", "K0"]
    assert sim.ok("GET", path, cursor=rest[-1]["cursor"]) == []


def test_secret_files_work_alike(sim: Simulator):
    path = f"/services/{sim.service('web')['id']}/secret-files"
    sent = [{"name": "a", "content": "1"}, {"name": "b", "content": "2"}]
    assert [item["secretFile"] for item in sim.ok("PUT", path, sent)] == sent
    assert [item["secretFile"]["name"] for item in sim.ok("GET", path)] == ["b", "a"]
    assert sim.call("PUT", f"{path}/c", {"content": "3"}).status_code == 201
    assert sim.ok("GET", f"{path}/c") == {"name": "c", "content": "3"}
    sim.ok("DELETE", f"{path}/a")
    sim.refused(400, "PUT", path, [{"name": "a"}, {"name": "a"}])
    sim.refused(400, "PUT", path, [{"name": "a", "content": "x" * 1_048_577}])


def test_a_disk_moves_the_stamp_of_its_service_only_when_it_comes_or_goes(sim: Simulator):
    service = sim.service("web")
    body = {"serviceId": service["id"], "name": "d", "mountPath": "/data", "sizeGB": 5}
    disk = sim.ok("POST", "/disks", body)
    with_disk = sim.read(service)
    assert with_disk["serviceDetails"]["disk"] == {"id": disk["id"], "name": "d", "mountPath": "/data", "sizeGB": 5}
    assert at(with_disk["updatedAt"]) > at(service["updatedAt"])
    same = sim.ok("PATCH", f"/disks/{disk['id']}", {"name": "d", "mountPath": "/data", "sizeGB": 5})
    assert same["updatedAt"] == disk["updatedAt"]
    grown = sim.ok("PATCH", f"/disks/{disk['id']}", {"sizeGB": 8})
    assert at(grown["updatedAt"]) > at(disk["updatedAt"])
    assert sim.read(service)["updatedAt"] == with_disk["updatedAt"]
    assert "shrink" in sim.refused(400, "PATCH", f"/disks/{disk['id']}", {"sizeGB": 2})
    sim.refused(400, "POST", "/disks", body)
    sim.refused(400, "POST", f"/services/{service['id']}/scale", {"numInstances": 2})
    assert [item["disk"]["id"] for item in sim.ok("GET", "/disks", serviceId=service["id"])] == [disk["id"]]
    sim.step(86_400 * 2)
    snapshots = sim.call("GET", f"/disks/{disk['id']}/snapshots")
    assert snapshots.status_code == 201
    assert len(snapshots.json()) == 2
    key = snapshots.json()[0]["snapshotKey"]
    assert sim.call("POST", f"/disks/{disk['id']}/snapshots/restore", {"snapshotKey": key}).status_code == 200
    sim.ok("DELETE", f"/disks/{disk['id']}")
    assert "disk" not in sim.read(service)["serviceDetails"]


def test_an_apex_brings_its_www_twin(sim: Simulator):
    path = f"/services/{sim.service('web')['id']}/custom-domains"
    pair = sim.ok("POST", path, {"name": "example.com"})
    assert [(item["name"], item["domainType"], item["redirectForName"]) for item in pair] == [
        ("example.com", "apex", ""), ("www.example.com", "subdomain", "example.com"),
    ]  # fmt: skip
    (single,) = sim.ok("POST", path, {"name": "App.Example.co.uk"})
    assert (single["name"], single["publicSuffix"], single["domainType"]) == ("app.example.co.uk", "co.uk", "subdomain")
    sim.refused(400, "POST", path, {"name": "nonsense"})
    other = sim.service("other")
    sim.refused(409, "POST", f"/services/{other['id']}/custom-domains", {"name": "www.example.com"})
    shown = [item["customDomain"]["name"] for item in sim.ok("GET", path)]
    assert shown == ["app.example.co.uk", "www.example.com", "example.com"]
    assert sim.call("POST", f"{path}/example.com/verify").status_code == 202
    assert sim.ok("GET", f"{path}/example.com")["verificationStatus"] == "unverified"
    sim.step(5)
    verified = sim.ok("GET", path, verificationStatus="verified")
    assert len(verified) == 2
    assert sim.call("DELETE", f"{path}/{pair[0]['id']}").status_code == 204
    assert len(sim.ok("GET", path)) == 1


def test_rules_of_a_static_site_get_new_ids_at_every_put(sim: Simulator):
    routes = [{"type": "rewrite", "source": "/a", "destination": "/b"}]
    headers = [{"path": "/*", "name": "X", "value": "1"}]
    site = sim.service("site", "static_site", serviceDetails={"routes": routes, "headers": headers})
    path = f"/services/{site['id']}"
    old = sim.ok("GET", f"{path}/routes")[0]["route"]
    assert old | {"id": ""} == {**routes[0], "priority": 0, "id": ""}
    (new,) = sim.ok("PUT", f"{path}/routes", routes)
    assert new["id"] != old["id"]
    second = sim.ok("POST", f"{path}/routes", {"type": "redirect", "source": "/c", "destination": "/d"})
    assert second["priority"] == 1
    assert sim.ok("PATCH", f"{path}/routes/{second['id']}", {"priority": 0})["headers"]["priority"] == 0
    assert [item["route"]["source"] for item in sim.ok("GET", f"{path}/routes")] == ["/c", "/a"]
    sim.ok("DELETE", f"{path}/routes/{second['id']}")
    added = sim.ok("POST", f"{path}/headers", {"path": "/a", "name": "Y", "value": "2"})["headers"]
    assert [item["header"]["name"] for item in sim.ok("GET", f"{path}/headers")] == ["Y", "X"]
    sim.ok("DELETE", f"{path}/headers/{added['id']}")
    assert sim.ok("PUT", f"{path}/headers", []) is None
    sim.refused(400, "PUT", f"{path}/headers", [{"path": "/a"}])
    web = sim.service("web")
    sim.refused(400, "GET", f"/services/{web['id']}/headers")


def test_a_job_runs_and_ends(sim: Simulator):
    service = sim.service("web")
    path = f"/services/{service['id']}/jobs"
    sim.refused(400, "POST", path, {"startCommand": "x"})
    sim.step(60)
    answer = sim.call("POST", path, {"startCommand": "x"})
    assert answer.status_code == 201
    job = answer.json()
    assert job["status"] == "pending"
    sim.step(5)
    assert sim.ok("GET", f"{path}/{job['id']}")["status"] == "running"
    sim.step(30)
    assert sim.ok("GET", f"{path}/{job['id']}")["status"] == "succeeded"
    sim.refused(400, "POST", f"{path}/{job['id']}/cancel")
    other = sim.ok("POST", path, {"startCommand": "y"})
    assert sim.ok("POST", f"{path}/{other['id']}/cancel")["status"] == "canceled"
    assert [item["job"]["status"] for item in sim.ok("GET", path)] == ["canceled", "succeeded"]


def test_a_cron_job_runs_on_time_and_by_hand(sim: Simulator):
    service = sim.service("c", "cron_job", serviceDetails={"schedule": "*/30 * * * *"})
    assert "lastSuccessfulRunAt" not in service["serviceDetails"]
    sim.step(2_000)
    shown = sim.read(service)
    first = at(shown["serviceDetails"]["lastSuccessfulRunAt"])
    sim.step(1_800)
    assert at(sim.read(service)["serviceDetails"]["lastSuccessfulRunAt"]) - first == 1_800_000_000_000
    path = f"/cron-jobs/{service['id']}/runs"
    one = sim.ok("POST", path)
    assert one["status"] == "pending"
    sim.ok("POST", path)
    types = [item["event"]["details"]["status"] for item in sim.ok(
        "GET", f"/services/{service['id']}/events", type="cron_job_run_ended", limit=1
    )]  # fmt: skip
    assert types == ["canceled"]
    assert sim.call("DELETE", path).status_code == 204
    sim.refused(400, "POST", f"/cron-jobs/{sim.service('web')['id']}/runs")


def test_events_tell_what_happened_in_the_last_hour(sim: Simulator):
    service = sim.service("web")
    sim.step(60)
    sim.ok("PATCH", f"/services/{service['id']}", {"serviceDetails": {"plan": "standard"}})
    path = f"/services/{service['id']}/events"
    shown = [item["event"] for item in sim.ok("GET", path)]
    assert [item["type"] for item in shown] == ["plan_changed", "deploy_ended", "server_available", "deploy_started"]
    assert shown[0]["details"] == {"from": "starter", "to": "standard"}
    assert sim.ok("GET", f"/events/{shown[0]['id']}") == shown[0]
    sim.step(7_200)
    assert sim.ok("GET", path) == []
    assert len(sim.ok("GET", path, startTime=service["createdAt"], type="deploy_ended")) == 1


def test_keys_of_snapshots_end_after_a_day(sim: Simulator):
    service = sim.service("web", serviceDetails={"disk": {"name": "d", "mountPath": "/data"}})
    disk = service["serviceDetails"]["disk"]["id"]
    sim.step(3 * 86_400)
    key = sim.ok("GET", f"/disks/{disk}/snapshots")[0]["snapshotKey"]
    sim.step(86_390)
    sim.ok("POST", f"/disks/{disk}/snapshots/restore", {"snapshotKey": key})
    sim.step(10)
    sim.refused(404, "POST", f"/disks/{disk}/snapshots/restore", {"snapshotKey": key})
    again = sim.ok("GET", f"/disks/{disk}/snapshots")[-1]["snapshotKey"]
    sim.ok("POST", f"/disks/{disk}/snapshots/restore", {"snapshotKey": again})


def test_a_disk_of_a_suspended_service_stays_as_it_is(sim: Simulator):
    service = sim.service("web", serviceDetails={"disk": {"name": "d", "mountPath": "/data"}})
    sim.ok("POST", f"/services/{service['id']}/suspend")
    disk = service["serviceDetails"]["disk"]["id"]
    assert "suspended" in sim.refused(400, "PATCH", f"/disks/{disk}", {"sizeGB": 5})


def test_a_run_of_a_cron_job_ends_after_twelve_hours(sim: Simulator):
    sim.set(cron_run_s=50 * 3_600)
    service = sim.service("endless", "cron_job", serviceDetails={"schedule": "0 0 1 1 *"})
    run = sim.ok("POST", f"/cron-jobs/{service['id']}/runs")
    assert run["status"] == "pending"
    sim.step(12 * 3_600 + 1)
    (ended,) = sim.ok("GET", f"/services/{service['id']}/events", type="cron_job_run_ended")
    assert ended["event"]["details"]["status"] == "unsuccessful"


def test_log_streams_are_for_what_writes_logs(sim: Simulator):
    group = sim.ok("POST", "/env-groups", {"name": "g", "ownerId": OWNER, "envVars": []})
    sim.refused(404, "PUT", f"/logs/streams/resource/{group['id']}", {"setting": "drop"})


def test_metrics_are_averages_minima_or_maxima(sim: Simulator):
    service = sim.service("web")
    sim.ok("GET", "/metrics/cpu", resource=service["id"], aggregationMethod="MAX")
    assert "aggregationMethod" in sim.refused(
        400, "GET", "/metrics/cpu", resource=service["id"], aggregationMethod="SUM"
    )
