"""Every status and every silence becomes the error that says what to do, for reads and for writes."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import (
    Conflict,
    Denied,
    Gone,
    Invalid,
    Refused,
    RenderError,
    Throttled,
    Unavailable,
    Unknown,
)
from reconciler.core.kinds import Kind
from reconciler.core.values import Sensitive
from reconciler.ports import Plaintext
from reconciler.render.calls import Hooks, Settings, path, template
from reconciler.render.client import RenderClient

SCALE = Action(
    verb=Verb.SCALE, component="web", kind=Kind.WEB, name="web-acme", id="srv-1", payload={"numInstances": 2}
)
DELETE = Action(verb=Verb.DELETE, component="web", kind=Kind.WEB, name="web-acme", id="srv-1")
NOTHING = Plaintext()
SERVICE = '{"id": "srv-1", "type": "web_service", "name": "web-acme"}'


async def outcome_of(client, *, write):
    with pytest.raises(RenderError) as caught:
        if write:
            await client.send(SCALE, NOTHING)
        else:
            await client.get(Kind.WEB, "srv-1")
    return caught.value


@pytest.mark.parametrize(
    ("status", "on_write", "on_read"),
    [
        (400, Refused, Refused),
        (401, Denied, Denied),
        (402, Denied, Denied),
        (403, Denied, Denied),
        (404, Gone, Gone),
        (405, Refused, Refused),
        (406, Refused, Refused),
        (408, Unknown, Unavailable),
        (409, Conflict, Conflict),
        (410, Gone, Gone),
        (413, Refused, Refused),
        (422, Refused, Refused),
        (429, Throttled, Throttled),
        (500, Unknown, Unavailable),
        (502, Unknown, Unavailable),
        (503, Unknown, Unavailable),
        (504, Unknown, Unavailable),
        (302, Unknown, Unavailable),
    ],
)
async def test_status(scripted, make_client, http_answer, status, on_write, on_read):
    told = "Render-Request-Id: req-1\r\nLocation: http://127.0.0.1:1/"
    scripted.answers = [http_answer(status, '{"message": "no\\u001b[31m luck"}', told)]
    async with make_client(scripted.url) as client:
        for write, expected in ((True, on_write), (False, on_read)):
            error = await outcome_of(client, write=write)
            assert type(error) is expected
            assert error.status == status
            if status >= 400:
                assert error.message == "no\\x1b[31m luck"
            if status != 429:
                assert error.request_id == "req-1"


async def test_throttled_knows_its_bucket_and_the_end_of_its_window(scripted, make_client, http_answer):
    told = "Date: Tue, 09 Jun 2026 16:25:40 GMT\r\nRatelimit-Limit: 10\r\nRatelimit-Remaining: 0\r\nRatelimit-Reset: 19"
    scripted.answers = [http_answer(429, '{"message": "slow down"}', told)]
    async with make_client(scripted.url) as client:
        error = await outcome_of(client, write=True)
        read = await outcome_of(client, write=False)
    assert isinstance(error, Throttled)
    assert error.until == datetime(2026, 6, 9, 16, 26, tzinfo=UTC)
    assert error.bucket == "service"
    assert isinstance(read, Throttled)
    assert read.bucket == "read"
    assert len(scripted.requests) == 2, "a 429 is never repeated"


@pytest.mark.parametrize(
    "body", ["<html>bad gateway</html>", "", "[1]", '{"error": "x"}', '{"message": 5}', "[" * 200_000]
)
async def test_errors_without_readable_words_still_say_what_happened(scripted, make_client, http_answer, body):
    scripted.answers = [http_answer(502, body)]
    async with make_client(scripted.url) as client:
        error = await outcome_of(client, write=True)
    assert error.message == "Render answered 502 to POST /services/{id}/scale without a message"


async def test_nobody_listening_means_nothing_was_sent(make_client, unused_port):
    async with make_client(f"http://127.0.0.1:{unused_port}") as client:
        assert type(await outcome_of(client, write=True)) is Unavailable
        assert type(await outcome_of(client, write=False)) is Unavailable


@pytest.mark.parametrize("silence", ["reset", "timeout", "truncated", "not http"])
async def test_silence_after_sending(scripted, make_client, http_answer, silence):
    async def hang(_request):
        await asyncio.sleep(5)
        return b""

    if silence == "timeout":
        scripted.handler = hang
    else:
        scripted.answers = [
            {
                "reset": b"",
                "truncated": http_answer(200, SERVICE, length=1000),
                "not http": b"220 smtp.example\r\nConnection: close\r\n\r\n",
            }[silence]
        ]
    async with make_client(scripted.url, write_timeout_s=0.2, read_timeout_s=0.2) as client:
        assert type(await outcome_of(client, write=True)) is Unknown
        assert len(scripted.requests) == 1, "a write is sent once"
        assert type(await outcome_of(client, write=False)) is Unavailable
        assert len(scripted.requests) == 4, "a read is tried three times"


@pytest.mark.parametrize("body", ["{", "null", "[]", '{"name": "no id"}', '{"id": "srv-1", "serviceDetails": "text"}'])
async def test_a_write_that_succeeded_without_a_readable_body_is_unknown(scripted, make_client, http_answer, body):
    scripted.answers = [http_answer(200, body)]
    update = Action(
        verb=Verb.UPDATE, component="web", kind=Kind.WEB, name="web-acme", id="srv-1", payload={"plan": "pro"}
    )
    async with make_client(scripted.url) as client:
        with pytest.raises(Unknown, match="cannot be read"):
            await client.send(update, NOTHING)
        assert type(await outcome_of(client, write=False)) is Unavailable


async def test_a_read_recovers_within_its_tries(scripted, make_client, http_answer):
    scripted.answers = [http_answer(503), b"", http_answer(200, SERVICE)]
    gates = []

    async def gate():
        gates.append(len(scripted.requests))

    async with make_client(scripted.url, hooks=Hooks(read_gate=gate)) as client:
        observed = await client.get(Kind.WEB, "srv-1")
    assert observed.name == "web-acme"
    assert gates == [0, 1, 2], "every try asks the gate: it costs a token too"


async def test_a_gate_that_refuses_stops_the_read_unsent(scripted, make_client, clock):
    async def gate():
        raise Throttled("no token", until=clock.now())

    async with make_client(scripted.url, hooks=Hooks(read_gate=gate)) as client:
        assert isinstance(await outcome_of(client, write=False), Throttled)
    assert scripted.requests == []


@pytest.mark.parametrize("status", [204, 404, 410])
async def test_deleting_what_is_gone_succeeds(scripted, make_client, http_answer, status):
    scripted.answers = [http_answer(status, "" if status == 204 else '{"message": "not found: srv-1"}')]
    async with make_client(scripted.url) as client:
        await client.send(DELETE, NOTHING)
    assert [(request.method, request.path) for request in scripted.requests] == [("DELETE", "/services/srv-1")]


async def test_a_create_that_would_leave_after_its_grant_is_not_sent(scripted, make_client, http_answer):
    """However long it took to come so far, reading what the create needs included."""
    scripted.handler = lambda request: http_answer(200, "[]" if request.method == "GET" else '{"id": "evg-1"}')
    create = Action(verb=Verb.CREATE, component="shared", kind=Kind.ENV_GROUP, name="shared-acme")
    granted_until_s = asyncio.get_running_loop().time() - 0.01
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable, match="too late"):
            await client.send(create, NOTHING, granted_until_s)
    assert [request.path for request in scripted.requests if request.method == "POST"] == []


async def test_a_change_that_was_read_for_too_long_is_not_sent(scripted, make_client, http_answer):
    scripted.handler = lambda request: http_answer(200, "[]")
    change = Action(verb=Verb.SET_ENV, component="web", kind=Kind.WEB, id="srv-1", name="web-acme")
    async with make_client(scripted.url) as client:
        with pytest.raises(Unavailable, match="too late"):
            await client.send(change, Plaintext(values={"A": Sensitive("b")}), asyncio.get_running_loop().time())
    assert {request.method for request in scripted.requests} == {"GET"}


async def test_secrets_never_reach_an_error(scripted, make_client, http_answer):
    scripted.handler = lambda request: http_answer(
        400,
        json.dumps({"message": f"bad request {request.headers['authorization']}: {request.body.decode()}"}),
    )
    create = Action(verb=Verb.CREATE, component="web", kind=Kind.WEB, name="web-acme", payload={"runtime": "image"})
    plaintext = Plaintext(
        values={"TOKEN": Sensitive('hunter2"\n\\x'), "PIN": Sensitive("77")},
        files={"key.pem": Sensitive("-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz\n")},
    )
    async with make_client(scripted.url) as client:
        with pytest.raises(Refused) as caught:
            await client.send(create, plaintext)
    shown = f"{caught.value!r} {caught.value.message}"
    for secret in ("rnd_aVery", "hunter2", "abcdefghijkl", " 77", '"77"'):
        assert secret not in shown
    assert "web-acme" in shown
    assert caught.value.__context__ is None, "no chained error may hold the request"


async def test_secrets_of_the_list_that_a_put_sends_back_are_removed_too(scripted, make_client, http_answer):
    listed = http_answer(200, '[{"envVar": {"key": "OLD", "value": "an old secret value"}, "cursor": "c"}]')
    scripted.answers = [listed, listed, http_answer(400, '{"message": "too long: an old secret value"}')]
    action = Action(verb=Verb.SET_ENV, component="web", kind=Kind.WEB, name="web-acme", id="srv-1")
    async with make_client(scripted.url) as client:
        with pytest.raises(Refused) as caught:
            await client.send(action, Plaintext(values={"NEW": Sensitive("x")}))
    assert caught.value.message == "too long: ***"


@pytest.mark.parametrize("key", ["", "two words", "ключ", "line\nbreak"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(clock, key):
    with pytest.raises(Invalid) as caught:
        RenderClient(settings=Settings(), api_key=Sensitive(key), clock=clock)
    assert key == "" or key not in str(caught.value)


@pytest.mark.parametrize("id", ["", ".", ".."])
async def test_an_id_that_would_change_the_path_is_refused_unsent(scripted, make_client, id):
    async with make_client(scripted.url) as client:
        with pytest.raises(Refused):
            await client.send(Action(verb=Verb.DELETE, component="web", kind=Kind.WEB, name="web", id=id), NOTHING)
    assert scripted.requests == []


def test_hostile_segments_are_quoted():
    assert path("env-groups", "evg-1", "env-vars", "a/../b?c#d%") == "/env-groups/evg-1/env-vars/a%2F..%2Fb%3Fc%23d%25"
    assert template("/env-groups/evg-1/env-vars/KEY") == "/env-groups/{id}/env-vars/{name}"
    assert template("/services") == "/services"


async def test_the_operator_never_writes_to_itself(scripted, make_client):
    async with make_client(scripted.url, protected_ids=frozenset({"srv-me"})) as client:
        for action in (
            Action(verb=Verb.SUSPEND, component="x", kind=Kind.WEB, name="x", id="srv-me"),
            Action(verb=Verb.LINK_GROUP, component="x", kind=Kind.ENV_GROUP, name="x", id="evg-1",
                   payload={"serviceId": "srv-me"}),
            Action(verb=Verb.MOVE, component="x", kind=Kind.ENVIRONMENT, name="x", id="evm-1",
                   payload={"resourceIds": ["srv-2", "srv-me"]}),
        ):  # fmt: skip
            with pytest.raises(Refused, match="srv-me is what this operator runs on"):
                await client.send(action, NOTHING)
    assert scripted.requests == []


async def test_hooks_hear_of_every_answer_and_cannot_harm_the_reply(scripted, make_client, http_answer):
    told = "Date: Tue, 09 Jun 2026 16:25:40 GMT\r\nRatelimit-Limit: 10\r\nRatelimit-Remaining: 9\r\nRatelimit-Reset: 19"
    scripted.answers = [http_answer(202, "", told), http_answer(400, "{}", told), b""]
    heard, learned, problems = [], [], []

    def on_request(method, what, status, _seconds):
        heard.append((method, what, status))
        raise ValueError("a broken hook")

    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context["exception"]))
    hooks = Hooks(
        on_request=on_request, learned=lambda bucket, live_id, found: learned.append((bucket, live_id, found))
    )
    async with make_client(scripted.url, hooks=hooks) as client:
        reply = await client.send(SCALE, NOTHING)
        await outcome_of(client, write=True)
        await outcome_of(client, write=True)
        await asyncio.sleep(0)
    assert heard == [("POST", "/services/{id}/scale", status) for status in (202, 400, 0)]
    assert [(bucket, live_id) for bucket, live_id, _ in learned] == [("service", "srv-1")] * 2
    assert reply.limits == learned[0][2]
    assert reply.limits is not None
    assert reply.limits.remaining == 9
    assert len(problems) == 3
