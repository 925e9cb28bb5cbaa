"""The state machine as part of the tests: some examples each time, many in `make check`, and known bugs that it finds.

RECONCILER_MODEL_EXAMPLES=5000 python -m pytest -m long -k model tests/campaign    looks as long as one likes
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.campaign.model import Tenants
from tests.campaign.mutants import MUTANTS

QUICK, LONG = 25, 400
EXAMPLES = "RECONCILER_MODEL_EXAMPLES"
STEPS = 20
ANY = settings(
    deadline=None, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck), print_blob=True,
)  # fmt: skip
NOTICED = (
    "a hold is ignored",
    "a suspension in the spec is ignored",
    "what was created is not written down",
    "changes are written and never deployed",
    "forgetting a stack deletes it",
)


def test_whatever_is_done_to_tenants_they_become_what_the_model_says() -> None:
    """The same examples each time: what has been seen to hold stays so."""
    run_state_machine_as_test(Tenants, settings=settings(ANY, max_examples=QUICK, derandomize=True, database=None))


@pytest.mark.long
@pytest.mark.timeout(0)
def test_whatever_is_done_to_tenants_at_length() -> None:
    """Other examples each time; RECONCILER_MODEL_EXAMPLES says how many."""
    run_state_machine_as_test(Tenants, settings=settings(ANY, max_examples=int(os.environ.get(EXAMPLES, LONG))))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NOTICED)
def test_the_model_notices(name: str) -> None:
    looking = settings(ANY, max_examples=200, derandomize=True, database=None, phases=[Phase.generate])
    with MUTANTS[name](), pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(Tenants, settings=looking)
