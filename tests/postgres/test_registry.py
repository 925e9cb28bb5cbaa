"""The registry: what the doors may rely on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from reconciler.core.errors import Invalid, NotFound, Problem
from reconciler.core.status import Event, Phase, Reason
from reconciler.core.values import SecretRef, Sensitive
from reconciler.doors import Actor, Taken
from reconciler.manifest.reader import Reader
from reconciler.ports import Brake, Demand, End, Interval, WakeClass
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.store import PostgresStore
from tests.postgres.conftest import DOCUMENT, NOW, Database, claim_one, verdict

ANN = Actor(name="ann", via="cli")


class StillClock:
    """World time that a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def speed(self) -> float:
        return 1.0

    async def sleep(self, world_s: float) -> None:
        self.at += timedelta(seconds=world_s)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def registry(store: PostgresStore, clock: StillClock) -> AsyncIterator[PostgresRegistry]:
    await store.set_clock(NOW, 0.0)
    yield PostgresRegistry(store.pool, Reader(), store.vault, clock)


def tenant(name: str = "acme", **more: object) -> dict[str, object]:
    return {"name": name, "blueprint": "crm", "tier": "starter", "params": {"locale": "de"}, **more}


async def test_putting_twice_creates_once_and_changes_nothing(registry: PostgresRegistry, database: Database) -> None:
    first = await registry.put_tenant(tenant(), ANN)
    again = await registry.put_tenant(tenant(), ANN)
    changed = await registry.put_tenant({"name": "acme", "tier": "pro"}, ANN)
    assert [one.outcome for one in (first, again, changed)] == ["created", "unchanged", "changed"]
    assert (first.generation, changed.generation, first.revision) == (1, 2, 1)
    row = await registry.get_tenant("acme")
    assert (row.tier, row.params, row.created_by, row.fresh) == ("pro", {"locale": "de"}, "ann", False)
    assert (await registry.get_tenant(str(row.number))).name == "acme"
    assert row.created_at == NOW
    actions = [(one.actor, one.via, one.action, one.detail) for one in await registry.audit(subject="acme")]
    assert actions == [
        ("ann", "cli", "change tenant", "tier: starter -> pro"),
        ("ann", "cli", "create tenant", "crm starter"),
    ]


@pytest.mark.parametrize(
    ("columns", "path", "words"),
    [
        (tenant(tier="gold"), "spec.tier", "it has: pro, starter"),
        (tenant(blueprint="nope"), "spec.blueprint", "there are: crm"),
        (tenant(params={}), "spec.params.locale", "is required"),
        (tenant(params={"locale": "xx"}), "spec.params.locale", "en, de, fr"),
        (tenant(params={"locale": "de", "x": 1}), "spec.params", "no parameter 'x'"),
        (tenant(name="9lives"), "metadata.name", "not a DNS label"),
        (tenant(name="a" * 40), "metadata.name", "2 to 39 characters"),
        (tenant(priority=101), "spec.priority", "0 to 100"),
        (tenant(priority=99999999999), "spec", "in range"),
        (tenant(state="off"), "spec.state", "running, suspended, deleted"),
        (tenant(labels={"a": 1}), "metadata.labels", "strings"),
        (tenant(display_name="a\x1b[31m"), "spec.displayName", "printable"),
        (tenant(display_name="x" * 201), "spec.displayName", "200"),
        (tenant(display_name="a\x00b"), "spec", "NUL"),
        (tenant(external_id="x" * 256), "spec.externalId", "255"),
        (tenant(region="Mars; DROP"), "spec.region", "frankfurt"),
        (tenant(details={"env": {"*": {"A": "x" * 1_100_000}}}), "spec", "1 MB"),
        (tenant(colour="red"), "spec.colour", "not a column"),
        ({"blueprint": "crm"}, "metadata.name", "is required"),
    ],
)
async def test_what_the_contract_refuses_names_field_and_remedy(
    registry: PostgresRegistry, columns: dict[str, object], path: str, words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await registry.put_tenant(columns, ANN)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words in str(problem)
    assert (await registry.list_tenants()).count == 0


async def test_clashes_are_taken_with_their_field(registry: PostgresRegistry) -> None:
    await registry.put_tenant(tenant(external_id="sub_1"), ANN)
    for columns, options, field in (
        (tenant(), {"create_only": True}, "name"),
        (tenant("bolt", external_id="sub_1"), {}, "external_id"),
        (tenant(tier="pro"), {"generation": 7}, "generation"),
    ):
        with pytest.raises(Taken) as caught:
            await registry.put_tenant(columns, ANN, **options)  # type: ignore[arg-type]
        assert caught.value.field == field


async def test_of_twins_one_creates_and_the_other_is_told(registry: PostgresRegistry) -> None:
    async def put(n: int) -> str:
        try:
            return (await registry.put_tenant(tenant(display_name=f"twin {n}"), ANN, create_only=True)).outcome
        except Taken as error:
            return error.field

    assert sorted(await asyncio.gather(*(put(n) for n in range(12)))) == ["created", *["name"] * 11]


async def test_tenants_are_listed_by_label_name_and_maker(registry: PostgresRegistry) -> None:
    for n, name in enumerate(["acme", "bolt", "cora"]):
        await registry.put_tenant(
            tenant(name, labels={"n": str(n % 2)}, display_name=name.upper()), Actor(name=name, via="http")
        )
    page = await registry.list_tenants(selector={"n": "0"})
    assert [row.name for row in page.rows] == ["acme", "cora"]
    assert [row.name for row in (await registry.list_tenants(names=["bolt", "none"])).rows] == ["bolt"]
    assert [row.name for row in (await registry.list_tenants(created_by="cora")).rows] == ["cora"]
    second = await registry.list_tenants(limit=1, offset=1)
    assert (second.count, [row.name for row in second.rows]) == (3, ["bolt"])
    assert (await registry.list_tenants(limit=1, offset=9)).count == 3
    found = await registry.find_display_name("aCmE")
    assert found is not None and found.name == "acme"
    assert await registry.find_display_name("nobody") is None
    with pytest.raises(NotFound):
        await registry.get_tenant("9" * 30)


async def test_a_deletion_can_be_hurried_and_the_audit_log_says_so(registry: PostgresRegistry) -> None:
    await registry.put_tenant(tenant(), ANN)
    await registry.set_state("acme", "deleted", ANN)
    row = await registry.set_state("acme", "deleted", ANN, purge_mode="now")
    assert row.purge_at == NOW
    newest = (await registry.audit(subject="acme"))[0]
    assert (newest.action, newest.detail, newest.actor) == ("change tenant", "purge: wait -> now", ANN.name)


async def test_deletion_is_undone_until_its_purge(registry: PostgresRegistry, store: PostgresStore) -> None:
    await registry.put_tenant(tenant(), ANN)
    row = await registry.set_state("acme", "deleted", ANN)
    assert row.purge_at == NOW + timedelta(days=7)
    assert (await registry.set_state("acme", "running", ANN)).purge_at is None
    assert (await registry.set_state("acme", "deleted", ANN, purge_mode="now")).purge_at == NOW
    with pytest.raises(Invalid, match="purge of tenant 'acme' began"):
        await registry.set_state("acme", "running", ANN)
    claim = await claim_one(store, "acme")
    await store.finish(claim, verdict(phase=Phase.DELETED, generation=4, purged=True), NOW)
    assert (await registry.list_tenants()).count == 0
    tombstone = await registry.get_tenant("acme")
    assert tombstone.purged and (await registry.list_tenants(include_purged=True)).count == 1
    with pytest.raises(Invalid, match="deleted and purged"):
        await registry.set_state("acme", "running", ANN)
    with pytest.raises(NotFound):
        await registry.set_state("nobody", "running", ANN)


async def test_the_status_is_fresh_only_for_its_generation(registry: PostgresRegistry, store: PostgresStore) -> None:
    await registry.put_tenant(tenant(), ANN)
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    assert (await registry.get_tenant("acme")).fresh
    await registry.put_tenant({"name": "acme", "labels": {"a": "b"}}, ANN)
    row = await registry.get_tenant("acme")
    assert not row.fresh and row.status is not None and row.reconciled_at == NOW


async def test_a_blueprint_edit_is_a_revision_with_a_rollout(registry: PostgresRegistry, store: PostgresStore) -> None:
    assert (await registry.put_blueprint("crm", DOCUMENT, ANN)).outcome == "unchanged"
    await registry.put_tenant(tenant(), ANN)
    await registry.put_tenant(tenant("bolt", details={"pin": {"revision": 1, "until": "2027-01-01", "why": "x"}}), ANN)
    edited = DOCUMENT | {"onDelete": {"keepFor": "3d"}, "rollout": {"step": "50%", "stopAfter": 2}}
    applied = await registry.put_blueprint("crm", edited, ANN)
    assert (applied.outcome, applied.revision) == ("changed", 2)
    (rollout,) = await store.rollouts(NOW)
    assert (rollout.blueprint, rollout.revision, rollout.policy.stop_after) == ("crm", 2, 2)
    assert [(one.name, one.revision, one.pinned) for one in rollout.tenants] == [("acme", 1, False), ("bolt", 1, True)]
    assert await store.assign(["acme"], 2, NOW) == ["acme"]
    assert await store.assign(["acme"], 2, NOW) == []
    assert await store.assign(["acme"], 3, NOW) == []
    assert (await store.load("acme", NOW)).revision == 2
    assert (await store.load("bolt", NOW)).revision == 1
    assert (await registry.get_blueprint("crm")).rollout == "r2: 1 of 2 tenants"
    assert (await registry.get_blueprint("crm", 1)).document == DOCUMENT
    assert (await registry.set_state("acme", "deleted", ANN)).purge_at == NOW + timedelta(days=3)
    await store.finish_rollout("crm")
    assert await store.rollouts(NOW) == []


async def test_a_stopped_rollout_keeps_its_revision_from_new_tenants(
    registry: PostgresRegistry, store: PostgresStore
) -> None:
    await registry.put_tenant(tenant(), ANN)
    await registry.put_blueprint("crm", DOCUMENT | {"drift": "report"}, ANN)
    await store.stop_rollout("crm", "acme failed")
    assert (await registry.put_tenant(tenant("bolt"), ANN)).revision == 1
    (row,) = await registry.list_blueprints()
    assert row.rollout == "r2 stopped at 0 of 2 tenants: acme failed"
    await registry.retry_rollout("crm", ANN)
    assert (await registry.put_tenant(tenant("cora"), ANN)).revision == 2
    assert len(await store.rollouts(NOW)) == 1
    with pytest.raises(NotFound):
        await registry.retry_rollout("crm", ANN)


async def test_a_pin_ends_and_may_name_nothing(registry: PostgresRegistry, store: PostgresStore) -> None:
    pin = {"pin": {"revision": 9, "until": "2026-11-23", "why": "x"}}
    await registry.put_tenant(tenant(details=pin), ANN)
    today = await store.load("acme", NOW)
    assert today.blueprint is None and "has no revision 9" in today.invalid[0]
    tomorrow = await store.load("acme", NOW + timedelta(days=1))
    assert tomorrow.blueprint is not None and tomorrow.revision == 1


async def test_a_tier_in_use_cannot_leave(registry: PostgresRegistry) -> None:
    await registry.put_tenant(tenant(), ANN)
    without = DOCUMENT | {"tiers": {"pro": {}}}
    with pytest.raises(Invalid) as caught:
        await registry.put_blueprint("crm", without, ANN)
    assert caught.value.problems[0].path == "spec.tiers.starter" and "acme" in str(caught.value)
    assert (await registry.get_blueprint("crm")).revision == 1
    await registry.put_tenant({"name": "acme", "tier": "pro"}, ANN)
    await registry.put_blueprint("crm", without, ANN)
    with pytest.raises(Invalid, match="it has: pro"):
        await registry.put_tenant(tenant("bolt"), ANN)


async def test_a_blueprint_without_tiers_takes_none(registry: PostgresRegistry) -> None:
    await registry.put_blueprint("docs", {key: DOCUMENT[key] for key in ("template", "entrypoint")}, ANN)
    assert (await registry.put_tenant({"name": "cora", "blueprint": "docs", "tier": ""}, ANN)).outcome == "created"
    with pytest.raises(Invalid, match="it has no tiers"):
        await registry.put_tenant({"name": "dune", "blueprint": "docs", "tier": "pro"}, ANN)


async def test_an_edit_that_asks_for_more_does_not_forbid_a_suspension(registry: PostgresRegistry) -> None:
    await registry.put_tenant(tenant(), ANN)
    more = {**DOCUMENT["params"], "plan": {"type": "string", "required": True}}  # type: ignore[dict-item]
    await registry.put_blueprint("crm", DOCUMENT | {"params": more}, ANN)
    assert (await registry.set_state("acme", "suspended", ANN)).state == "suspended"


async def test_refused_documents_are_listed_until_a_good_one_comes(registry: PostgresRegistry) -> None:
    await registry.reject("Tenant", "acme", [Problem(path="spec.tier", message="no", file="a.yaml", line=8)], ANN)
    (found,) = await registry.rejections()
    assert (found.kind, found.name, found.message, found.at) == ("Tenant", "acme", "a.yaml:8 spec.tier: no", NOW)
    await registry.put_tenant(tenant(), ANN)
    assert await registry.rejections() == []


async def test_secrets_reach_the_pass_and_nobody_else(
    registry: PostgresRegistry, store: PostgresStore, database: Database
) -> None:
    await registry.put_tenant(tenant(), ANN)
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    await registry.set_secret("tenant", "acme", "SMTP_PASSWORD", Sensitive("hunter2-tenant"), ANN)
    await registry.set_secret("blueprint", "crm", "SENTRY_DSN", Sensitive("hunter2-shared"), ANN)
    await store.put_connection("acme", "db", {"password": Sensitive("hunter2-db")})
    kept = await store.put_secrets("acme", {"KEY": Sensitive("hunter2-made")})
    again = await store.put_secrets("acme", {"KEY": Sensitive("another")})
    assert kept == again
    claim = await claim_one(store, "acme")
    assert claim.wake_class is WakeClass.USER
    record = await store.load("acme", NOW)
    assert record.secrets[SecretRef("SMTP_PASSWORD")].reveal() == "hunter2-tenant"
    assert record.secrets[SecretRef("SENTRY_DSN", shared=True)].reveal() == "hunter2-shared"
    assert record.secrets[SecretRef("KEY")].reveal() == "hunter2-made"
    assert record.connection[("db", "password")].reveal() == "hunter2-db"
    assert list(await registry.list_secrets("tenant", "acme")) == ["KEY", "SMTP_PASSWORD"]
    tables = database.run("SELECT tablename FROM pg_tables WHERE schemaname = 'reconciler'")
    assert len(tables) > 20
    for table in tables:
        text = str(database.run(f"SELECT t::text FROM reconciler.{table['tablename']} t"))
        assert "hunter2" not in text, table
        assert b"hunter2".hex() not in text, table
    await registry.delete_secret("tenant", "acme", "SMTP_PASSWORD", ANN)
    with pytest.raises(NotFound):
        await registry.delete_secret("tenant", "acme", "SMTP_PASSWORD", ANN)
    with pytest.raises(NotFound):
        await registry.set_secret("tenant", "nobody", "A", Sensitive("x"), ANN)
    with pytest.raises(Invalid):
        await registry.set_secret("system", "", "digest", Sensitive("x"), ANN)


async def test_a_hold_has_a_reason_and_an_end(registry: PostgresRegistry, store: PostgresStore) -> None:
    await registry.put_tenant(tenant(), ANN)
    await registry.set_hold("acme", "incident 311", NOW + timedelta(hours=2), ANN)
    record = await store.load("acme", NOW)
    assert record.hold is not None and (record.hold.by, record.hold.why) == ("ann", "incident 311")
    assert (await registry.get_tenant("acme")).hold == record.hold
    assert (await store.load("acme", NOW + timedelta(hours=3))).hold is None
    await registry.clear_hold("acme", ANN)
    with pytest.raises(NotFound):
        await registry.clear_hold("acme", ANN)
    with pytest.raises(Invalid):
        await registry.set_hold("acme", "late", NOW, ANN)


async def test_reconcile_lifts_refusals_and_leaves_a_token(
    registry: PostgresRegistry, store: PostgresStore, database: Database
) -> None:
    await registry.put_tenant(tenant(), ANN)
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    database.run("INSERT INTO reconciler.refusals VALUES ('acme', 'app', 'h', 1, 422, 'bad plan', now())")
    assert (await store.load("acme", NOW)).refusals[0].message == "bad plan"
    token = await registry.reconcile("acme", ANN)
    record = await store.load("acme", NOW)
    assert record.reconcile_token == token and record.refusals == () and record.generation == 1
    assert (await claim_one(store, "acme")).wake_class is WakeClass.USER
    with pytest.raises(NotFound):
        await registry.reconcile("nobody", ANN)


async def test_events_can_be_watched(registry: PostgresRegistry, store: PostgresStore) -> None:
    await registry.put_tenant(tenant(), ANN)
    events = [Event(reason=Reason.CREATED, message=f"{n}", component=f"c{n}") for n in range(5)]
    await store.finish(await claim_one(store, "acme"), verdict(events=events), NOW)
    newest = await registry.events("acme", limit=2)
    assert [one.component for one in newest] == ["c3", "c4"]
    assert [one.component for one in await registry.events(None, after=newest[0].id)] == ["c4"]


async def test_costs_are_sums_of_intervals(registry: PostgresRegistry, store: PostgresStore, clock: StillClock) -> None:
    await registry.put_tenant(tenant(labels={"segment": "smb"}), ANN)
    await registry.put_tenant(tenant("bolt"), ANN)

    def interval(name: str, id: str, at: datetime, usd: str | None, plan: str) -> Interval:
        price = None if usd is None else Decimal(usd)
        return Interval(
            tenant=name, component="app", resource_id=id, at=at, uncertainty_s=2.5, facts={"plan": plan},
            usd_per_month=price, book="2026-11",
        )  # fmt: skip

    start = datetime(2026, 11, 1, tzinfo=NOW.tzinfo)
    await store.meter([interval("acme", "srv-1", start, "30", "starter")], {})
    await store.meter([interval("acme", "srv-1", start + timedelta(days=5), "30", "starter")], {})
    await store.meter([interval("acme", "srv-1", start + timedelta(days=10), "60", "standard")], {})
    await store.meter([interval("bolt", "srv-2", start, None, "exotic")], {})
    clock.at = start + timedelta(days=20)
    by_tenant = {row.key: row for row in await registry.costs("tenant", start, start + timedelta(days=30))}
    acme = by_tenant["acme"]
    assert (acme.usd.quantize(Decimal("0.000001")), acme.usd_per_month, acme.unknown) == (Decimal("30.000000"), 60, 0)
    assert acme.usd_forecast.quantize(Decimal("0.000001")) == Decimal("50.000000")
    assert acme.uncertainty_s == 7.5
    assert (by_tenant["bolt"].usd, by_tenant["bolt"].unknown) == (0, 1)
    by_label = {row.key: row.usd_per_month for row in await registry.costs("label:segment", start, clock.at)}
    assert by_label == {"": 0, "smb": 60}
    assert [row.key for row in await registry.costs("tier", start, clock.at, {"segment": "smb"})] == ["starter"]
    await store.meter([], {"srv-1": End(at=start + timedelta(days=15), uncertainty_s=4.0)})
    await store.meter([], {"srv-1": End(at=start + timedelta(days=17))})
    (ended,) = await registry.costs("component", start, clock.at, {"segment": "smb"})
    assert ended.uncertainty_s == 7.5 + 4.0
    assert (ended.key, ended.usd.quantize(Decimal("0.01")), ended.usd_per_month) == ("acme/app", Decimal("20.00"), 0)
    with pytest.raises(Invalid):
        await registry.costs("weather", start, clock.at)


async def test_the_create_queue_has_positions_and_times(registry: PostgresRegistry, store: PostgresStore) -> None:
    for name, started, wanted, priority in (("acme", False, 15, 50), ("bolt", True, 3, 50), ("cora", False, 5, 90)):
        await registry.put_tenant(tenant(name), ANN)
        demand = Demand(wanted=wanted, ready=1, started=started, priority=priority, since=NOW)
        await store.finish(await claim_one(store, name, name), verdict(demand=demand), NOW)
        await store.release_all(name)
    rows = await registry.queue()
    assert [(row.position, row.tenant, row.eta) for row in rows] == [
        (1, "bolt", NOW), (2, "cora", NOW), (3, "acme", NOW.replace(hour=14, minute=0, second=0)),
    ]  # fmt: skip


async def test_keys_are_found_by_their_secret_alone(registry: PostgresRegistry, database: Database) -> None:
    key, secret = await registry.create_key("ci", ["read", "signup"], ANN)
    assert await registry.find_key(secret) == key
    assert secret.reveal() not in str(database.run("SELECT k::text FROM reconciler.api_keys k"))
    for wrong in (
        "",
        "rcl_",
        secret.reveal()[:-1] + "!",
        secret.reveal()[:-1] + ("A" if secret.reveal()[-1] != "A" else "B"),
    ):
        assert await registry.find_key(Sensitive(wrong)) is None
    with pytest.raises(Taken):
        await registry.create_key("ci", ["read"], ANN)
    with pytest.raises(Invalid):
        await registry.create_key("x", ["root"], ANN)
    await registry.revoke_key("ci", ANN)
    assert await registry.find_key(secret) is None
    assert [one.revoked_at for one in await registry.list_keys()] == [NOW]
    with pytest.raises(NotFound):
        await registry.revoke_key("ci", ANN)
    await registry.create_key("ci", ["admin"], ANN)


async def test_a_repeated_request_gets_its_answer(registry: PostgresRegistry, database: Database) -> None:
    assert await registry.remember("k", "f") is None
    with pytest.raises(Taken) as caught:
        await registry.remember("k", "f")
    assert caught.value.field == "in_flight"
    await registry.answer("k", "f", 201, {"id": 1})
    assert await registry.remember("k", "f") == (201, {"id": 1})
    with pytest.raises(Taken) as caught:
        await registry.remember("k", "other")
    assert caught.value.field == "body"
    database.run("UPDATE reconciler.idempotency SET at = now() - interval '25 hours'")
    assert await registry.remember("k", "other") is None
    await registry.forget("k", "other")
    assert await registry.remember("k", "f") is None
    database.run("UPDATE reconciler.idempotency SET at = now() - interval '61 seconds'")
    assert await registry.remember("k", "f") is None


async def test_of_concurrent_twins_one_goes_on(registry: PostgresRegistry) -> None:
    async def begin() -> bool:
        try:
            return await registry.remember("k", "f") is None
        except Taken:
            return False

    assert sum(await asyncio.gather(*(begin() for _ in range(20)))) == 1


async def test_the_brake_is_audited(registry: PostgresRegistry) -> None:
    await registry.set_brake(Brake.STOP, "incident", ANN)
    assert await registry.brake() == (Brake.STOP, "incident")
    assert (await registry.audit(limit=1))[0].action == "brake stop"


async def test_a_tenants_version_is_another_one_whenever_its_row_or_its_status_was_written(
    registry: PostgresRegistry, store: PostgresStore, database: Database
) -> None:
    database.sign_up("acme", "bolt")
    before = await registry.versions()
    assert set(before) == {"acme", "bolt"} and await registry.versions() == before
    await store.finish(await claim_one(store, "acme"), verdict(), NOW)
    told = await registry.versions()
    assert told["acme"] != before["acme"] and told["bolt"] == before["bolt"]
    database.run("UPDATE reconciler.tenants SET tier = 'pro' WHERE name = 'bolt'")
    edited = await registry.versions()
    assert edited["bolt"] != told["bolt"] and edited["acme"] == told["acme"]
    await store.finish(await claim_one(store, "bolt"), verdict(purged=True), NOW)
    assert set(await registry.versions()) == {"acme"}
