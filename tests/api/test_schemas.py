"""What is answered has exactly the fields that are described."""

from dataclasses import replace

import httpx
import pytest
from pydantic import BaseModel

from reconciler.api import legacy_schemas, pass_schemas, schemas
from reconciler.core import passes
from reconciler.core.actions import Verb, Wait, WaitReason
from reconciler.core.guard import Caps
from reconciler.core.kinds import Kind
from reconciler.core.passes import Done, Kept, Result, Round
from reconciler.core.plan import View
from reconciler.core.prices import NO_BOOK
from reconciler.core.spec import DesiredState
from reconciler.core.status import ComponentStatus, Condition, ConditionType, Phase, Reason, Status
from reconciler.core.stops import Stops
from reconciler.postgres import passes as stored
from tests.api.harness import NOW, ROOT, ApiServer


@pytest.fixture(scope="module")
def client(api: ApiServer):
    """A client, and a tenant of which everything is known."""
    condition = Condition(
        type=ConditionType.READY, status="True", reason=Reason.AVAILABLE, message="", since=NOW, observed_generation=1
    )
    component = ComponentStatus(
        component="backend", kind="web service", name="backend-whole", state="live", healthy=True, id="srv-1", since=NOW
    )
    whole = Status(
        phase=Phase.READY,
        observed_generation=1,
        revision=1,
        conditions=(condition,),
        components=(component,),
        details={"a": "b"},
        eta=NOW,
        ready_since=NOW,
        generation_since=NOW,
    )
    api.make("whole", labels={"a": "b"}, external_id="sub_1")
    api.set_status("whole", whole)
    api.run(api.registry.set_hold("whole", "why", NOW.replace(year=NOW.year + 1), ROOT))
    api.sql(
        "INSERT INTO reconciler.events (id, tenant, reason, component, message, warning, count, first_at, last_at)"
        " VALUES (nextval('reconciler.event_ids'), 'whole', 'Healed', 'backend', 'resumed', false, 2, now(), now())"
    )
    keep(api, "whole")
    with api.client("admin") as made:
        yield made


def keep(api: ApiServer, tenant: str) -> None:
    """Keep a pass that did something and waits for something."""
    wait = Wait(reason=WaitReason.DEPENDENCY, message="postgres db", component="backend")
    view = View(
        stack=None, state=DesiredState.RUNNING, owned={}, resolved={}, now=NOW, book=NO_BOOK, tenant=tenant
    )  # fmt: skip
    done = Done(operation=1, verb=Verb.CREATE, component="db", kind=Kind.POSTGRES, name="db-whole", ending="succeeded")
    stops = Stops(tenant=tenant, generation=1)
    bare = Round(view=view, stops=stops)
    one = replace(bare, plan=replace(passes.plan_again(bare, Caps()), waits=(wait,)))
    kept = Kept(began_at=NOW, took_s=1.0, result=Result.CHANGED, generation=1, rounds=(one,), done=(done,))
    api.sql(
        "INSERT INTO reconciler.passes (tenant, epoch, first_at, at, wake_class, took_s, result, generation, blueprint,"
        " revision, summary, fingerprint, version, document)"
        " VALUES (%s, 1, now(), now(), 'user', 1, 'changed', 1, '', 1, 'create db', '', %s, %s)",
        *(tenant, stored.version(), stored.pack(stored.write(kept))),
    )


def test_kept_passes_are_the_operators_alone_and_carry_their_replay(api: ApiServer, client: httpx.Client):
    for scope in ("read", "signup"):
        with api.client(scope) as other:
            assert other.get("/v1/passes/1").status_code == 403
            assert other.get("/v1/tenants/whole/passes").status_code == 403
    told = client.get("/v1/passes/1").json()
    assert told["replay"]["outcome"] == "different", "the wait was put there by hand"
    assert told["replay"]["differences"][0].startswith("round 1: plan.waits: ")
    assert told["document"]["rounds"][0]["view"]["state"] == "running"
    listed = client.get("/v1/tenants/whole/passes", params={"limit": 1}).json()["items"]
    assert [one["id"] for one in listed] == [1] and listed[0]["waits"][0]["message"] == "postgres db"
    for unknown in ("2", "x", "-1", "9" * 20):
        assert client.get(f"/v1/passes/{unknown}").status_code == 404
    assert client.get("/v1/tenants/nobody/passes").status_code == 404


def test_the_fixture_shows_events(client: httpx.Client):
    assert client.get("/v1/events").json()["items"][0]["reason"] == "Healed"


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/tenants", schemas.TenantList),
        ("/v1/tenants/whole", schemas.TenantShape),
        ("/v1/tenants/whole/events", schemas.EventList),
        ("/v1/tenants/whole/operations", schemas.OperationList),
        ("/v1/tenants/whole/costs", schemas.TenantCosts),
        ("/v1/tenants/whole/secrets", schemas.SecretNames),
        ("/v1/tenants/whole/passes", pass_schemas.PassList),
        ("/v1/passes/1", pass_schemas.KeptPassShape),
        ("/v1/blueprints", schemas.BlueprintList),
        ("/v1/blueprints/crm", schemas.BlueprintShape),
        ("/v1/events", schemas.EventList),
        ("/v1/costs", schemas.CostList),
        ("/v1/queue", schemas.Queue),
        ("/v1/orphans", schemas.OrphanList),
        ("/v1/brake", schemas.BrakeShape),
        ("/v1/rejections", schemas.RejectionList),
        ("/v1/audit", schemas.AuditList),
        ("/v1/keys", schemas.KeyList),
        ("/api/tenants/", legacy_schemas.OldPage),
        ("/api/tenants/whole/", legacy_schemas.OldTenant),
        ("/api/tenants/whole/status/", legacy_schemas.OldStatus),
        ("/livez", schemas.Probe),
    ],
)
def test_answers_have_exactly_the_fields_described(client: httpx.Client, path: str, shape: type[BaseModel]):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    shape.model_validate_json(answer.content, extra="forbid")
