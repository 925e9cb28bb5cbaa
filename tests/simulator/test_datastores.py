"""Postgres and Key Value."""

import re

import pytest

from tests.simulator.conftest import OWNER, Simulator, at

PG = {"name": "main-db", "ownerId": OWNER, "plan": "basic_256mb", "version": "16"}
KV = {"name": "cache", "ownerId": OWNER, "plan": "starter"}


def postgres(sim: Simulator, **more):
    return sim.ok("POST", "/postgres", PG | more)


def key_value(sim: Simulator, **more):
    return sim.ok("POST", "/key-value", KV | more)


def test_a_database_comes_up_with_a_suffixed_name(sim: Simulator):
    made = postgres(sim)
    assert made["status"] == "unknown"
    assert re.fullmatch(r"dpg-[0-9a-v]{20}-a", made["id"])
    assert re.fullmatch(r"main_db_[a-z0-9]{4}", made["databaseName"])
    assert made["databaseUser"] == made["databaseName"] + "_user"
    assert made["diskSizeGB"] == 15
    assert made["owner"]["id"] == OWNER
    assert len(made["createdAt"]) > len(sim.ok("GET", f"/postgres/{made['id']}")["createdAt"])
    assert sim.ok("GET", f"/postgres/{made['id']}")["status"] == "creating"
    sim.step(51)
    assert sim.ok("GET", f"/postgres/{made['id']}")["status"] == "available"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"version": "15"}, "version"),
        ({"region": "ohio"}, "region"),
        ({"databaseName": "other"}, "databaseName"),
        ({"databaseUser": "other"}, "databaseUser"),
        ({"diskSizeGB": 10}, "shrink"),
        ({"diskSizeGB": 17}, "multiple"),
        ({"plan": "starter"}, "legacy"),
        ({"enableHighAvailability": True}, "enableHighAvailability"),
        ({"readReplicas": [{"name": "a"}, {"name": "a"}]}, "readReplicas"),
    ],
)
def test_what_cannot_change_is_refused(sim: Simulator, change, word):
    made = postgres(sim)
    before = sim.ok("GET", f"/postgres/{made['id']}")
    assert word in sim.refused(400, "PATCH", f"/postgres/{made['id']}", change)
    assert sim.ok("GET", f"/postgres/{made['id']}") == before


def test_a_change_always_moves_the_stamp_and_a_plan_rebuilds(sim: Simulator):
    made = postgres(sim)
    sim.step(60)
    path = f"/postgres/{made['id']}"
    before = sim.ok("GET", path)
    same = sim.ok("PATCH", path, {"name": "main-db"})
    assert at(same["updatedAt"]) > at(before["updatedAt"])
    assert same["status"] == "available"
    assert sim.ok("PATCH", path, {"ipAllowList": []})["ipAllowList"] is None
    larger = sim.ok("PATCH", path, {"plan": "pro_4gb", "enableHighAvailability": True})
    assert larger["status"] == "creating"
    sim.step(60)
    assert sim.ok("GET", path)["status"] == "available"


def test_a_disk_grows_once_in_twelve_hours(sim: Simulator):
    path = f"/postgres/{postgres(sim)['id']}"
    assert sim.ok("PATCH", path, {"diskSizeGB": 20})["diskSizeGB"] == 20
    assert "12 hours" in sim.refused(400, "PATCH", path, {"diskSizeGB": 25})
    sim.step(43_200)
    sim.ok("PATCH", path, {"diskSizeGB": 25})


def test_replicas_come_and_go_by_name(sim: Simulator):
    made = postgres(sim, readReplicas=[{"name": "r1"}])
    assert made["status"] == "creating"
    assert made["readReplicas"] == [{"id": made["id"][:-1] + "b", "name": "r1"}]
    replica = sim.ok("GET", f"/postgres/{made['readReplicas'][0]['id']}")
    assert (replica["role"], replica["primaryPostgresID"]) == ("replica", made["id"])
    path = f"/postgres/{made['id']}"
    assert len(sim.ok("PATCH", path, {})["readReplicas"]) == 1
    swapped = sim.ok("PATCH", path, {"readReplicas": [{"name": "r2"}]})
    assert [item["id"][-1] for item in swapped["readReplicas"]] == ["c"]
    assert len(sim.ok("GET", "/postgres")) == 2
    assert len(sim.ok("GET", "/postgres", includeReplicas="false")) == 1
    sim.ok("DELETE", path)
    assert sim.ok("GET", "/postgres") == []


def test_null_replicas_are_none_or_as_they_were(sim: Simulator):
    made = postgres(sim, readReplicas=[{"name": "r1"}])
    path = f"/postgres/{made['id']}"
    sim.set(null_removes_replicas=False)
    assert len(sim.ok("PATCH", path, {"readReplicas": None})["readReplicas"]) == 1
    sim.set(null_removes_replicas=True)
    assert sim.ok("PATCH", path, {"readReplicas": None})["readReplicas"] == []


def test_lists_leave_overrides_out(sim: Simulator):
    postgres(sim, parameterOverrides={"work_mem": "1"})
    assert "parameterOverrides" not in sim.ok("GET", "/postgres", name="main-db")[0]["postgres"]


def test_connection_strings_have_their_forms(sim: Simulator):
    made = postgres(sim, connectionPool="pgbouncer")
    info = sim.ok("GET", f"/postgres/{made['id']}/connection-info")
    login = f"{made['databaseUser']}:{info['password']}"
    assert info["internalConnectionString"] == f"postgresql://{login}@{made['id']}/{made['databaseName']}"
    assert f"{made['id']}.oregon-postgres.render.com:5432/" in info["externalConnectionString"]
    assert "internalConnectionPoolString" in info


def test_a_connection_pool_shows_only_where_there_is_one(sim: Simulator):
    """No recorded database has the key, not even those of 2026."""
    assert "connectionPool" not in postgres(sim)
    path = f"/postgres/{postgres(sim, name='pooled', connectionPool='pgbouncer')['id']}"
    assert sim.ok("GET", path)["connectionPool"] == "pgbouncer"
    assert "connectionPool" not in sim.ok("PATCH", path, {"connectionPool": "none"})
    sim.set(postgres_connection_pool=True)
    assert sim.ok("GET", path)["connectionPool"] == "none"


def test_a_database_is_suspended_resumed_restarted(sim: Simulator):
    path = f"/postgres/{postgres(sim)['id']}"
    sim.step(60)
    assert sim.call("POST", f"{path}/suspend").status_code == 202
    shown = sim.ok("GET", path)
    assert (shown["status"], shown["suspended"], shown["suspenders"]) == ("suspended", "suspended", ["user"])
    assert len(sim.ok("GET", "/postgres", suspended="suspended")) == 1
    sim.ok("POST", f"{path}/resume")
    sim.step(60)
    assert sim.ok("GET", path)["status"] == "available"
    sim.ok("POST", f"{path}/restart")
    assert sim.ok("GET", path)["status"] == "config_restart"
    sim.step(10)
    assert sim.ok("GET", path)["status"] == "available"
    sim.refused(400, "POST", f"{path}/failover")


def test_recovery_makes_a_new_database(sim: Simulator):
    made = postgres(sim)
    assert sim.ok("GET", f"/postgres/{made['id']}/recovery") == {"recoveryStatus": "BACKUP_NOT_READY"}
    sim.step(3_600)
    window = sim.ok("GET", f"/postgres/{made['id']}/recovery")
    assert window["recoveryStatus"] == "AVAILABLE"
    answer = sim.call("POST", f"/postgres/{made['id']}/recovery", {"restoreTime": window["startsAt"]})
    assert answer.status_code == 200
    assert answer.json()["id"] != made["id"]
    assert sim.ok("GET", f"/postgres/{answer.json()['id']}")["status"] == "recovery_in_progress"
    sim.step(120)
    assert sim.ok("GET", f"/postgres/{answer.json()['id']}")["status"] == "available"
    sim.refused(400, "POST", f"/postgres/{made['id']}/recovery", {"restoreTime": "2001-01-01T00:00:00Z"})


def test_exports_and_users(sim: Simulator):
    path = f"/postgres/{postgres(sim)['id']}"
    assert sim.call("POST", f"{path}/export").status_code == 202
    assert "url" not in sim.ok("GET", f"{path}/export")[0]
    sim.step(60)
    assert sim.ok("GET", f"{path}/export")[0]["url"].startswith("https://")
    assert sim.call("POST", f"{path}/credentials", {"username": "reader"}).status_code == 202
    sim.refused(400, "POST", f"{path}/credentials", {"username": "reader"})
    assert [item["username"] for item in sim.ok("GET", f"{path}/credentials")][1:] == ["reader"]
    sim.ok("DELETE", f"{path}/credentials/reader")
    sim.refused(404, "DELETE", f"{path}/credentials/reader")


def test_a_rule_keeps_a_database_from_coming_up(sim: Simulator):
    sim.fault("postgres_stuck", service="main-db")
    path = f"/postgres/{postgres(sim)['id']}"
    sim.step(100_000)
    assert sim.ok("GET", path)["status"] == "creating"


def test_names_of_datastores_are_taken_twice_unless_set_otherwise(sim: Simulator):
    postgres(sim)
    postgres(sim)
    key_value(sim)
    sim.set(unique_other_names=True)
    sim.refused(409, "POST", "/postgres", PG)
    sim.refused(409, "POST", "/key-value", KV)


def test_a_cache_comes_up(sim: Simulator):
    made = key_value(sim, ipAllowList=[])
    assert made["status"] == "unknown"
    assert made["ipAllowList"] is None
    assert made["options"] == {"maxmemoryPolicy": "allkeys_lru", "persistenceMode": "journal_snapshot"}
    assert "suspended" not in made
    assert sim.ok("GET", f"/key-value/{made['id']}")["status"] == "creating"
    sim.step(20)
    assert sim.ok("GET", f"/redis/{made['id']}")["status"] == "available"
    assert sim.ok("GET", "/redis")[0]["redis"]["id"] == sim.ok("GET", "/key-value")[0]["keyValue"]["id"]
    info = sim.ok("GET", f"/key-value/{made['id']}/connection-info")
    assert info["internalConnectionString"] == f"redis://{made['id']}:6379"
    assert info["cliCommand"].startswith(" ")
    assert "redisCLICommand" in sim.ok("GET", f"/redis/{made['id']}/connection-info")


def test_a_free_cache_persists_once_it_is_paid_for(sim: Simulator):
    made = key_value(sim, plan="free")
    assert made["options"]["persistenceMode"] == "off"
    path = f"/key-value/{made['id']}"
    assert sim.ok("PATCH", path, {"plan": "starter"})["options"]["persistenceMode"] == "journal_snapshot"
    assert "downgrade" in sim.refused(400, "PATCH", path, {"plan": "free"})


def test_an_allow_list_alone_does_not_move_the_stamp(sim: Simulator):
    path = f"/key-value/{key_value(sim)['id']}"
    before = sim.ok("GET", path)
    allowed = [{"cidrBlock": "1.1.1.1/32", "description": "x"}]
    changed = sim.ok("PATCH", path, {"ipAllowList": allowed})
    assert changed["ipAllowList"] == allowed
    assert changed["updatedAt"] == before["updatedAt"]
    assert at(sim.ok("PATCH", path, {"name": "other"})["updatedAt"]) > at(before["updatedAt"])


def test_a_cache_is_suspended_by_status_only(sim: Simulator):
    path = f"/key-value/{key_value(sim)['id']}"
    sim.ok("POST", f"{path}/suspend")
    assert sim.ok("GET", path)["status"] == "suspended"
    sim.step(1_000)
    assert sim.ok("GET", path)["status"] == "suspended"
    sim.ok("POST", f"{path}/resume")
    sim.step(20)
    assert sim.ok("GET", path)["status"] == "available"
    sim.ok("DELETE", path)
    sim.refused(404, "GET", path)
