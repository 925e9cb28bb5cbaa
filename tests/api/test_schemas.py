"""What is answered has exactly the fields that are described."""

import httpx
import pytest
from pydantic import BaseModel

from reconciler.api import legacy_schemas, schemas
from reconciler.core.status import ComponentStatus, Condition, ConditionType, Phase, Reason, Status
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
    with api.client("admin") as made:
        yield made


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
        ("/v1/blueprints", schemas.BlueprintList),
        ("/v1/blueprints/crm", schemas.BlueprintShape),
        ("/v1/events", schemas.EventList),
        ("/v1/costs", schemas.CostList),
        ("/v1/queue", schemas.Queue),
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
