"""The contract of the replaced service, over real HTTP: a test or a row for every statement of it."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from reconciler.core.status import Condition, ConditionType, Phase, Reason, Status
from tests.api.harness import ROOT, ApiServer, Starter

NOW = datetime(2026, 3, 14, tzinfo=UTC)
_names = (f"Customer {number}" for number in itertools.count(1000))


@pytest.fixture
def client(api: ApiServer):
    """A key of its own for each test: it sees only the tenants it made, so every list begins empty."""
    with api.client("signup") as made:
        yield made


def sign_up(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/tenants/", json={"name": next(_names), **body})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert isinstance(made, dict)
    return made


def status(phase: Phase, you: str = "") -> Status:
    ready = Condition(
        type=ConditionType.READY,
        status="True" if phase is Phase.READY else "False",
        reason=Reason.AVAILABLE,
        message="said so",
        since=NOW,
        observed_generation=1,
    )
    return Status(phase=phase, observed_generation=1, revision=1, conditions=(ready,), why="because", you=you)


# ---------------------------------------------------------------- health


def test_health_needs_no_key(api):
    answer = api.http.get("/api/health/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


# ---------------------------------------------------------------- list


def test_an_empty_list_is_a_page(client):
    page = client.get("/api/tenants/").json()
    assert (page["count"], page["next"], page["previous"], page["results"]) == (0, None, None, [])


def test_pages_of_ten_with_absolute_links(api, client):
    made = [sign_up(client)["id"] for _ in range(23)]
    first = client.get("/api/tenants/").json()
    assert first["count"] == 23
    assert [item["id"] for item in first["results"]] == made[:10]
    assert (first["page"], first["page_size"], first["previous"]) == (1, 10, None)
    assert first["next"] == f"{api.url}/api/tenants/?page=2"
    second = client.get(first["next"]).json()
    assert second["previous"] == f"{api.url}/api/tenants/"
    third = client.get(second["next"]).json()
    assert [item["id"] for item in third["results"]] == made[20:]
    assert third["next"] is None
    assert third["previous"] == f"{api.url}/api/tenants/?page=2"
    sized = client.get("/api/tenants/?page_size=15&page=2").json()
    assert [item["id"] for item in sized["results"]] == made[15:]
    assert parse_qs(urlsplit(sized["previous"]).query) == {"page_size": ["15"]}
    assert client.get("/api/tenants/?page=last").json()["page"] == 3
    assert client.get("/api/tenants/?page_size=1000").json()["page_size"] == 100
    assert client.get("/api/tenants/?page_size=x").json()["page_size"] == 10


@pytest.mark.parametrize("page", ["2", "0", "-1", "x", "", "1e9", "99999999999999999999"])
def test_a_page_that_is_not_there(client, page):
    answer = client.get(f"/api/tenants/?page={page}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_links_name_the_address_that_clients_use(start_api: Starter, api):
    behind = start_api(default_blueprint="crm", default_tier="starter", public_url="https://tenants.example.com")
    with behind.client("signup") as client:
        for _ in range(2):
            sign_up(client)
        page = client.get("/api/tenants/?page_size=1").json()
    assert page["next"] == "https://tenants.example.com/api/tenants/?page=2&page_size=1"


# ---------------------------------------------------------------- create


def test_a_bare_name_becomes_a_tenant(api, client):
    name = next(_names)
    answer = client.post("/api/tenants/", json={"name": f"  {name} "})
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {
        *("id", "name", "slug", "status", "render_service_ids", "custom_plugin_repo", "created_at", "updated_at"),
    }
    assert isinstance(made["id"], int)
    assert made["name"] == name
    assert made["slug"] == name.lower().replace(" ", "-")
    assert made["status"] == "PROVISIONING"
    assert made["render_service_ids"] == {}
    assert made["custom_plugin_repo"] is None
    assert datetime.fromisoformat(made["created_at"]).tzinfo is not None
    assert answer.headers["location"] == f"/api/tenants/{made['id']}/"
    row = api.run(api.registry.get_tenant(made["slug"]))
    assert (row.blueprint, row.tier) == ("crm", "starter")


def test_a_given_slug_is_kept(client):
    assert sign_up(client, slug="chosen-one")["slug"] == "chosen-one"


def test_a_plugin_can_be_given_at_once(client):
    repo = "https://github.com/acme/plugins"
    assert sign_up(client, custom_plugin_repo=repo)["custom_plugin_repo"] == repo


def test_a_form_is_read_too(client):
    name = next(_names)
    assert client.post("/api/tenants/", data={"name": name}).json()["name"] == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Customer name is required"),
        ({"name": ""}, "Customer name is required"),
        ({"name": "   "}, "Customer name is required"),
        ({"name": None}, "Customer name is required"),
        ({"name": "A"}, "Customer name must be at least 2 characters long"),
        ({"name": " A "}, "Customer name must be at least 2 characters long"),
        ({"name": 12}, "Customer name must be text"),
        ({"name": "x" * 201}, "Customer name must be at most 200 characters long"),
        ({"name": "a\nb"}, 'Customer name "a\\x0ab" holds characters that cannot be shown'),
    ],
)
def test_names_that_are_refused(client, body, message):
    answer = client.post("/api/tenants/", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": message})


@pytest.mark.parametrize(
    "slug", ["9lives", "Upper", "a", "-a", "a-", "a_b", "x" * 40, "a'; DROP TABLE tenants", 7, ["a"]]
)
def test_slugs_that_are_refused(client, slug):
    answer = client.post("/api/tenants/", json={"name": next(_names), "slug": slug})
    assert answer.status_code == 400
    assert "2 to 39 characters of a-z, 0-9 and -" in answer.json()["error"]


def test_a_name_is_taken_whatever_its_case(client):
    made = sign_up(client, name="Straße Nord")
    answer = client.post("/api/tenants/", json={"name": made["name"].upper().replace("SS", "ß")})
    assert (answer.status_code, answer.json()) == (400, {"error": "A tenant with this name already exists"})


def test_a_slug_is_taken(client):
    sign_up(client, slug="taken-one")
    answer = client.post("/api/tenants/", json={"name": next(_names), "slug": "taken-one"})
    assert (answer.status_code, answer.json()) == (400, {"error": "A tenant with this slug already exists"})


def test_made_slugs_are_made_unique(client):
    assert [sign_up(client, name=name)["slug"] for name in ("Same Co", "Same, Co.", "same-co!")] == [
        *("same-co", "same-co-2", "same-co-3"),
    ]
    assert [sign_up(client, name=name)["slug"] for name in ("東京", "大阪")] == ["t-1", "t-2"]
    assert sign_up(client, name="42nd Street")["slug"] == "t-42nd-street"


def test_slugs_stay_unique_when_many_sign_up_at_once(api):
    key = api.key("signup")

    def one(number: int) -> str:
        body = {"name": "Rush" + "!" * number}
        answer = api.http.post("/api/tenants/", json=body, headers={"X-API-Key": key}, timeout=30)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["slug"])

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(one, range(1, 17)))
    assert set(made) == {"rush", *(f"rush-{number}" for number in range(2, 17))}


def test_one_of_many_gets_a_name_that_all_ask_for(api):
    sent = {"X-API-Key": api.key("signup")}

    def one(number: int) -> httpx.Response:
        body = {"name": "Wanted Co" if number % 2 else "WANTED CO", "slug": f"wanted-{number}"}
        return api.http.post("/api/tenants/", json=body, headers=sent, timeout=30)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[400] * 7]
    refused = {answer.json()["error"] for answer in answers if answer.status_code == 400}
    assert refused == {"A tenant with this name already exists"}


@pytest.mark.parametrize(
    "repo",
    ["https://user:pw@github.com/a/b", "http://github.com/a/b", "https://x/$(id)", "file:///etc/passwd", "; rm -rf /"],
)
def test_hostile_plugin_addresses_are_refused_by_name(client, repo):
    answer = client.post("/api/tenants/", json={"name": next(_names), "custom_plugin_repo": repo})
    assert answer.status_code == 400
    assert "custom_plugin_repo" in answer.json()["error"]
    assert client.get("/api/tenants/").json()["count"] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('"x"', "must be a JSON object"),
        ('{"name": "\\u0000x"}', "NUL"),
    ],
)
def test_bodies_that_are_no_object(client, content, message):
    answer = client.post("/api/tenants/", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert message in answer.json()["error"]


def test_without_a_default_blueprint_the_setting_is_named(start_api: Starter, api):
    bare = start_api()
    with bare.client("signup") as client:
        answer = client.post("/api/tenants/", json={"name": next(_names)})
    assert answer.status_code == 400
    assert "RECONCILER_DEFAULT_BLUEPRINT" in answer.json()["error"]


# ---------------------------------------------------------------- one tenant


def test_a_tenant_is_found_by_number_and_by_slug(client):
    made = sign_up(client)
    by_number, by_slug = client.get(f"/api/tenants/{made['id']}/"), client.get(f"/api/tenants/{made['slug']}/")
    assert by_number.status_code == 200
    assert by_number.json() == by_slug.json() == made


def test_the_slash_at_the_end_may_be_left_out_of_a_get(client):
    made = sign_up(client)
    answer = client.get(f"/api/tenants/{made['id']}?x=1")
    assert (answer.status_code, answer.headers["location"]) == (301, f"/api/tenants/{made['id']}/?x=1")
    assert client.get("/api/tenants", follow_redirects=True).json()["count"] == 1


@pytest.mark.parametrize("id", ["999999999", "nobody", "0", "-1", "9" * 40, "%00", "a b", "'"])
@pytest.mark.parametrize("suffix", ["", "status/"])
def test_a_tenant_that_is_not_there(client, id, suffix):
    answer = client.get(f"/api/tenants/{id}/{suffix}")
    assert answer.status_code == (400 if id == "%00" else 404)
    assert answer.json()["error"]


def test_put_changes_name_and_plugin(client):
    made = sign_up(client)
    name, repo = next(_names), "https://github.com/acme/other"
    answer = client.put(f"/api/tenants/{made['id']}/", json={"name": name, "custom_plugin_repo": repo})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["name"], changed["custom_plugin_repo"], changed["slug"]) == (name, repo, made["slug"])
    assert client.get(f"/api/tenants/{made['id']}/").json()["name"] == name


def test_put_without_a_plugin_keeps_it_and_null_removes_it(client):
    repo = "https://github.com/acme/plugins"
    made = sign_up(client, custom_plugin_repo=repo)
    path = f"/api/tenants/{made['id']}/"
    assert client.put(path, json={"name": made["name"]}).json()["custom_plugin_repo"] == repo
    assert (
        client.put(path, json={"name": made["name"], "custom_plugin_repo": None}).json()["custom_plugin_repo"] is None
    )


def test_put_needs_a_name_and_patch_does_not(client):
    made = sign_up(client)
    path = f"/api/tenants/{made['id']}/"
    assert client.put(path, json={}).json() == {"error": "Customer name is required"}
    assert client.patch(path, json={}).json()["name"] == made["name"]
    assert client.patch(path, json={"name": "Z"}).json() == {
        "error": "Customer name must be at least 2 characters long"
    }
    name = next(_names)
    assert client.patch(path, json={"name": name}).json()["name"] == name


def test_a_tenant_may_keep_its_name_and_not_take_anothers(client):
    first, second = sign_up(client), sign_up(client)
    path = f"/api/tenants/{first['id']}/"
    assert client.patch(path, json={"name": first["name"].upper()}).status_code == 200
    answer = client.patch(path, json={"name": second["name"]})
    assert (answer.status_code, answer.json()) == (400, {"error": "A tenant with this name already exists"})


def test_what_a_plugin_says_beside_its_repository_stays(api, client):
    made = sign_up(client)
    plugins: list[Any] = [
        {"repo": "https://github.com/a/one", "ref": "v1", "path": "src"},
        {"repo": "https://github.com/a/two"},
    ]
    details = {"plugins": plugins, "env": {"worker": {"A": "1"}}}
    api.run(api.registry.put_tenant({"name": made["slug"], "details": details}, ROOT))
    path = f"/api/tenants/{made['id']}/"
    client.patch(path, json={"name": next(_names)})
    assert api.run(api.registry.get_tenant(made["slug"])).details == details
    client.patch(path, json={"custom_plugin_repo": "https://github.com/a/new"})
    kept = api.run(api.registry.get_tenant(made["slug"])).details
    assert kept["plugins"] == [{"repo": "https://github.com/a/new", "path": "src"}, plugins[1]]
    assert kept["env"] == details["env"]


def test_the_slug_cannot_be_changed(client):
    made = sign_up(client)
    answer = client.patch(f"/api/tenants/{made['id']}/", json={"slug": "another"})
    assert (answer.status_code, answer.json()) == (400, {"error": "The slug of a tenant cannot be changed"})
    assert client.patch(f"/api/tenants/{made['id']}/", json={"slug": made["slug"]}).status_code == 200


def test_delete_is_accepted_and_can_be_repeated(client):
    made = sign_up(client)
    for _ in range(2):
        answer = client.delete(f"/api/tenants/{made['id']}/")
        assert answer.status_code == 202
        assert answer.json() == {"message": "Tenant deletion initiated", "tenant_id": made["id"]}
    assert client.get(f"/api/tenants/{made['id']}/").json()["status"] == "SUSPENDED"


def test_a_purged_tenant_is_gone_and_its_slug_stays_taken(api, client):
    made = sign_up(client, name="Tombstone Co")
    client.delete(f"/api/tenants/{made['id']}/")
    api.sql("UPDATE reconciler.tenants SET purged_at = now() WHERE number = %s", made["id"])
    answer = client.get(f"/api/tenants/{made['id']}/")
    assert (answer.status_code, answer.json()) == (404, {"error": "Tenant not found", "detail": "Not found."})
    assert client.get("/api/tenants/").json()["count"] == 0
    assert sign_up(client, name="Tombstone Co")["slug"] == "tombstone-co-2"


# ---------------------------------------------------------------- status


@pytest.mark.parametrize(
    ("phase", "you", "word"),
    [
        (Phase.PENDING, "", "PROVISIONING"),
        (Phase.PROVISIONING, "", "PROVISIONING"),
        (Phase.UPDATING, "", "PROVISIONING"),
        (Phase.READY, "", "ACTIVE"),
        (Phase.DEGRADED, "", "PROVISIONING"),
        (Phase.DEGRADED, "nothing to do", "PROVISIONING"),
        (Phase.DEGRADED, "look at the deploy", "ERROR"),
        (Phase.BLOCKED, "set the secret", "ERROR"),
        (Phase.INVALID, "", "ERROR"),
        (Phase.SUSPENDING, "", "SUSPENDED"),
        (Phase.SUSPENDED, "", "SUSPENDED"),
        (Phase.DELETING, "", "SUSPENDED"),
        (Phase.DELETED, "", "SUSPENDED"),
    ],
)
def test_every_phase_has_one_of_four_words(api, client, phase, you, word):
    made = sign_up(client)
    api.set_status(made["slug"], status(phase, you))
    answer = client.get(f"/api/tenants/{made['id']}/status/").json()
    assert (answer["id"], answer["status"], answer["phase"]) == (made["id"], word, phase.value)
    assert client.get(f"/api/tenants/{made['id']}/").json()["status"] == word


def test_the_finer_truth_stands_beside(api, client):
    made = sign_up(client)
    api.set_status(made["slug"], status(Phase.BLOCKED, "set the secret"))
    answer = client.get(f"/api/tenants/{made['slug']}/status/").json()
    assert (answer["why"], answer["you"]) == ("because", "set the secret")
    (condition,) = answer["conditions"]
    assert (condition["type"], condition["status"], condition["message"]) == ("Ready", "False", "said so")


def test_a_status_of_an_older_generation_is_not_believed(api, client):
    made = sign_up(client)
    api.set_status(made["slug"], status(Phase.READY))
    assert client.get(f"/api/tenants/{made['id']}/status/").json()["status"] == "ACTIVE"
    client.patch(f"/api/tenants/{made['id']}/", json={"name": next(_names)})
    assert client.get(f"/api/tenants/{made['id']}/status/").json()["status"] == "PROVISIONING"


@pytest.mark.parametrize("state", ["suspended", "deleted"])
def test_a_tenant_that_shall_not_run_is_suspended_whatever_is_missing(api, client, state):
    made = sign_up(client)
    api.run(api.registry.set_state(made["slug"], state, ROOT))
    api.set_status(made["slug"], status(Phase.BLOCKED, "set the secret"))
    assert client.get(f"/api/tenants/{made['id']}/status/").json()["status"] == "SUSPENDED"


# ---------------------------------------------------------------- whose


def test_a_key_of_scope_signup_has_its_own_tenants_only(api, client):
    made = sign_up(client)
    with api.client("signup") as other, api.client("read") as reader, api.client("operator") as operator:
        path = f"/api/tenants/{made['id']}/"
        assert other.get(path).status_code == 404
        assert other.patch(path, json={"name": "Mine now"}).status_code == 404
        assert other.delete(path).status_code == 404
        assert other.get("/api/tenants/").json()["count"] == 0
        assert reader.get(path).status_code == 200
        assert reader.delete(path).status_code == 403
        assert operator.patch(path, json={"name": next(_names)}).status_code == 200


@pytest.mark.parametrize(
    "header", [{"Authorization": "Bearer KEY"}, {"Authorization": "bearer  KEY"}, {"X-API-Key": "KEY"}]
)
def test_a_key_is_sent_in_either_header(api, header):
    key = api.key("read")
    sent = {name: value.replace("KEY", key) for name, value in header.items()}
    assert api.http.get("/api/tenants/", headers=sent).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic abc"},
        {"X-API-Key": ""},
        {"X-API-Key": "x" * 600},
    ],
)
def test_no_key_or_an_unknown_one_is_401(api, header):
    answer = api.http.get("/api/tenants/", headers=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "key" in answer.json()["error"]


def test_changes_stand_in_the_audit_log_under_the_keys_name(api):
    with api.client("signup", name="shop") as client:
        made = sign_up(client)
        client.delete(f"/api/tenants/{made['id']}/")
    rows = api.run(api.registry.audit(10, made["slug"]))
    assert {(row.actor, row.via) for row in rows} == {("shop", "http")}
    assert len(rows) >= 2
