"""What the comparison of a replay notices, and what it lets pass."""

import base64
import json
from typing import Any

import pytest

from tests.simulator import comparison
from tests.simulator.comparison import Answer, Names

HEADERS = {"ratelimit-limit": ["400"], "content-type": ["application/json; charset=utf-8"]}
SERVICE = {
    "id": "srv-cu2k4j3qf0us73fbv7u0", "name": "api", "slug": "api-q9lm", "type": "background_worker",
    "ownerId": "some-owner-id", "createdAt": "2025-01-13T16:41:48.081145Z", "numInstances": 1, "suspenders": [],
}  # fmt: skip
LIVE = SERVICE | {
    "id": "srv-d8i8slvlm5ii54800230", "slug": "api-0a1b", "createdAt": "2026-06-01T00:00:00.5Z",
    "autoDeployTrigger": "commit",
}  # fmt: skip
DEPLOY = {"id": "dep-cu2k4j3qf0us73fbv820", "status": "live", "finishedAt": None}
LIVE_DEPLOY = {"id": "dep-d8i8slvlm5ii54800231", "status": "live"}
RANDOM = base64.b64encode(bytes(range(32))).decode()
OTHER_RANDOM = base64.b64encode(bytes(range(1, 33))).decode()


def cursor(head: str, key: str) -> str:
    return base64.urlsafe_b64encode(head.encode() + key[-16:].encode()).decode()


def answer(body: object = None, status: int = 200, **headers: list[str]) -> Answer:
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Answer(status, sent, "" if body is None else json.dumps(body))


def differences(recorded: object, live: object, names: Names | None = None) -> list[str]:
    """Compare two bodies; the paths at which they differ."""
    found = comparison.compare(names or Names(), answer(recorded), answer(live))
    return [item.path for item in found]


def with_service(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (LIVE | changes).items() if value is not ...}


def test_what_has_only_other_ids_times_and_suffixes_matches():
    assert differences({"service": SERVICE}, {"service": LIVE}) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": "api2"}, ".name"),
        ({"name": None}, ".name"),
        ({"name": ...}, ".name"),
        ({"numInstances": 2}, ".numInstances"),
        ({"numInstances": "1"}, ".numInstances"),
        ({"numInstances": True}, ".numInstances"),
        ({"numInstances": 1.0}, ".numInstances"),
        ({"suspenders": ["user"]}, ".suspenders"),
        ({"suspenders": None}, ".suspenders"),
        ({"repo": "https://github.com/acme/api"}, ".repo"),
        ({"slug": "api"}, ".slug"),
        ({"slug": "web-0a1b"}, ".slug"),
        ({"slug": "api-0a1bc"}, ".slug"),
        ({"id": "dep-d8i8slvlm5ii54800230"}, ".id"),
        ({"id": "srv-d8i8slvlm5ii5480023"}, ".id"),
        ({"id": "srv-d8i8slvlm5ii54800230-a"}, ".id"),
        ({"ownerId": "another-owner-id"}, ".ownerId"),
        ({"createdAt": "2026-06-01T00:00:00.500Z"}, ".createdAt"),
        ({"createdAt": "2026-06-01T00:00:00.123456789Z"}, ".createdAt"),
        ({"createdAt": "2026-06-01T00:00:00+00:00"}, ".createdAt"),
        ({"createdAt": "2026-06-01 00:00:00Z"}, ".createdAt"),
        ({"createdAt": 1780000000}, ".createdAt"),
    ],
)  # fmt: skip
def test_a_changed_field_is_noticed(change: dict[str, Any], path: str):
    assert differences(SERVICE, with_service(**change)) == [path]


def test_a_key_of_later_times_may_only_be_missing_in_the_recording():
    assert differences(SERVICE | {"autoDeployTrigger": "off"}, LIVE) == [".autoDeployTrigger"]
    assert differences(SERVICE | {"autoDeployTrigger": "commit"}, with_service(autoDeployTrigger=...)) == [
        ".autoDeployTrigger"
    ]
    # the same key elsewhere is a surplus
    assert differences({"id": "prj-cu2k4j3qf0us73fbv7u0"}, {"id": "prj-d8i8slvlm5ii54800230", "ipAllowList": []}) == [
        ".ipAllowList"
    ]


def test_an_unfinished_deploy_says_so_by_null_or_by_silence():
    assert differences(DEPLOY, LIVE_DEPLOY) == []
    assert differences(DEPLOY, LIVE_DEPLOY | {"finishedAt": "2026-06-01T00:00:00Z"}) == [".finishedAt"]


@pytest.mark.parametrize(
    ("recorded", "live", "path"),
    [
        (answer({}), answer({}, 201), "status"),
        (answer({}), answer({}, ratelimit_limit=["100"]), "Ratelimit-Limit"),
        (answer({}), answer({}, ratelimit_limit=[]), "Ratelimit-Limit"),
        (answer({}), answer({}, content_type=["text/plain"]), "Content-Type"),
        (answer(), answer({}), "body"),
        (answer({}), answer(), "body"),
        (answer([1, 2]), answer([1]), "items"),
        (answer([]), answer({}), ""),
        (answer({"message": "not found: x"}), answer({"message": "gone: x"}), ".message"),
        (answer({"a": [{"b": "1"}]}), answer({"a": [{"b": "2"}]}), ".a[0].b"),
        (answer({"n": None}), answer({}), ".n"),
        (answer({}), answer({"n": None}), ".n"),
    ],
)
def test_a_changed_answer_is_noticed(recorded: Answer, live: Answer, path: str):
    assert [item.path for item in comparison.compare(Names(), recorded, live)] == [path]


def test_a_limit_given_twice_is_given_once():
    assert comparison.compare(Names(), answer({}, ratelimit_limit=["400", "400"]), answer({})) == []


def test_a_thing_keeps_its_id_through_a_scenario():
    names = Names()
    assert differences(SERVICE, LIVE, names) == []
    assert differences(SERVICE, LIVE, names) == []
    assert differences(SERVICE, with_service(id="srv-d8i8slvlm5ii54800999"), names) == [".id"]
    assert differences({"message": f"not found: {SERVICE['id']}"}, {"message": f"not found: {LIVE['id']}"}, names) == []
    another = {"id": "srv-aaaaaaaaaaaaaaaaaaaa"}
    assert differences(another, {"id": LIVE["id"]}, names) == [".id"], "two things must not be one"


def test_a_replica_is_known_by_its_primary():
    names = Names()
    recorded, live = "dpg-d7sg9ln7f7vs73d9bg5g", "dpg-d8jiilvlm5ii548002g0"
    assert differences({"id": f"{recorded}-a"}, {"id": f"{live}-a"}, names) == []
    assert differences({"id": f"{recorded}-b"}, {"id": f"{live}-b"}, names) == []
    assert differences({"id": f"{recorded}-b"}, {"id": f"{live}-c"}, names) == [".id"]


def test_requests_carry_live_ids_cursors_and_generated_values():
    names = Names()
    key, live = "srv-cu2k4j3qf0us73fbv7u0", "srv-d8i8slvlm5ii54800230"
    one, other = cursor("recorded", key), cursor("lives---", live)
    assert names.request_body("/env-groups/x/env-vars/TOKEN", '{"generateValue":true}') == '{"generateValue":true}'
    recorded = [{"service": {"id": key}, "cursor": one}, {"key": "TOKEN", "value": RANDOM}]
    answered = [{"service": {"id": live}, "cursor": other}, {"key": "TOKEN", "value": OTHER_RANDOM}]
    assert differences(recorded, answered, names) == []
    assert names.request_url(f"https://h/v1/services/{key}/x?cursor={one}&limit=1") == (
        f"/v1/services/{live}/x?cursor={other}&limit=1"
    )
    sent = names.request_body("/env-vars", json.dumps([{"key": "TOKEN", "value": RANDOM}, {"id": key}]))
    assert json.loads(sent) == [{"key": "TOKEN", "value": OTHER_RANDOM}, {"id": live}]


def test_a_generated_value_has_its_form_and_stays():
    names = Names()
    names.request_body("/env-groups", '{"envVars":[{"key":"A","generateValue":true},{"key":"B","value":"b"}]}')
    recorded = {"key": "A", "value": RANDOM}
    assert differences(recorded, {"key": "A", "value": "short"}, Names(generated={"A"})) == [".value"]
    assert differences(recorded, {"key": "A", "value": OTHER_RANDOM}, names) == []
    assert differences(recorded, {"key": "A", "value": base64.b64encode(b"x" * 32).decode()}, names) == [".value"]
    assert differences({"key": "B", "value": "b"}, {"key": "B", "value": "c"}, names) == [".value"]


@pytest.mark.parametrize("wrong", ["x", cursor("lives---", "srv-aaaaaaaaaaaaaaaaaaaa"), "A" * 32, "=" * 32])
def test_a_cursor_has_its_form_and_names_its_item(wrong: str):
    key, live = "srv-cu2k4j3qf0us73fbv7u0", "srv-d8i8slvlm5ii54800230"
    recorded = [{"service": {"id": key}, "cursor": cursor("recorded", key)}]
    assert differences(recorded, [{"service": {"id": live}, "cursor": cursor("lives---", live)}]) == []
    found = differences(recorded, [{"service": {"id": live}, "cursor": wrong}])
    assert set(found) == {"[0].cursor"}


DATABASE = {
    "id": "dpg-d7sg9ln7f7vs73d9bg5g-a", "databaseName": "shop_ehyv", "databaseUser": "shop_ehyv_user",
    "dashboardUrl": "https://dashboard.staging.render.com/d/dpg-d7sg9ln7f7vs73d9bg5g-a",
}  # fmt: skip
LIVE_DATABASE = {
    "id": "dpg-d8jiilvlm5ii548002g0-a", "databaseName": "shop_a1b2", "databaseUser": "shop_a1b2_user",
    "dashboardUrl": "https://dashboard.render.com/d/dpg-d8jiilvlm5ii548002g0-a",
}  # fmt: skip
INTERNAL = "postgresql://shop_{0}_user:{1}@{2}/shop_{0}"
EXTERNAL = "postgresql://shop_{0}_user:{1}@{2}.oregon-postgres.{3}render.com:5432/shop_{0}"
HOSTS = "dpg-d7sg9ln7f7vs73d9bg5g-a", "dpg-d8jiilvlm5ii548002g0-a"


@pytest.mark.parametrize(
    "change",
    [
        {"databaseName": "shop"},
        {"databaseUser": "shop_zzzz_user"},
        {"dashboardUrl": "https://dashboard.render.com/d/dpg-d7sg9ln7f7vs73d9bg5g-a"},
        {"dashboardUrl": "https://dashboard.render.com/r/dpg-d8jiilvlm5ii548002g0-a"},
    ],
)
def test_names_of_a_database_are_equal_but_for_its_suffix(change: dict[str, str]):
    assert differences(DATABASE, LIVE_DATABASE) == []
    found = differences(DATABASE, LIVE_DATABASE | change)
    assert set(change) <= {path[1:] for path in found}


@pytest.mark.parametrize(
    ("internal", "external"),
    [
        (INTERNAL.format("a1b2", "p" * 32, HOSTS[1] + ":5432"), EXTERNAL.format("a1b2", "p" * 32, HOSTS[1], "")),
        (INTERNAL.format("a1b2", "p" * 32, HOSTS[1]), EXTERNAL.format("zzzz", "p" * 32, HOSTS[1], "")),
        (INTERNAL.format("a1b2", "p" * 32, HOSTS[0]), EXTERNAL.format("a1b2", "p" * 32, HOSTS[1], "")),
        (INTERNAL.format("a1b2", "", HOSTS[1]), EXTERNAL.format("a1b2", "p" * 32, HOSTS[1], "")),
    ],
)
def test_connection_strings_keep_their_form(internal: str, external: str):
    names = Names()
    assert differences(DATABASE, LIVE_DATABASE, names) == []
    recorded = {
        "internalConnectionString": INTERNAL.format("ehyv", comparison.REDACTED, HOSTS[0]),
        "externalConnectionString": EXTERNAL.format("ehyv", comparison.REDACTED, HOSTS[0], "staging."),
    }
    right = {
        "internalConnectionString": INTERNAL.format("a1b2", "p" * 32, HOSTS[1]),
        "externalConnectionString": EXTERNAL.format("a1b2", "p" * 32, HOSTS[1], ""),
    }
    assert differences(recorded, right, names) == []
    wrong = {"internalConnectionString": internal, "externalConnectionString": external}
    assert len(differences(recorded, wrong, names)) == 1


@pytest.mark.parametrize(
    ("field", "recorded", "right", "wrong"),
    [
        ("url", "https://api-q9lm.localhost.onrender.com:9443", "https://api-0a1b.onrender.com",
         "https://api-q9lm.onrender.com"),
        ("url", "api-q9lm:10000", "api-0a1b:10000", "http://api-0a1b:10000"),
        ("url", "api-q9lm:10000", "api-0a1b:10000", "api-0a1b:10001"),
        ("url", "https://api-q9lm.onrender-staging.com", "https://api-0a1b.onrender.com", "api-0a1b.onrender.com"),
        ("sshAddress", "srv-email@example.com", "srv-d8i8slvlm5ii54800230@ssh.oregon.render.com", "srv-x@ssh"),
        ("sha", "sha256:" + "a" * 64, "sha256:" + "b" * 64, "sha256:" + "b" * 40),
        ("ips", ["74.220.48.217"], ["203.0.113.1"], ["203.0.113"]),
        ("ips", ["74.220.48.217"], ["203.0.113.1"], ["203.0.113.1", "203.0.113.2"]),
        ("secret", "", "whsec_" + "A" * 32, "secret"),
        ("commit", {"id": "a" * 40, "message": "m", "createdAt": "2025-02-21T19:49:49Z"},
         {"id": "b" * 40, "message": "n", "createdAt": "2025-01-01T00:00:00Z"}, {"id": "b" * 40, "message": "n"}),
        ("commit", {"id": "a" * 40}, {"id": "b" * 40}, {"id": "HEAD"}),
        ("owner", {"id": "tea-cspvinogph6c73ft00h0", "name": "A", "email": "email@example.com", "type": "team"},
         {"id": "some-owner-id", "name": "B", "email": "owner@example.com", "type": "team"},
         {"id": "some-owner-id", "name": "B", "email": "owner@example.com", "type": "user"}),
    ],
)  # fmt: skip
def test_the_form_of_what_cannot_be_equal_is_compared(field: str, recorded: object, right: object, wrong: object):
    for live, matches in ((right, True), (wrong, False)):
        names = Names()
        assert differences(SERVICE, LIVE, names) == []
        assert (differences({field: recorded}, {field: live}, names) == []) is matches
