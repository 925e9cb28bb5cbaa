"""What an old database would miss: objects with our marks that nobody owns, and stacks of which nothing is left."""

from dataclasses import replace
from datetime import datetime

import pytest

from reconciler.core.kinds import Kind
from reconciler.core.observed import Observed
from reconciler.core.status import Phase
from reconciler.ports import Claim, OperationState, Settlement, Store
from tests.postgres.conftest import NOW, action, verdict
from tests.store.acts import LATER, claim_all, own, seconds, seen, sweep
from tests.store.lab import Lab


@pytest.fixture
async def claims(store: Store, lab: Lab) -> dict[str, Claim]:
    await lab.sign_up("acme", "bolt")
    return await claim_all(store)


def made(id: str, name: str, at: datetime | None = LATER, environment_id: str | None = None) -> Observed:
    return replace(seen(id, name), created_at=at, environment_id=environment_id)


def home(tenant: str) -> tuple[Observed, Observed]:
    """A project of that name and its environment."""
    environment = seen(f"evm-{tenant}", "production", NOW, Kind.ENVIRONMENT, projectId=f"prj-{tenant}")
    return seen(f"prj-{tenant}", tenant, NOW, Kind.PROJECT), environment


async def newcomers(store: Store, since: datetime = NOW) -> list[tuple[str, str, str]]:
    return [(one.observed.id, one.tenant, one.project) for one in await store.newcomers(since)]


async def test_what_stands_in_a_tenant_s_environment_and_is_nobody_s_is_a_newcomer(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    project, environment = home("acme")
    place = own(environment.id, "@environment", Kind.ENVIRONMENT)
    await store.save_owned(claims["acme"], [own("srv-1"), replace(place, observed=environment)])
    inside = {"environment_id": environment.id}
    await store.observe(
        [
            *(project, made("srv-1", "app-acme", **inside), made("srv-2", "extra", **inside)),
            *(made("srv-3", "older", NOW, **inside), made("srv-4", "undated", None, **inside)),
            *(made("srv-5", "app-cora"), made("srv-6", "elsewhere", environment_id="evm-9")),
        ],
        LATER,
    )
    assert await newcomers(second) == [("srv-2", "acme", "acme")]
    assert await newcomers(second, NOW - seconds(1)) == [("srv-2", "acme", "acme"), ("srv-3", "acme", "acme")]
    assert await newcomers(second, LATER) == []
    await store.save_owned(claims["acme"], [own("srv-2", "extra")])
    assert await newcomers(second) == []


async def test_what_is_named_for_whom_nobody_knows_is_a_newcomer(store: Store, claims: dict[str, Claim]) -> None:
    project, environment = home("cora")
    await store.observe([project, environment, made("srv-1", "app-cora", environment_id=environment.id)], LATER)
    assert await newcomers(store) == [("srv-1", "cora", "cora")]
    for _ in range(2):
        await sweep(store, at=LATER + seconds(60))
    assert await newcomers(store) == [], "what is gone is not new"


async def test_a_name_alone_tells_of_a_purged_tenant_only(store: Store, lab: Lab, claims: dict[str, Claim]) -> None:
    await store.observe([made("srv-1", "app-acme"), made("srv-2", "app-cora")], LATER)
    assert await newcomers(store) == []
    await lab.delete("acme", "now")
    await store.finish(claims["acme"], verdict(phase=Phase.DELETED, purged=True), NOW)
    assert [one.why for one in await store.newcomers(NOW)] == [
        "is named as for tenant acme, who was purged or forgotten"
    ]


async def test_what_an_open_create_may_have_made_is_on_our_books(store: Store, claims: dict[str, Claim]) -> None:
    project, environment = home("cora")
    creating = replace(action(), name="app-cora")
    operation = await store.open_operation(claims["acme"], creating, "h", NOW)
    await store.observe([project, environment, made("srv-1", "app-cora", environment_id=environment.id)], LATER)
    assert len(await newcomers(store)) == 1, "what was never sent made nothing"
    assert await store.send_operation(claims["acme"], operation, creating.bucket, "", NOW) is None
    assert await newcomers(store) == []
    await store.settle_operation(None, operation, Settlement(state=OperationState.UNKNOWN), NOW)
    assert await newcomers(store) == []
    await store.settle_operation(None, operation, Settlement(state=OperationState.NEVER_HAPPENED), NOW)
    assert len(await newcomers(store)) == 1


async def test_a_stack_of_which_nothing_is_left_has_vanished(
    store: Store, second: Store, claims: dict[str, Claim]
) -> None:
    await store.save_owned(claims["acme"], [own("srv-1"), own("srv-2", "web")])
    await store.save_owned(claims["bolt"], [own("srv-3")])
    assert await second.vanished() == []
    await sweep(store, [seen("srv-2", "web-acme")])
    assert await second.vanished() == []
    await sweep(store, at=LATER + seconds(60))
    assert await second.vanished() == ["acme"], "of one object alone nothing can be said"
    await store.observe([seen("srv-1", at=LATER + seconds(120))], LATER)
    assert await second.vanished() == []
