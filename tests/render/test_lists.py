"""Lists are read to their end, or not at all: what a list lacks may be held to be absent."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from reconciler.core.errors import Denied, Refused, Unavailable
from reconciler.core.kinds import Kind

OWNER = "tea-cjnxpkdhshc73d12t9i0"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def query_of(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


def paged(http_answer, key, objects):
    """A list of {key: object, cursor}; the cursor is the index."""

    def handle(request):
        asked = query_of(request)
        begin = int(asked.get("cursor", -1)) + 1
        page = list(enumerate(objects))[begin : begin + int(asked["limit"])]
        return http_answer(200, json.dumps([{key: item, "cursor": str(at)} for at, item in page]))

    return handle


def services(count, **more):
    return [
        {"id": f"srv-{at:03}", "type": "web_service", "name": f"web-{at}", "ownerId": OWNER, **more}
        for at in range(count)
    ]


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (99, 1), (100, 2), (250, 3)])
async def test_all_pages_are_read(scripted, make_client, http_answer, count, requests):
    scripted.handler = paged(http_answer, "service", services(count))
    async with make_client(scripted.url) as client:
        found = await client.sweep(Kind.CRON)
    assert [item.id for item in found] == [item["id"] for item in services(count)]
    assert len(scripted.requests) == requests
    assert query_of(scripted.requests[0]) == {"ownerId": OWNER, "limit": "100", "includePreviews": "false"}


async def test_doubles_strangers_and_unknown_types_are_left_out(scripted, make_client, http_answer):
    mine = services(2)
    odd = [services(1, ownerId="tea-other")[0] | {"id": "srv-a"}, services(1)[0] | {"id": "srv-b", "type": "workflow"}]
    scripted.handler = paged(http_answer, "service", [*mine, *odd, *mine])
    async with make_client(scripted.url) as client:
        assert [item.id for item in await client.sweep(Kind.WEB)] == ["srv-000", "srv-001"]


@pytest.mark.parametrize("body", ["null", '{"data": []}', '[{"service": null}]'])
async def test_what_is_no_list_is_no_empty_list(scripted, make_client, http_answer, body):
    scripted.answers = [http_answer(200, body)]
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable):
            await client.sweep(Kind.WEB)


async def test_a_cursor_that_is_refused_is_a_broken_list_and_a_refused_list_a_refusal(
    scripted, make_client, http_answer
):
    page = [{"service": item, "cursor": "x"} for item in services(100)]
    scripted.answers = [http_answer(200, json.dumps(page)), http_answer(400, '{"message": "invalid cursor"}')]
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable, match="between two pages: invalid cursor"):
            await client.sweep(Kind.WEB)
        with pytest.raises(Refused, match="invalid cursor"):
            await client.sweep(Kind.WEB)


@pytest.mark.parametrize("cursors", ["same", "none"])
async def test_a_list_whose_pages_do_not_move_on_is_no_list(scripted, make_client, http_answer, cursors):
    page = [{"service": item} | ({"cursor": "x"} if cursors == "same" else {}) for item in services(100)]
    scripted.answers = [http_answer(200, json.dumps(page))]
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable, match="do not move on"):
            await client.sweep(Kind.WEB)


async def test_one_unreadable_item_fails_the_list_and_says_which(scripted, make_client, http_answer):
    items = [*services(1), {"name": "no id", "serviceDetails": {"plan": ["secret"]}}]
    scripted.answers = [http_answer(200, json.dumps([{"service": item, "cursor": "c"} for item in items]))]
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable, match=r"\[1\].id: missing; \[1\].serviceDetails.plan: string_type") as caught:
            await client.sweep(Kind.WEB)
    assert "secret" not in caught.value.message


def groups(count, same_time=0):
    """Groups a second apart, except that the first `same_time` ones share an instant."""
    return [
        {
            "id": f"evg-{at:03}",
            "name": f"group-{at}",
            "ownerId": OWNER,
            "createdAt": (BEGIN + timedelta(seconds=max(at, same_time))).isoformat().replace("+00:00", "Z"),
        }
        for at in range(count)
    ]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(("count", "same_time"), [(0, 0), (100, 0), (101, 0), (230, 60), (230, 120)])
async def test_env_groups_are_paged_by_time(scripted, make_client, http_answer, newest_first, count, same_time):
    everything = groups(count, same_time=same_time if same_time < 100 else 60)

    def handle(request):
        asked = query_of(request)
        before, after = asked.get("createdBefore", "9"), asked.get("createdAfter", "")
        found = [
            item
            for item in everything
            if stamp(after) < stamp(item["createdAt"]) < stamp(before)
        ]  # fmt: skip
        found = found[::-1] if newest_first else found
        return http_answer(200, json.dumps(found[: int(asked["limit"])]))

    def stamp(text):
        return {"": BEGIN - timedelta(1), "9": BEGIN + timedelta(9)}.get(text) or datetime.fromisoformat(text)

    scripted.handler = handle
    async with make_client(scripted.url) as client:
        found = await client.sweep(Kind.ENV_GROUP)
    assert sorted(item.id for item in found) == [item["id"] for item in everything]


async def test_more_env_groups_of_one_instant_than_a_page_holds_are_no_list(scripted, make_client, http_answer):
    scripted.answers = [http_answer(200, json.dumps(groups(100, same_time=200)))]
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable, match="do not move on"):
            await client.sweep(Kind.ENV_GROUP)


async def test_environments_are_asked_for_by_project_in_batches(scripted, make_client, http_answer):
    projects = [{"id": f"prj-{at:03}", "name": "p", "owner": {"id": OWNER}} for at in range(120)]

    def handle(request):
        asked = query_of(request)
        if request.path.startswith("/projects"):
            return paged(http_answer, "project", projects)(request)
        ids = asked["projectId"].split(",")
        assert len(ids) <= 99
        environments = [{"id": f"evm{id[3:]}", "name": "production", "projectId": id} for id in ids]
        return paged(http_answer, "environment", environments)(request)

    scripted.handler = handle
    async with make_client(scripted.url) as client:
        found = await client.sweep(Kind.ENVIRONMENT)
        assert [item.id for item in found] == [f"evm-{at:03}" for at in range(120)]
        scripted.requests.clear()
        assert len(await client.find(Kind.ENVIRONMENT, "production")) == 120
        assert await client.find(Kind.ENVIRONMENT, "staging") == []


async def test_find_is_exact_whatever_the_filter_does(scripted, make_client, http_answer):
    items = [item | {"name": name} for item, name in zip(services(3), ("web", "web-2", "a,b"), strict=True)]
    scripted.handler = paged(http_answer, "service", items)
    async with make_client(scripted.url) as client:
        assert [item.id for item in await client.find(Kind.WEB, "web")] == ["srv-000"]
        assert query_of(scripted.requests[-1])["name"] == "web"
        assert [item.id for item in await client.find(Kind.WEB, "a,b")] == ["srv-002"]
        assert "name" not in query_of(scripted.requests[-1]), "a comma would be read as two names"
        assert await client.find(Kind.WEB, "") == []


async def test_replicas_are_no_databases_of_their_own(scripted, make_client, http_answer):
    items = [{"id": "dpg-1-a", "role": "primary", "parameterOverrides": None}, {"id": "dpg-1-b", "role": "replica"}]
    scripted.handler = paged(http_answer, "postgres", items)
    async with make_client(scripted.url) as client:
        [found] = await client.sweep(Kind.POSTGRES)
    assert found.id == "dpg-1-a"
    assert "parameterOverrides" not in found.fields, "a list does not show them: absent is not empty"
    assert query_of(scripted.requests[0])["includeReplicas"] == "false"


@pytest.mark.parametrize(
    ("configured", "seen", "workspace"),
    [("tea-1", ["tea-1"], "tea-1"), ("tea-2", ["tea-1", "tea-2"], "tea-2"), ("", ["tea-1"], "tea-1")],
)
async def test_check_answers_the_workspace(scripted, make_client, http_answer, configured, seen, workspace):
    scripted.handler = paged(http_answer, "owner", [{"id": id, "name": "W"} for id in seen])
    async with make_client(scripted.url, owner_id=configured) as client:
        assert await client.check() == workspace
        assert client.owner_id == workspace


@pytest.mark.parametrize(
    ("configured", "seen", "words"),
    [
        ("tea-9", ["tea-1"], 'does not see workspace "tea-9"; it sees: tea-1'),
        ("", ["tea-1", "tea-2"], "sees several workspaces"),
        ("tea-9", [], "it sees: none"),
    ],
)
async def test_check_refuses_a_key_for_another_workspace(scripted, make_client, http_answer, configured, seen, words):
    scripted.handler = paged(http_answer, "owner", [{"id": id, "name": "W\x1b"} for id in seen])
    async with make_client(scripted.url, owner_id=configured) as client:
        with pytest.raises(Denied, match="RENDER_OWNER_ID") as caught:
            await client.check()
    assert words in caught.value.message
    assert "\x1b" not in caught.value.message


async def test_nothing_is_listed_before_the_workspace_is_known(scripted, make_client):
    async with make_client(scripted.url, owner_id="") as client:
        with pytest.raises(Unavailable, match="check"):
            await client.sweep(Kind.WEB)
    assert scripted.requests == []


async def test_a_service_of_an_unknown_type_is_refused_by_name(scripted, make_client, http_answer):
    scripted.answers = [http_answer(200, '{"id": "srv-1", "type": "workflow"}')]
    async with make_client(scripted.url) as client:
        with pytest.raises(Refused, match='type "workflow"'):
            await client.get(Kind.WEB, "srv-1")
