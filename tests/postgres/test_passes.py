"""Kept passes in the database: they come back equal, repeats are counted, old ones go, and other versions' are said."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.errors import NotFound
from reconciler.core.guard import Caps
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Observed
from reconciler.core.passes import Done, Kept, Replay, Result, Round
from reconciler.core.plan import Plan, View
from reconciler.core.prices import NO_BOOK
from reconciler.core.resolve import Resolved
from reconciler.core.spec import BlueprintSpec, DesiredState, TenantSpec
from reconciler.core.stops import Stops
from reconciler.core.values import Live, SecretRef, Sensitive
from reconciler.manifest import Reader
from reconciler.postgres import passes
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import NOW, Database, claim_one, observed, verdict
from tests.postgres.test_codec import DEPLOY, FIELDS, JSON, TEXT

# ------------------------------------------------------------ as JSON

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PARTS = TEXT | st.builds(Live) | st.builds(SecretRef)
VALUES = st.dictionaries(TEXT, st.lists(PARTS, max_size=3).map(tuple), max_size=3)
NEEDS = st.lists(st.builds(Live) | st.builds(SecretRef), min_size=1, max_size=2).map(tuple)
OBSERVED = st.builds(Observed, fields=FIELDS)
KNOWN = st.builds(Known, deploy=DEPLOY)
OWNED = st.builds(Owned, observed=st.none() | OBSERVED, known=KNOWN)
WAITS = st.lists(st.builds(Wait), max_size=2).map(tuple)
ACTIONS = st.builds(
    Action, payload=FIELDS, values=VALUES, files=VALUES, waits=WAITS, changes=st.builds(Change).map(lambda c: (c,))
)
PLANS = st.builds(
    Plan,
    actions=st.lists(ACTIONS, max_size=3).map(tuple),
    waits=WAITS,
    eta_s=st.none() | NUMBERS,
    settled=st.dictionaries(TEXT, KNOWN, max_size=2),
)
VIEWS = st.builds(
    View,
    stack=st.none(),
    book=st.just(NO_BOOK),
    owned=st.dictionaries(TEXT, OWNED, max_size=3),
    resolved=st.dictionaries(TEXT, st.builds(Resolved, pending=st.dictionaries(TEXT, NEEDS, max_size=2)), max_size=2),
    conflicts=st.dictionaries(TEXT, OBSERVED, max_size=2),
)
ROUNDS = st.builds(Round, view=VIEWS, plan=st.none() | PLANS)
TENANTS = st.builds(TenantSpec, params=FIELDS, overrides=st.dictionaries(TEXT, FIELDS, max_size=2))
KEPT = st.builds(
    Kept,
    took_s=NUMBERS,
    tenant=st.none() | TENANTS,
    caps=st.builds(Caps, mass_share=NUMBERS, shrink_share=NUMBERS),
    rounds=st.lists(ROUNDS, max_size=3).map(tuple),
)


@given(KEPT)
@settings(max_examples=60, deadline=None)
def test_everything_a_plan_is_made_from_comes_back_equal(kept: Kept) -> None:
    assert passes.read(passes.unpack(passes.pack(passes.write(kept)))) == kept


@given(JSON, JSON)
def test_values_are_equal_exactly_when_nothing_is_said_to_differ(before: Any, after: Any) -> None:
    same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    assert (passes.compared("x", before, after) == []) is same


def test_a_secret_cannot_be_kept() -> None:
    wrong = replace(a_round(), view=replace(a_round().view, missing_secrets={"A": (Sensitive("plain"),)}))  # type: ignore[dict-item]
    with pytest.raises(TypeError) as caught:
        passes.write(kept(wrong))
    assert "plain" not in str(caught.value)


# ------------------------------------------------------------ in the database


def a_round(*waits: Wait, owned: Owned | None = None) -> Round:
    view = View(
        stack=None,
        state=DesiredState.SUSPENDED,
        owned={owned.component: owned} if owned else {},
        resolved={"app": Resolved(env={}, files={}, pending={"URL": (Live("db", "host"), SecretRef("KEY"))})},
        now=NOW,
        book=NO_BOOK,
        tenant="acme",
    )
    return Round(view=view, stops=Stops(tenant="acme", generation=1), recent={Verb.DELETE: 0}, plan=Plan(waits=waits))


def kept(*rounds: Round, result: Result = Result.WAITED, **more: Any) -> Kept:
    usual: dict[str, Any] = {"began_at": NOW, "took_s": 0.5, "generation": 1, "revision": 1, "blueprint": "crm"}
    return Kept(**(usual | {"result": result, "rounds": rounds} | more))


def done(ending: str = "succeeded") -> Done:
    return Done(operation=7, verb=Verb.CREATE, component="app", kind=Kind.WEB, name="app-acme", ending=ending)


BUDGET = Wait(reason=WaitReason.BUDGET, message="20 of 20 used; position 7 in the queue", component="app")
LATER = Wait(reason=WaitReason.BUDGET, message="20 of 20 used; position 3 in the queue", component="app")
SECRET = Wait(reason=WaitReason.SECRET, message="secret KEY (app) has no value", you="reconciler secret set acme KEY")


@pytest.fixture
def tenant(database: Database) -> str:
    database.sign_up("acme")
    return "acme"


@pytest.fixture
def registry(store: PostgresStore) -> PostgresRegistry:
    class World:
        def now(self) -> Any:
            return NOW

        def speed(self) -> float:
            return 1.0

        async def sleep(self, world_s: float) -> None:
            raise NotImplementedError

    return PostgresRegistry(store.pool, Reader(), store.vault, World())


async def end(store: PostgresStore, one: Kept | None, *, after_s: float = 0) -> None:
    """End a pass over the tenant that leaves this behind."""
    now = NOW + timedelta(seconds=after_s)
    claim = await claim_one(store, "acme", now=now)
    await store.finish(claim, verdict(due_s=after_s, kept=one), now)


async def listed(registry: PostgresRegistry) -> list[tuple[str, int, str]]:
    return [(row.result, row.count, row.summary) for row in await registry.passes("acme", 100)]


async def test_a_pass_is_kept_with_its_end_and_comes_back(
    store: PostgresStore, registry: PostgresRegistry, tenant: str
) -> None:
    await end(store, None)
    assert await registry.passes("acme") == []
    await end(store, kept(a_round(BUDGET), result=Result.CHANGED, done=(done(),), phase="Provisioning"), after_s=9)
    (row,) = await registry.passes("acme")
    assert (row.tenant, row.result, row.count, row.took_s, row.generation) == ("acme", "changed", 1, 0.5, 1)
    assert row.at == row.first_at == NOW + timedelta(seconds=9)
    assert (row.wake_class, row.version, row.summary) == ("drift", passes.version(), "create app")
    assert row.done == (done(),) and row.waits == (BUDGET,)
    whole = await registry.get_pass(row.id)
    assert whole.row == row
    assert passes.read(whole.document) == kept(
        a_round(BUDGET), result=Result.CHANGED, done=(done(),), phase="Provisioning"
    )
    for id in (0, row.id + 1, -1, 2**80):
        with pytest.raises(NotFound):
            await registry.get_pass(id)


async def test_what_says_the_same_again_is_counted_and_the_newest_of_it_kept(
    store: PostgresStore, registry: PostgresRegistry, tenant: str
) -> None:
    await end(store, kept(a_round(BUDGET)), after_s=0)
    await end(store, kept(a_round(LATER)), after_s=60)
    assert await listed(registry) == [("waited", 2, LATER.message)]
    (row,) = await registry.passes("acme")
    assert (row.first_at, row.at) == (NOW, NOW + timedelta(seconds=60))
    await end(store, kept(a_round(SECRET)), after_s=120)
    await end(store, kept(a_round(BUDGET), generation=2), after_s=180)
    await end(store, kept(a_round(BUDGET)), after_s=240)
    assert [count for _, count, _ in await listed(registry)] == [1, 1, 1, 2], "another generation is another pass"


async def test_effects_are_never_taken_for_a_repetition_and_failures_are(
    store: PostgresStore, registry: PostgresRegistry, tenant: str
) -> None:
    for after_s in (0, 10):
        await end(store, kept(a_round(), result=Result.CHANGED, done=(done(),)), after_s=after_s)
    for after_s in (20, 30):
        await end(store, kept(a_round(), result=Result.CHANGED, found=("db (dpg-1) is gone",)), after_s=after_s)
    for after_s in (40, 50):
        await end(store, kept(a_round(), result=Result.FAILED, done=(done("denied"),)), after_s=after_s)
    assert await listed(registry) == [
        ("failed", 2, "denied: create app"),
        ("changed", 1, "db (dpg-1) is gone"),
        ("changed", 1, "db (dpg-1) is gone"),
        ("changed", 1, "create app"),
        ("changed", 1, "create app"),
    ]


async def test_a_broken_pass_is_kept_with_its_failure(
    store: PostgresStore, registry: PostgresRegistry, tenant: str
) -> None:
    for after_s in (0, 30):
        now = NOW + timedelta(seconds=after_s)
        claim = await claim_one(store, "acme", now=now)
        broke = kept(result=Result.BROKE, error="KeyError: 'x'", tenant=None)
        await store.give_back(claim, now + timedelta(seconds=5), "KeyError: 'x'", now, broke)
    assert await listed(registry) == [("broke", 2, "KeyError: 'x'")]
    row = await registry.get_tenant("acme")
    assert (row.failures, row.next_class, row.next_at) == (2, "retry", NOW + timedelta(seconds=35))
    assert not row.under_way
    await claim_one(store, "acme", now=NOW + timedelta(seconds=40))
    assert (await registry.get_tenant("acme")).under_way


async def test_so_many_of_a_tenant_are_kept_for_so_long(
    store: PostgresStore, registry: PostgresRegistry, tenant: str
) -> None:
    store.passes_max, store.passes_s = 3, 3600.0
    for number in range(5):
        one = replace(done(), component=f"c{number}")
        await end(store, kept(a_round(), result=Result.CHANGED, done=(one,)), after_s=number * 1000)
    assert [summary for _, _, summary in await listed(registry)] == ["create c4", "create c3", "create c2"]
    assert await store.trim(NOW + timedelta(seconds=3600 + 3000)) == 1
    assert [summary for _, _, summary in await listed(registry)] == ["create c4", "create c3"]
    store.passes_max = 0
    await end(store, kept(a_round(), result=Result.CHANGED, done=(done(),)), after_s=9000)
    assert len(await listed(registry)) == 2


# ------------------------------------------------------------ other versions


def _put(document: dict[str, Any], *path: str | int, value: object) -> None:
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value


def _drop(document: dict[str, Any], *path: str | int) -> None:
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]


VIEW = ("rounds", 0, "view")
OTHER: dict[str, Callable[[dict[str, Any]], None]] = {
    "a field more": lambda doc: _put(doc, *VIEW, "weather", value="fine"),
    "a field more, deep inside": lambda doc: _put(doc, *VIEW, "owned", "app", "known", "mood", value=1),
    "a field fewer": lambda doc: _drop(doc, *VIEW, "now"),
    "a field fewer that has a default": lambda doc: _drop(doc, *VIEW, "owned", "app", "known", "dirty"),
    "a field fewer of the pass": lambda doc: _drop(doc, "caps"),
    "another word": lambda doc: _put(doc, *VIEW, "policy", value="forgive"),
    "another type": lambda doc: _put(doc, *VIEW, "owned", value=["app"]),
    "another hole": lambda doc: _put(doc, *VIEW, "resolved", "app", "pending", "URL", value=[{"file": "x"}]),
    "no time": lambda doc: _put(doc, *VIEW, "now", value="noon"),
    "another plan": lambda doc: _put(doc, "rounds", 0, "plan", value={"steps": []}),
    "no rounds at all": lambda doc: _put(doc, "rounds", value={}),
    "no view": lambda doc: _put(doc, "rounds", 0, value=[]),
    "another effect": lambda doc: _put(doc, "done", 0, "verb", value="bless"),
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER.keys())
async def test_what_another_version_kept_is_said_to_be_so(
    store: PostgresStore, registry: PostgresRegistry, database: Database, tenant: str, change: Callable[[Any], None]
) -> None:
    row = Owned(component="app", kind=Kind.WEB, id="srv-1", name="app-acme", observed=observed("srv-1", seen_at=NOW))
    deployed = replace(row, known=Known(deploy=Deploy(id="dep-1", status="live")))
    whole = kept(a_round(SECRET, owned=deployed), result=Result.CHANGED, done=(done(),))
    await end(store, whole)
    document = passes.write(whole)
    assert passes.read(document) == whole
    change(document)
    packed = passes.pack(document)
    database.run("UPDATE reconciler.passes SET version = '0.0.1', document = %(new)s", {"new": packed})
    (found,) = await registry.passes("acme")
    assert found.summary == "create app", "the line that was written then is still there"
    replayed = (await registry.get_pass(found.id)).replayed
    assert replayed.outcome is Replay.OTHER_VERSION
    assert replayed.message == f"not replayed: kept by another version (0.0.1); this is {passes.version()}"


def test_every_field_of_a_view_but_the_compiled_and_the_prices_is_kept() -> None:
    (view,) = passes._views(passes.write(kept(a_round())))
    assert set(view) == {one.name for one in fields(View)} - {"stack", "book"}


def test_a_blueprint_or_prices_that_changed_are_named() -> None:
    one = kept(a_round(SECRET), book="2026-10-01")
    blueprint: BlueprintSpec | None = None
    said = passes.replay(passes.write(one), "0.0.1", blueprint, NO_BOOK)
    assert said.outcome is Replay.DIFFERENT
    assert said.message == (
        f"replayed: another plan; made by version 0.0.1, this is {passes.version()}; "
        "with the price book 2026-10-01, this one is "
    )
    assert said.differences[0].startswith("round 1: plan.usd_before: ") or "plan.waits" in said.differences[0]
