"""What a machine makes up from the API's own description: no route fails, and every answer is as described."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from reconciler.api.access import ACCESS
from tests.api.harness import ApiServer

EXAMPLES = 6
JUDGED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
DESCRIBED = sorted(
    (method, path) for method, path in ACCESS if not path.startswith(("/console", "/docs", "/openapi")) and path != "/"
)


@pytest.fixture(scope="module")
def schema(api: ApiServer):
    """The description over HTTP, with a tenant and a Blueprint that exist."""
    api.make("fuzzed")
    return schemathesis.openapi.from_url(f"{api.url}/openapi.json")


@pytest.fixture(scope="module")
def key(api: ApiServer) -> str:
    return api.key("admin")


def test_every_route_but_the_console_is_described(schema):
    found = {(result.ok().method.upper(), result.ok().path) for result in schema.get_all_operations()}
    assert found == set(DESCRIBED)


@pytest.mark.parametrize(("method", "path"), DESCRIBED, ids=str)
def test_every_answer_is_as_described(api: ApiServer, schema, key, method, path):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy())
    def judge(case):
        case.call_and_validate(base_url=api.url, headers={"X-API-Key": key}, checks=JUDGED)

    judge()
