"""/v1/tenants over real HTTP."""

import json
from typing import Any

import httpx
import pytest
import yaml

from reconciler.core.status import Phase, Status
from reconciler.doors import Taken, TenantRow
from tests.api.harness import ApiServer

KIND = {"apiVersion": "reconciler/v1", "kind": "Tenant"}


def document(name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {**KIND, "metadata": metadata, "spec": {"blueprint": "crm", "tier": "starter", **spec}}


@pytest.fixture(scope="module")
def operator(api: ApiServer):
    with api.client("operator") as made:
        yield made


@pytest.fixture
def signup(api: ApiServer):
    with api.client("signup") as made:
        yield made


def row(api: ApiServer, name: str) -> TenantRow:
    return api.run(api.registry.get_tenant(name))


def put(client: httpx.Client, name: str, spec: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.put(f"/v1/tenants/{name}", json=document(name, **(spec or {})), headers=sent)


# ---------------------------------------------------------------- documents


def test_a_document_creates_a_tenant(api, operator):
    sent = document(
        "v1-made", {"segment": "smb"}, displayName="Made, Inc.", params={"locale": "de"}, externalId="sub_1"
    )
    answer = operator.put("/v1/tenants/v1-made", json=sent)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/v1/tenants/v1-made"
    assert answer.headers["etag"] == '"1"'
    body = answer.json()
    assert (body["outcome"], body["metadata"]["generation"], body["status"]["phase"]) == ("created", 1, "Pending")
    assert body["spec"]["params"] == {"locale": "de"}
    made = row(api, "v1-made")
    assert (made.display_name, made.external_id, dict(made.labels)) == ("Made, Inc.", "sub_1", {"segment": "smb"})


@pytest.mark.parametrize("media_type", ["application/yaml", "text/yaml", "application/x-yaml; charset=utf-8"])
def test_yaml_is_read_as_it_stands_in_the_file(operator, media_type):
    name = f"v1-yaml-{len(media_type)}"
    text = f"# comment\n{yaml.safe_dump(document(name))}"
    answer = operator.put(f"/v1/tenants/{name}", content=text, headers={"Content-Type": media_type})
    assert answer.status_code == 201, answer.text


def test_what_a_get_answers_can_be_sent_back(operator):
    put(operator, "v1-round", {"env": {"worker": {"A": "1"}}, "priority": 70})
    got = operator.get("/v1/tenants/v1-round")
    again = operator.put("/v1/tenants/v1-round", json=got.json())
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    as_yaml = yaml.safe_dump(got.json())
    again = operator.put("/v1/tenants/v1-round", content=as_yaml, headers={"Content-Type": "application/yaml"})
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged"), again.text
    assert again.headers["etag"] == got.headers["etag"]


def test_a_change_counts_the_generation(operator):
    put(operator, "v1-count")
    answer = put(operator, "v1-count", {"tier": "pro"})
    assert (answer.status_code, answer.json()["outcome"], answer.headers["etag"]) == (200, "changed", '"2"')


def test_what_a_document_does_not_say_of_state_stays(operator):
    put(operator, "v1-keeps", {"state": "suspended"})
    assert put(operator, "v1-keeps").json()["spec"]["state"] == "suspended"


def test_a_tenant_is_found_by_number_too(operator):
    number = put(operator, "v1-number").json()["metadata"]["number"]
    assert operator.get(f"/v1/tenants/{number}").json()["metadata"]["name"] == "v1-number"


BAD = [
    ("tier", {"tier": "gold"}, "spec.tier", "starter"),
    ("blueprint", {"blueprint": "crn"}, "spec.blueprint", "crm"),
    ("field", {"teir": "pro"}, "spec.teir", "tier"),
    ("param", {"params": {"colour": "red"}}, "spec.params.colour", ""),
    ("param type", {"params": {"seats": "many"}}, "spec.params.seats", ""),
    ("param enum", {"params": {"locale": "xx"}}, "spec.params.locale", "en, de"),
    ("state", {"state": "paused"}, "spec.state", "running"),
    ("component", {"env": {"backnd": {"A": "1"}}}, "spec.env.backnd", "backend"),
    ("plugin", {"plugins": [{"repo": "https://x/$(id)"}]}, "spec.plugins[0].repo", ""),
    ("priority", {"priority": 1000}, "spec.priority", ""),
]


@pytest.mark.parametrize(("spec", "path", "remedy"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_wrong_field_is_named_with_value_and_remedy_and_nothing_changes(api, operator, spec, path, remedy):
    put(operator, "v1-bad")
    before = row(api, "v1-bad")
    answer = put(operator, "v1-bad", spec)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["title"], body["status"]) == ("Unprocessable Entity", 422)
    problem = next(problem for problem in body["problems"] if problem["path"] == path)
    assert remedy in problem["remedy"] + problem["message"]
    assert path in body["detail"]
    assert row(api, "v1-bad") == before


def test_a_problem_in_yaml_has_its_line(operator):
    text = yaml.safe_dump(document("v1-line", tier="gold"), sort_keys=False)
    answer = operator.put("/v1/tenants/v1-line", content=text, headers={"Content-Type": "application/yaml"})
    expected = next(number for number, line in enumerate(text.splitlines(), 1) if "tier:" in line)
    assert answer.json()["problems"][0]["line"] == expected


@pytest.mark.parametrize(
    ("content", "media_type", "status", "word"),
    [
        ("a: [", "application/yaml", 422, "YAML"),
        ("", "application/yaml", 422, "0 documents"),
        (
            "---\n".join(yaml.safe_dump(document(name)) for name in ("v1-x", "v1-y")),
            "application/yaml",
            422,
            "2 documents",
        ),
        (yaml.safe_dump({**document("v1-x"), "kind": "Deployment"}), "application/yaml", 422, "kind"),
        (json.dumps(document("other")), "application/json", 422, "v1-x"),
        (json.dumps([1]), "application/json", 422, "mapping"),
        ("{", "application/json", 400, "JSON"),
        ("name=x", "application/x-www-form-urlencoded", 415, "application/yaml"),
        ("x", "", 415, "application/yaml"),
    ],
    ids=["syntax", "empty", "two", "kind", "name", "list", "json", "form", "nothing"],
)
def test_bodies_that_are_no_document(operator, content, media_type, status, word):
    headers = {"Content-Type": media_type} if media_type else {}
    answer = operator.put("/v1/tenants/v1-x", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert word in answer.json()["detail"]
    assert operator.get("/v1/tenants/v1-x").status_code == 404


def test_an_alias_bomb_and_a_huge_document_are_refused(api, operator):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for new, old in zip("bcdefghij", "abcdefghi", strict=True):
        bomb += f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    answer = operator.put("/v1/tenants/v1-x", content=bomb, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 422
    huge = operator.put("/v1/tenants/v1-x", content=b"x" * 2**21, headers={"Content-Type": "application/yaml"})
    assert huge.status_code == 413
    assert "1048576 bytes" in huge.json()["detail"]

    def chunks():
        for _ in range(40):
            yield b"x" * 2**15

    streamed = operator.put("/v1/tenants/v1-x", content=chunks(), headers={"Content-Type": "application/yaml"})
    assert streamed.status_code == 413
    assert operator.get("/v1/tenants/v1-x").status_code == 404


def test_a_refused_document_of_an_operator_is_remembered_until_a_good_one_comes(operator):
    put(operator, "v1-refused", {"tier": "gold"})
    (shown,) = [
        item for item in operator.get("/v1/rejections").json()["items"] if item["metadata"]["name"] == "v1-refused"
    ]
    assert shown["kind"] == "Tenant"
    assert "gold" in shown["status"]["why"]
    assert put(operator, "v1-refused").status_code == 201
    assert "v1-refused" not in operator.get("/v1/rejections").text


# ---------------------------------------------------------------- preconditions


def test_if_match_guards_against_the_lost_update(operator):
    etag = put(operator, "v1-etag").headers["etag"]
    assert put(operator, "v1-etag", {"tier": "pro"}, If_Match=etag).status_code == 200
    late = put(operator, "v1-etag", {"tier": "starter"}, If_Match=etag)
    assert late.status_code == 412
    assert "generation 2" in late.json()["detail"]
    assert (
        operator.patch(
            "/v1/tenants/v1-etag", json={"spec": {"tier": "starter"}}, headers={"If-Match": etag}
        ).status_code
        == 412
    )
    assert (
        operator.post("/v1/tenants/v1-etag/state", json={"state": "suspended"}, headers={"If-Match": etag}).status_code
        == 412
    )
    changed = operator.post("/v1/tenants/v1-etag/state", json={"state": "suspended"}, headers={"If-Match": '"2"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"3"')


def test_other_preconditions(operator):
    assert put(operator, "v1-absent", None, If_Match='"1"').status_code == 412
    assert put(operator, "v1-absent", None, If_Match="*").status_code == 412
    assert put(operator, "v1-absent", None, If_None_Match="*").status_code == 201
    assert put(operator, "v1-absent", None, If_None_Match="*").status_code == 412
    assert put(operator, "v1-absent", None, If_Match="*").status_code == 200
    assert put(operator, "v1-absent", None, If_Match="one").status_code == 400


# ---------------------------------------------------------------- patch and state


def test_a_patch_changes_what_it_names(operator):
    put(operator, "v1-patch", {"env": {"worker": {"A": "1", "B": "2"}}, "params": {"locale": "de"}})
    change = {"metadata": {"labels": {"vip": "yes"}}, "spec": {"tier": "pro", "env": {"worker": {"A": None, "C": "3"}}}}
    answer = operator.patch("/v1/tenants/v1-patch", json=change)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["spec"]["env"] == {"worker": {"B": "2", "C": "3"}}
    assert (body["spec"]["tier"], body["spec"]["params"]) == ("pro", {"locale": "de"})
    assert body["metadata"]["labels"] == {"vip": "yes"}


def test_null_in_a_patch_takes_back(operator):
    put(operator, "v1-null", {"displayName": "Null", "priority": 90, "region": "frankfurt", "env": {"*": {"A": "1"}}})
    change = {"spec": {"displayName": None, "priority": None, "region": None, "env": None}}
    answer = operator.patch(
        "/v1/tenants/v1-null", json=change, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert answer.status_code == 200, answer.text
    spec = answer.json()["spec"]
    assert not {"displayName", "region", "env"} & set(spec)
    assert spec["priority"] == 50


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ([], "body"),
        ({"spec": {"tier": "gold"}}, "spec.tier"),
        ({"spec": {"oops": 1}}, "spec.oops"),
        ({"metadata": {"name": "other"}}, "metadata.name"),
        ({"spec": {"blueprint": None}}, "spec.blueprint"),
        ({"spec": None}, "spec"),
    ],
)
def test_a_wrong_patch_is_refused_by_path(operator, change, path):
    put(operator, "v1-wrong")
    answer = operator.patch("/v1/tenants/v1-wrong", json=change)
    assert answer.status_code == 422, answer.text
    assert answer.json()["problems"][0]["path"] == path


def lose_once(api: ApiServer, monkeypatch, times: int) -> list[int]:
    """Let somebody else be quicker, so many times."""
    honest, lost = api.registry.put_tenant, []

    async def racing(columns, actor, **options):
        if len(lost) < times:
            lost.append(1)
            raise Taken("somebody was quicker", field="generation")
        return await honest(columns, actor, **options)

    monkeypatch.setattr(api.registry, "put_tenant", racing)
    return lost


def test_a_patch_goes_on_top_of_what_others_wrote_meanwhile(api, operator, monkeypatch):
    put(operator, "v1-race")
    lost = lose_once(api, monkeypatch, 2)
    answer = operator.patch("/v1/tenants/v1-race", json={"spec": {"tier": "pro"}})
    assert (answer.status_code, answer.json()["spec"]["tier"], len(lost)) == (200, "pro", 2)


def test_a_patch_gives_up_when_others_never_stop(api, operator, monkeypatch):
    put(operator, "v1-races")
    lose_once(api, monkeypatch, 9)
    answer = operator.patch("/v1/tenants/v1-races", json={"spec": {"tier": "pro"}})
    assert answer.status_code == 409
    assert "send the patch again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"spec": {"tier": "pro"}}),
        ("PUT", "", document("v1-lost", tier="pro")),
        ("POST", "/state", {"state": "suspended"}),
    ],
)
def test_a_race_lost_between_look_and_write_is_412_for_those_who_named_a_generation(
    api, operator, monkeypatch, method, path, body
):
    etag = operator.put("/v1/tenants/v1-lost", json=document("v1-lost")).headers["etag"]
    lose_once(api, monkeypatch, 1)
    answer = operator.request(method, f"/v1/tenants/v1-lost{path}", json=body, headers={"If-Match": etag})
    assert answer.status_code == 412


def test_states(api, operator):
    put(operator, "v1-state")
    for state in ("suspended", "running", "deleted", "running"):
        answer = operator.post("/v1/tenants/v1-state/state", json={"state": state})
        assert (answer.status_code, answer.json()["spec"]["state"]) == (200, state)
    gone = operator.post("/v1/tenants/v1-state/state", json={"state": "deleted", "purgeMode": "now"}).json()
    assert gone["metadata"]["purgeAt"] is not None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "paused"},
        {"state": "running", "extra": 1},
        {"state": "deleted", "purgeMode": "later"},
        [],
        "x",
        None,
    ],
)
def test_other_states_are_refused(operator, body):
    put(operator, "v1-states")
    answer = operator.post("/v1/tenants/v1-states/state", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"]


# ---------------------------------------------------------------- list


def test_tenants_are_listed_by_labels_names_and_pages(api, operator, signup):
    for name, label in (("v1-l1", "a"), ("v1-l2", "b"), ("v1-l3", "a")):
        operator.put(f"/v1/tenants/{name}", json=document(name, {"group": label, "all": "l"}))

    def listed(query: str) -> list[str]:
        return [item["metadata"]["name"] for item in operator.get(f"/v1/tenants?{query}").json()["items"]]

    assert listed("label=group=a") == ["v1-l1", "v1-l3"]
    assert listed("label=group=a&label=all=x") == []
    assert listed("name=v1-l3&name=v1-l2") == ["v1-l2", "v1-l3"]
    assert listed("label=all=l&limit=1&offset=1") == ["v1-l2"]
    assert operator.get("/v1/tenants?label=all=l&limit=1").json()["count"] == 3
    for query in ("limit=0", "limit=1001", "offset=-1", "label=x", "limit=x"):
        assert operator.get(f"/v1/tenants?{query}").status_code == 422, query


def test_the_status_of_an_older_generation_is_shown_as_such(api, operator):
    put(operator, "v1-fresh")
    ready = Status(
        phase=Phase.READY, observed_generation=1, revision=1, conditions=(), why="answers 200", up=2, total=2
    )
    api.set_status("v1-fresh", ready)
    shown = operator.get("/v1/tenants/v1-fresh").json()["status"]
    assert (shown["phase"], shown["fresh"], shown["why"]) == ("Ready", True, "answers 200")
    put(operator, "v1-fresh", {"tier": "pro"})
    shown = operator.get("/v1/tenants/v1-fresh").json()["status"]
    assert (shown["phase"], shown["fresh"], shown["reportedPhase"]) == ("Pending", False, "Ready")


# ---------------------------------------------------------------- signup


def test_signup_may_say_what_a_signup_may_say(signup):
    assert put(signup, "v1-su", {"params": {"locale": "de"}, "displayName": "Su"}).status_code == 201
    assert put(signup, "v1-su", {"tier": "pro"}).status_code == 200
    assert signup.patch("/v1/tenants/v1-su", json={"spec": {"params": {"locale": "en"}}}).status_code == 200
    assert signup.post("/v1/tenants/v1-su/state", json={"state": "suspended"}).status_code == 200
    assert signup.get("/v1/tenants/v1-su").json()["spec"]["state"] == "suspended"
    assert signup.get("/v1/tenants").json()["count"] == 1


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"region": "frankfurt"}, "spec.region"),
        ({"priority": 99}, "spec.priority"),
        ({"env": {"worker": {"A": "1"}}}, "spec.env"),
        ({"overrides": {"backend": {"plan": "pro"}}}, "spec.overrides"),
    ],
)
def test_signup_may_not_say_the_rest(signup, spec, field):
    created = put(signup, "v1-no", spec)
    assert created.status_code == 403
    assert field in created.json()["detail"]
    assert signup.get("/v1/tenants/v1-no").status_code == 404


def test_signup_keeps_what_operators_said_of_its_tenant(api, signup, operator):
    put(signup, "v1-mixed")
    operator.patch("/v1/tenants/v1-mixed", json={"spec": {"priority": 80, "env": {"worker": {"A": "1"}}}})
    assert signup.patch("/v1/tenants/v1-mixed", json={"spec": {"tier": "pro"}}).status_code == 200
    assert signup.patch("/v1/tenants/v1-mixed", json={"spec": {"priority": 1}}).status_code == 403
    kept = row(api, "v1-mixed")
    assert (kept.priority, kept.details) == (80, {"env": {"worker": {"A": "1"}}})


def test_signup_has_nothing_to_do_with_others(api, signup, operator):
    put(operator, "v1-others")
    assert signup.get("/v1/tenants/v1-others").status_code == 404
    assert signup.patch("/v1/tenants/v1-others", json={"spec": {"tier": "pro"}}).status_code == 404
    assert signup.post("/v1/tenants/v1-others/state", json={"state": "deleted"}).status_code == 404
    taken = put(signup, "v1-others")
    assert taken.status_code == 409
    assert taken.json()["problems"][0]["path"] == "name"
    assert signup.get("/v1/tenants/v1-others/events").status_code == 404


@pytest.mark.parametrize("mode", ["now", "orphan"])
def test_signup_may_not_skip_the_wait(signup, mode):
    put(signup, f"v1-wait-{mode}")
    answer = signup.post(f"/v1/tenants/v1-wait-{mode}/state", json={"state": "deleted", "purgeMode": mode})
    assert answer.status_code == 403


# ---------------------------------------------------------------- plan


def test_plans_are_asked_with_what_would_change(operator):
    put(operator, "v1-plan")
    assert operator.get("/v1/tenants/v1-plan/plan").json() == {"tenant": "v1-plan", "columns": None}
    text = operator.get("/v1/tenants/v1-plan/plan", headers={"Accept": "text/plain"})
    assert (text.headers["content-type"], text.text) == ("text/plain; charset=utf-8", "v1-plan  no change\n")
    changed = operator.post("/v1/tenants/v1-plan/plan", json={"spec": {"tier": "pro"}}).json()["columns"]
    assert (changed["tier"], changed["blueprint"]) == ("pro", "crm")
    assert operator.get("/v1/tenants/v1-plan").json()["metadata"]["generation"] == 1
    assert operator.post("/v1/tenants/v1-plan/plan", json={"spec": {"tier": "gold"}}).status_code == 422


def test_a_new_tenant_is_planned_from_its_document(operator):
    answer = operator.post("/v1/tenants/v1-new/plan", json=document("v1-new"))
    assert answer.json()["columns"]["name"] == "v1-new"
    assert operator.get("/v1/tenants/v1-new").status_code == 404
    assert operator.post("/v1/tenants/v1-new/plan", json={"spec": {"tier": "pro"}}).status_code == 404
