"""One component's health: what is up, what is on its way and until when, what is broken."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.health import DATASTORE_DEADLINE, DEPLOY_DEADLINES, HealthState, judge
from reconciler.core.inventory import Known
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy
from tests.core.builders import NOW, later, owned, without


def deploying(status, **said):
    return owned(known=Known(deploy=Deploy(id="dep-1", status=status, created_at=NOW, **said)))


@pytest.mark.parametrize(
    ("row", "state", "text"),
    [
        (None, HealthState.MISSING, "to be created"),
        (owned(absent_looks=2), HealthState.MISSING, "missing"),
        (owned(absent_looks=1), HealthState.HEALTHY, "live"),
        (replace(owned(), observed=None), HealthState.PROGRESSING, "not seen yet"),
        (owned(suspenders=("user",)), HealthState.SUSPENDED, "suspended"),
        (owned(suspenders=("billing", "user")), HealthState.SUSPENDED, "suspended by billing, user"),
        (owned(known=Known()), HealthState.PROGRESSING, "deploy not seen yet"),
        (deploying("live"), HealthState.HEALTHY, "live"),
        (deploying("deactivated"), HealthState.HEALTHY, "live"),
        (deploying("build_in_progress"), HealthState.PROGRESSING, "deploys (build in progress)"),
        (deploying("a word of tomorrow"), HealthState.PROGRESSING, "deploys (a word of tomorrow)"),
        (deploying("build_failed"), HealthState.DEGRADED, "deploy ended as build failed"),
        (deploying("canceled"), HealthState.DEGRADED, "deploy ended as canceled"),
        (without(owned(), failure="server failed"), HealthState.DEGRADED, "server failed"),
        (without(deploying("queued"), failure="server failed"), HealthState.PROGRESSING, "deploys (queued)"),
        (owned(Kind.POSTGRES, "db"), HealthState.HEALTHY, "available"),
        (owned(Kind.POSTGRES, "db", status="maintenance_scheduled"), HealthState.HEALTHY, "available"),
        (owned(Kind.KEY_VALUE, "kv", status="creating"), HealthState.PROGRESSING, "creating"),
        (owned(Kind.KEY_VALUE, "kv", status=""), HealthState.PROGRESSING, "unknown"),
        (owned(Kind.POSTGRES, "db", status="recovery_failed"), HealthState.DEGRADED, "recovery failed"),
        (owned(Kind.ENV_GROUP, "shared"), HealthState.HEALTHY, "exists"),
    ],
)
def test_health_of_every_state(row, state, text):
    health = judge(row, NOW)
    assert (health.state, health.text) == (state, text)


@pytest.mark.parametrize("status", [*DEPLOY_DEADLINES, "a word of tomorrow"])
def test_a_deploy_in_progress_has_a_deadline_after_which_it_is_degraded(status):
    limit = DEPLOY_DEADLINES.get(status, DEPLOY_DEADLINES["queued"])
    row = deploying(status)
    assert judge(row, NOW + limit).deadline == NOW + limit
    late = judge(row, NOW + limit + timedelta(seconds=1))
    assert late.state is HealthState.DEGRADED
    assert late.text.startswith("deploy stuck in ")
    assert late.since == NOW + limit


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (owned(Kind.POSTGRES, "db", status="creating"), "creating for more than 30 min"),
        (owned(Kind.POSTGRES, "db", status=""), "unknown for more than 30 min"),
        (owned(known=Known()), "no deploy was seen for more than 30 min"),
        (replace(owned(), observed=None), "was never seen in more than 30 min"),
    ],
)
def test_whatever_is_awaited_is_awaited_half_an_hour(row, text):
    assert judge(row, NOW + DATASTORE_DEADLINE).state is HealthState.PROGRESSING
    late = judge(row, later(minutes=31))
    assert (late.state, late.text) == (HealthState.DEGRADED, text)


def test_without_any_date_there_is_no_deadline_yet():
    row = replace(owned(Kind.POSTGRES, "db", status="creating"), since=None, created_at=None)
    assert judge(row, later(days=9)).state is HealthState.PROGRESSING
    undated = owned(known=Known(deploy=Deploy(id="", status="queued")))
    assert judge(undated, later(days=9)).state is HealthState.PROGRESSING
