"""The requests that actions become, where the simulator cannot show them: credentials, bad payloads, nothing sent."""

import json

import pytest

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Refused, Unavailable, Unknown
from reconciler.core.kinds import Kind
from reconciler.core.values import Sensitive
from reconciler.ports import Plaintext
from reconciler.render import bodies

NOTHING = Plaintext()


def action(verb, kind=Kind.WORKER, id="srv-1", **more):
    return Action(verb=verb, component="worker", kind=kind, name="worker-acme", id=id, **more)


class Workspace:
    """A server with one service and some registry credentials, that remembers what was written."""

    def __init__(self, scripted, http_answer, image="", credential=None):
        self.credentials = [
            {"id": "rgc-1", "name": "ghcr"},
            {"id": "rgc-2", "name": "twice"},
            {"id": "rgc-3", "name": "twice"},
        ]
        self.service = {"id": "srv-1", "type": "background_worker", "name": "worker-acme", "imagePath": image}
        if credential:
            self.service["registryCredential"] = credential
        self.written = []
        self._answer = http_answer
        scripted.handler = self.serve

    def serve(self, request):
        if request.path.startswith("/registrycredentials"):
            return self._answer(200, json.dumps(self.credentials))
        if request.method != "GET":
            self.written.append((request.method, request.path, json.loads(request.body or b"null")))
        body = {"service": self.service, "deployId": "dep-1"} if request.method == "POST" else self.service
        return self._answer(200, json.dumps(body))


GHCR = {"id": "rgc-1", "name": "ghcr"}


@pytest.mark.parametrize(
    ("payload", "stands", "body"),
    [
        ({"plan": "pro"}, ("ghcr.io/a/b:1", GHCR), {"serviceDetails": {"plan": "pro"}}),
        (
            {"imagePath": "ghcr.io/a/b:2"}, ("ghcr.io/a/b:1", GHCR),
            {"image": {"ownerId": "OWNER", "imagePath": "ghcr.io/a/b:2", "registryCredentialId": "rgc-1"}},
        ),
        ({"imagePath": "nginx:2"}, ("nginx:1", None), {"image": {"ownerId": "OWNER", "imagePath": "nginx:2"}}),
        (
            {"registryCredential": "ghcr"}, ("ghcr.io/a/b:1", None),
            {"image": {"ownerId": "OWNER", "imagePath": "ghcr.io/a/b:1", "registryCredentialId": "rgc-1"}},
        ),
        (
            {"registryCredential": ""}, ("ghcr.io/a/b:1", GHCR),
            {"image": {"ownerId": "OWNER", "imagePath": "ghcr.io/a/b:1"}},
        ),
        (
            {"registryCredential": "ghcr"}, ("", None),
            {"serviceDetails": {"envSpecificDetails": {"registryCredentialId": "rgc-1"}}},
        ),
        (
            {"registryCredential": ""}, ("", GHCR),
            {"serviceDetails": {"envSpecificDetails": {"registryCredentialId": ""}}},
        ),
        (
            {"imagePath": "ghcr.io/a/b:2", "registryCredential": "ghcr"}, ("nginx", None),
            {"image": {"ownerId": "OWNER", "imagePath": "ghcr.io/a/b:2", "registryCredentialId": "rgc-1"}},
        ),
    ],
)  # fmt: skip
async def test_image_and_credential_are_kept_together(scripted, make_client, http_answer, payload, stands, body):
    workspace = Workspace(scripted, http_answer, *stands)
    async with make_client(scripted.url, owner_id="OWNER") as client:
        await client.send(action(Verb.UPDATE, payload=payload), NOTHING)
    assert workspace.written == [("PATCH", "/services/srv-1", body)]


async def test_a_create_carries_everything_at_once(scripted, make_client, http_answer):
    workspace = Workspace(scripted, http_answer)
    payload = {
        "runtime": "image", "imagePath": "ghcr.io/a/b:1", "registryCredential": "ghcr", "plan": "starter",
        "environmentId": "evm-1", "region": "", "rootDir": None, "numInstances": 1,
    }  # fmt: skip
    secrets = Plaintext(values={"A": Sensitive("1")}, files={"f": Sensitive("2")})
    async with make_client(scripted.url, owner_id="OWNER") as client:
        reply = await client.send(action(Verb.CREATE, id="", payload=payload), secrets)
    [(method, where, body)] = workspace.written
    assert (method, where) == ("POST", "/services")
    assert body == {
        "type": "background_worker",
        "name": "worker-acme",
        "ownerId": "OWNER",
        "environmentId": "evm-1",
        "image": {"ownerId": "OWNER", "imagePath": "ghcr.io/a/b:1", "registryCredentialId": "rgc-1"},
        "serviceDetails": {"runtime": "image", "plan": "starter", "numInstances": 1, "envSpecificDetails": {}},
        "envVars": [{"key": "A", "value": "1"}],
        "secretFiles": [{"name": "f", "content": "2"}],
    }
    assert (reply.deploy.id, reply.deploy.status) == ("dep-1", "created")
    assert "Sensitive(***)" in repr(reply)


@pytest.mark.parametrize(
    ("name", "words"), [("missing", "no registry credentials"), ("twice", "2 registry credentials")]
)
async def test_a_credential_must_be_found_once(scripted, make_client, http_answer, name, words):
    workspace = Workspace(scripted, http_answer, "nginx")
    async with make_client(scripted.url) as client:
        with pytest.raises(Refused, match=words):
            await client.send(action(Verb.UPDATE, payload={"registryCredential": name}), NOTHING)
    assert workspace.written == []


@pytest.mark.parametrize(
    "wrong",
    [
        action(Verb.UPDATE, payload={"region": "ohio"}),
        action(Verb.UPDATE, payload={"envVars": []}),
        action(Verb.UPDATE, kind=Kind.POSTGRES, payload={"version": "17"}),
        action(Verb.UPDATE, kind=Kind.ENV_GROUP, payload={"links": []}),
        action(Verb.CREATE, kind=Kind.KEY_VALUE, id="", payload={"version": "8"}),
        action(Verb.SUSPEND, kind=Kind.ENV_GROUP),
        action(Verb.EXPORT),
        action(Verb.LINK_GROUP, kind=Kind.ENV_GROUP, payload={}),
        action(Verb.REMOVE_DISK, payload={"diskId": None}),
        action(Verb.ADD_DOMAIN, payload={"name": ["x"]}),
        action(Verb.RUN_JOB, payload={}),
    ],
)
async def test_what_the_api_has_no_place_for_is_refused_unsent(scripted, make_client, wrong):
    async with make_client(scripted.url) as client:
        with pytest.raises(Refused):
            await client.send(wrong, NOTHING)
    assert scripted.requests == []


@pytest.mark.parametrize(("first", "error"), [("down", Unavailable), ("garbled", Unavailable)])
async def test_a_list_that_cannot_be_read_is_never_replaced(scripted, make_client, http_answer, first, error):
    scripted.answers = [http_answer(503) if first == "down" else http_answer(200, "[{]")]
    async with make_client(scripted.url) as client:
        with pytest.raises(error):
            await client.send(action(Verb.SET_ENV), Plaintext(values={"A": Sensitive("1")}))
    assert {request.method for request in scripted.requests} == {"GET"}


async def test_a_replaced_list_with_an_unreadable_answer_is_unknown(scripted, make_client, http_answer):
    scripted.answers = [http_answer(200, "[]"), http_answer(200, "[]"), http_answer(200, "oops")]
    async with make_client(scripted.url) as client:
        with pytest.raises(Unknown):
            await client.send(action(Verb.SET_ENV), Plaintext(values={"A": Sensitive("1")}))
    assert [request.method for request in scripted.requests] == ["GET", "GET", "PUT"]


@pytest.mark.parametrize("lacking", [0, 1])
@pytest.mark.parametrize(("verb", "item", "value"), [
    (Verb.SET_ENV, "envVar", "value"), (Verb.SET_FILES, "secretFile", "content"),
])  # fmt: skip
async def test_what_one_of_two_lists_lacks_is_not_lost(scripted, make_client, http_answer, verb, item, value, lacking):  # noqa: PLR0917
    """A person's variable is nowhere but in that list: to send it back without costs the only copy."""
    name = "key" if item == "envVar" else "name"
    whole = [{item: {name: key, value: key.lower()}, "cursor": "c"} for key in ("PERSONS", "OURS")]
    lists = [whole, whole]
    lists[lacking] = whole[1:]
    scripted.answers = [*(http_answer(200, json.dumps(one)) for one in lists), http_answer(200, "[]")]
    new = {"OURS": Sensitive("new")}
    async with make_client(scripted.url) as client:
        await client.send(action(verb), Plaintext(values=new) if verb is Verb.SET_ENV else Plaintext(files=new))
    sent = {one[name]: one[value] for one in json.loads(scripted.requests[2].body)}
    assert sent == {"PERSONS": "persons", "OURS": "new"}


async def test_variables_keep_their_order_and_null_is_no_variable(scripted, make_client, http_answer):
    listed = [{"envVar": {"key": key, "value": key.lower()}, "cursor": "c"} for key in ("C", "B", "A")]
    scripted.answers = [*(http_answer(200, json.dumps(listed)) for _ in range(2)), http_answer(200, "null")]
    async with make_client(scripted.url) as client:
        reply = await client.send(
            action(Verb.SET_ENV, removes=("B", "D", "X")), Plaintext(values={"D": Sensitive("4")})
        )
    assert json.loads(scripted.requests[2].body) == [
        {"key": "A", "value": "a"}, {"key": "C", "value": "c"}, {"key": "D", "value": "4"}
    ]  # fmt: skip
    assert reply.detail.env == {}


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    ("verb", "kind", "more"),
    [
        (Verb.REMOVE_AUTOSCALING, Kind.WEB, {}),
        (Verb.REMOVE_DISK, Kind.WEB, {"payload": {"diskId": "dsk-1"}}),
        (Verb.REMOVE_DOMAIN, Kind.WEB, {"payload": {"name": "a.example"}}),
        (Verb.REMOVE_GROUP_VAR, Kind.ENV_GROUP, {"removes": ("KEY",)}),
        (Verb.UNLINK_GROUP, Kind.ENV_GROUP, {"payload": {"serviceId": "srv-2"}}),
        (Verb.DELETE, Kind.PROJECT, {}),
    ],
)
async def test_removing_what_is_gone_succeeds(scripted, make_client, http_answer, status, verb, kind, more):  # noqa: PLR0917
    scripted.answers = [http_answer(status, '{"message": "not found"}', "Render-Request-Id: r-1")]
    async with make_client(scripted.url) as client:
        assert (await client.send(action(verb, kind, **more), NOTHING)).request_id == "r-1"
    assert [request.method for request in scripted.requests] == ["DELETE"]


@pytest.mark.parametrize("rules", ["text", [["a", "b"]], ["abc"], [1]])
def test_rules_of_another_shape_are_a_mistake_of_the_caller(rules):
    with pytest.raises((TypeError, ValueError)):
        bodies.headers(rules)


def test_no_rules_are_no_rules():
    assert bodies.routes(None) == []
    assert bodies.routes([["redirect", "/a", "/b"]]) == [{"type": "redirect", "source": "/a", "destination": "/b"}]
