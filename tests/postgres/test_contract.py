"""The SQL contract, statement by statement: what signup backends and operators may do, and what is refused how."""

import concurrent.futures
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import errors

from reconciler.postgres.embedded import EmbeddedPostgres
from tests.conftest import fresh_database
from tests.postgres.conftest import Database

UP = "SELECT * FROM reconciler.sign_up('sub_1', 'acme', 'crm', 'starter', 'Acme, Inc.', '{\"locale\": \"de\"}')"
INSERT = "INSERT INTO reconciler.tenants (external_id, name, blueprint, tier, params) VALUES "
DE = '\'{"locale": "de"}\''
CLIENTS = 30


@pytest.fixture
def signed_up(database: Database) -> Database:
    database.run(UP, role="signup")
    return database


@pytest.fixture(scope="module")
def settled(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Database]:
    """A signed-up database that all statements share which must leave it as it was."""
    for url in fresh_database(postgres_server.url, migrated_template):
        database = Database(url)
        database.blueprint()
        database.blueprint("docs")
        database.run(UP, role="signup")
        yield database


def refused(database: Database, statement: str, role: str = "signup") -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        database.run(statement, role=role)
    return caught.value


ALLOWED = [
    UP,
    f"{INSERT} ('sub_2', 'bolt', 'crm', 'pro', {DE})",
    "UPDATE reconciler.tenants SET tier = 'pro' WHERE external_id = 'sub_1'",
    "UPDATE reconciler.tenants SET state = 'suspended' WHERE external_id = 'sub_1'",
    "UPDATE reconciler.tenants SET state = 'deleted' WHERE external_id = 'sub_1'",
    "UPDATE reconciler.tenants SET params = params || '{\"seats\": 25}' WHERE external_id = 'sub_1'",
    "UPDATE reconciler.tenants SET labels = '{\"segment\": \"smb\"}', display_name = 'Acme'",
    "SELECT * FROM reconciler.tenants",
    "SELECT ready, url, eta, message FROM reconciler.tenant_status WHERE external_id = 'sub_1'",
    "SELECT reconciler.world_now()",
]


@pytest.mark.parametrize("statement", ALLOWED)
def test_the_signup_role_may(signed_up: Database, statement: str) -> None:
    signed_up.run(statement, role="signup")


FORBIDDEN = [
    "DELETE FROM reconciler.tenants",
    "TRUNCATE reconciler.tenants CASCADE",
    "UPDATE reconciler.tenants SET region = 'ohio'",
    "UPDATE reconciler.tenants SET priority = 90",
    "UPDATE reconciler.tenants SET details = '{}'",
    "UPDATE reconciler.tenants SET name = 'other'",
    "UPDATE reconciler.tenants SET external_id = 'x'",
    "UPDATE reconciler.tenants SET blueprint = 'crm'",
    "UPDATE reconciler.tenants SET generation = 9",
    "UPDATE reconciler.tenants SET purge_at = NULL",
    "UPDATE reconciler.tenants SET created_by = 'me'",
    "UPDATE reconciler.tenants SET revision = 9",
    "INSERT INTO reconciler.tenants (name, blueprint, tier, created_by) VALUES ('bolt', 'crm', 'pro', 'other')",
    "INSERT INTO reconciler.tenants (name, blueprint, tier, state) VALUES ('bolt', 'crm', 'pro', 'deleted')",
    "SELECT document FROM reconciler.status",
    "UPDATE reconciler.status SET phase = 'Ready'",
    "SELECT reconciler.wake(ARRAY['acme'], 'user')",
    "SELECT nextval('reconciler.event_ids')",
    "CREATE TABLE reconciler.mine (id int)",
    "ALTER TABLE reconciler.tenants DISABLE TRIGGER ALL",
    "SET ROLE operator",
    *(
        f"SELECT * FROM reconciler.{table}"
        for table in (
            "secrets", "api_keys", "operations", "inventory", "snapshot", "ledger", "events", "audit", "blueprints",
            "tiers", "blueprint_revisions", "tenant_queue", "budget", "holds", "brake", "idempotency", "world_clock",
            "alembic_version", "refusals", "rejections", "rollouts", "create_demand", "singletons", "sweeps",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_signup_role_must_not(settled: Database, statement: str) -> None:
    assert isinstance(refused(settled, statement), errors.InsufficientPrivilege)


REFUSED = [
    (f"{INSERT} ('s', 'bolt', 'crm', 'gold', {DE})", "blueprint 'crm' has no tier 'gold'", "it has: pro, starter"),
    (f"{INSERT} ('s', 'bolt', 'crm', NULL, {DE})", "blueprint 'crm' needs a tier", "it has: pro, starter"),
    (f"{INSERT} ('s', 'bolt', 'crm', '', {DE})", "blueprint 'crm' needs a tier", "it has: pro, starter"),
    (f"{INSERT} ('s', 'bolt', 'nope', 'pro', {DE})", "there is no blueprint 'nope'", "there are: crm, docs"),
    (f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{}}')", "params.locale is required by blueprint 'crm'", 'add "locale"'),
    (
        f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{\"locale\": \"xx\"}}')",
        'params.locale cannot be "xx"',
        "it is one of: en, de, fr",
    ),
    (
        f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{\"locale\": \"de\", \"seat\": 1}}')",
        "blueprint 'crm' has no parameter 'seat'",
        "it has: beta, locale, ratio, seats",
    ),
    (
        f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{\"locale\": \"de\", \"seats\": \"5\"}}')",
        "params.seats must be of type integer, not 5",
        "JSON integer",
    ),
    (
        f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{\"locale\": \"de\", \"seats\": 2.5}}')",
        "params.seats must be of type integer, not 2.5",
        "",
    ),
    (
        f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{\"locale\": \"de\", \"beta\": 1}}')",
        "params.beta must be of type boolean, not 1",
        "",
    ),
    (
        f"{INSERT} ('s', 'bolt', 'crm', 'pro', '{{\"locale\": null}}')",
        "params.locale must be of type string, not ",
        "",
    ),
    (f"{INSERT} ('s', 'bolt', 'crm', 'pro', '[]')", "params must be a JSON object", "for example"),
    (f"{INSERT} ('s', '9bolt', 'crm', 'pro', {DE})", "name '9bolt' is not a DNS label", "a letter first"),
    (f"{INSERT} ('s', 'Bolt', 'crm', 'pro', {DE})", "name 'Bolt' is not a DNS label", "lower-case"),
    (f"{INSERT} ('s', 'b', 'crm', 'pro', {DE})", "name 'b' is not a DNS label", "2 to 39"),
    (f"{INSERT} ('s', 'bolt-', 'crm', 'pro', {DE})", "name 'bolt-' is not a DNS label", "no hyphen last"),
    (f"{INSERT} ('s', NULL, 'crm', 'pro', {DE})", "name NULL is not a DNS label", ""),
    (f"{INSERT} ('s', E'bolt\\nx', 'crm', 'pro', {DE})", "is not a DNS label", ""),
    ("UPDATE reconciler.tenants SET state = 'off'", "state cannot be 'off'", "running, suspended, deleted"),
    ("UPDATE reconciler.tenants SET tier = 'gold'", "blueprint 'crm' has no tier 'gold'", "it has: pro, starter"),
    ("UPDATE reconciler.tenants SET labels = '{\"a\": 1}'", "labels must be a JSON object of strings", "segment"),
    ("UPDATE reconciler.tenants SET display_name = E'a\\u001b[2J'", "one line of printable text", "control"),
    (UP.replace("sub_1", "sub_9"), "name 'acme' is taken", "choose another"),
    (UP.replace("'sub_1'", "NULL"), "external_id is required", "same id is the same tenant"),
    (UP.replace("'sub_1'", "''"), "external_id is required", ""),
]


@pytest.mark.parametrize(("statement", "message", "hint"), REFUSED)
def test_what_is_wrong_is_refused_with_a_hint(settled: Database, statement: str, message: str, hint: str) -> None:
    error = refused(settled, statement)
    assert message in (error.diag.message_primary or "")
    assert hint in (error.diag.message_hint or "")
    assert len(settled.run("SELECT * FROM reconciler.tenants")) == 1


OPERATORS = [
    (
        "DELETE FROM reconciler.tenants WHERE name = 'acme'",
        "DELETE on reconciler.tenants is refused",
        "state = 'deleted'",
    ),
    (
        "DELETE FROM reconciler.tenants WHERE name = 'none'",
        "DELETE on reconciler.tenants is refused",
        "state = 'deleted'",
    ),
    ("UPDATE reconciler.tenants SET name = 'bolt'", "name of tenant 'acme' cannot change", "sign up a new tenant"),
    ("UPDATE reconciler.tenants SET blueprint = 'docs'", "blueprint of tenant 'acme' cannot change", ""),
]


@pytest.mark.parametrize(("statement", "message", "hint"), OPERATORS)
def test_what_nobody_may(settled: Database, statement: str, message: str, hint: str) -> None:
    for role in ("operator", ""):
        error = refused(settled, statement, role)
        assert message in (error.diag.message_primary or "")
        assert hint in (error.diag.message_hint or "")


def test_truncate_is_refused_even_to_the_owner(signed_up: Database) -> None:
    error = refused(signed_up, "TRUNCATE reconciler.tenants CASCADE", "")
    assert "TRUNCATE on reconciler.tenants is refused" in (error.diag.message_primary or "")


def test_the_operator_role_sees_all_but_ciphertext_and_hashes(signed_up: Database) -> None:
    signed_up.run("UPDATE reconciler.tenants SET priority = 90, details = '{\"env\": {}}'", role="operator")
    signed_up.run("SELECT scope, owner, key FROM reconciler.secrets", role="operator")
    signed_up.run("SELECT * FROM reconciler.operations, reconciler.tenant_queue, reconciler.audit", role="operator")
    for statement in (
        "SELECT ciphertext FROM reconciler.secrets",
        "SELECT hash FROM reconciler.api_keys",
        "INSERT INTO reconciler.api_keys (id) VALUES ('x')",
        "UPDATE reconciler.ledger SET usd_per_month = 0",
        "UPDATE reconciler.operations SET state = 'succeeded'",
        "SELECT * FROM reconciler.idempotency",
    ):
        assert isinstance(refused(signed_up, statement, "operator"), errors.InsufficientPrivilege), statement


def test_the_region_is_free_until_something_is_built(signed_up: Database) -> None:
    signed_up.run("UPDATE reconciler.tenants SET region = 'ohio'", role="operator")
    signed_up.run(
        "INSERT INTO reconciler.inventory (workspace, id, tenant, component, kind, name) "
        "VALUES ('t', 'srv-1', 'acme', 'app', 'web service', 'app-acme')"
    )
    error = refused(signed_up, "UPDATE reconciler.tenants SET region = 'frankfurt'", "operator")
    assert "region of tenant 'acme' cannot change" in (error.diag.message_primary or "")
    assert error.diag.column_name == "region"


def test_a_signup_role_sees_only_its_own_rows(signed_up: Database) -> None:
    signed_up.sign_up("bolt", role="operator")
    assert [row["name"] for row in signed_up.run("SELECT name FROM reconciler.tenants", role="signup")] == ["acme"]
    assert [row["name"] for row in signed_up.run("SELECT name FROM reconciler.tenant_status", role="signup")] == [
        "acme"
    ]
    signed_up.run("UPDATE reconciler.tenants SET state = 'deleted' WHERE name = 'bolt'", role="signup")
    assert signed_up.one("SELECT state FROM reconciler.tenants WHERE name = 'bolt'")["state"] == "running"
    error = refused(signed_up, UP.replace("sub_1", "sub_bolt").replace("acme", "carl"))
    assert "taken" in (error.diag.message_primary or "")


def test_signing_up_again_answers_the_row_whatever_became_of_it(signed_up: Database) -> None:
    for state in ("suspended", "deleted"):
        signed_up.run(f"UPDATE reconciler.tenants SET state = '{state}'", role="signup")
        (row,) = signed_up.run(UP, role="signup")
        assert (row["name"], row["state"]) == ("acme", state)
    signed_up.run("UPDATE reconciler.tenants SET purged_at = now()")
    (row,) = signed_up.run(UP, role="signup")
    assert (row["state"], row["phase"], row["ready"]) == ("deleted", "Deleted", False)
    # Not even a Blueprint that would refuse the words today keeps a retry from its row.
    (row,) = signed_up.run("SELECT * FROM reconciler.sign_up('sub_1', 'acme', 'crm', 'gold')", role="signup")
    assert row["name"] == "acme"
    error = refused(signed_up, "UPDATE reconciler.tenants SET state = 'running'")
    assert "was deleted and purged" in (error.diag.message_primary or "")
    assert "another name" in (error.diag.message_hint or "")


def test_only_what_a_person_may_say_counts_a_generation(signed_up: Database) -> None:
    def generation() -> int:
        row = signed_up.one("SELECT generation FROM reconciler.tenants")
        count: int = row["generation"]
        return count

    assert generation() == 1
    for change in (
        "tier = 'pro'",
        'labels = \'{"a": "b"}\'',
        "priority = 60",
        "region = 'ohio'",
        "state = 'suspended'",
    ):
        before = generation()
        signed_up.run(f"UPDATE reconciler.tenants SET {change}", role="operator")
        signed_up.run(f"UPDATE reconciler.tenants SET {change}", role="operator")
        assert generation() == before + 1, change
    before = generation()
    signed_up.run(
        "UPDATE reconciler.tenants SET revision = 4, reconcile_token = 'x', external_id = 'sub_2', generation = 99"
    )
    assert generation() == before


def test_a_change_wakes_the_operator_at_commit_and_nothing_else_does(signed_up: Database) -> None:
    with psycopg.connect(signed_up.url, autocommit=True) as listener, psycopg.connect(signed_up.url) as client:
        listener.execute("LISTEN reconciler_tenants")
        listener.execute("LISTEN reconciler_status")
        client.execute("UPDATE reconciler.tenants SET tier = 'pro'")
        client.execute("UPDATE reconciler.tenants SET tier = 'starter'")
        assert list(listener.notifies(timeout=0.1)) == []
        client.commit()
        heard = [(one.channel, one.payload) for one in listener.notifies(timeout=1, stop_after=1)]
        assert heard == [("reconciler_tenants", "acme")]
        client.execute("UPDATE reconciler.tenants SET tier = 'starter', revision = 7")
        client.commit()
        assert list(listener.notifies(timeout=0.1)) == []
        client.rollback()
    row = signed_up.one("SELECT wake_seq, wake_class FROM reconciler.tenant_queue")
    assert row == {"wake_seq": 3, "wake_class": "user"}


def test_the_product_s_long_transaction_does_not_lock_the_queue(signed_up: Database) -> None:
    with psycopg.connect(signed_up.url) as client:
        client.execute("UPDATE reconciler.tenants SET tier = 'pro'")
        signed_up.run("UPDATE reconciler.tenant_queue SET due_at = now()")
        client.commit()


def put_status(database: Database, phase: str, generation: int = 1) -> None:
    database.run(
        "INSERT INTO reconciler.status "
        "VALUES ('acme', %s, %s, 'https://a', now(), 'it answers 200', 41.5, %s, 1, '{}', now()) "
        "ON CONFLICT (name) DO UPDATE SET phase = excluded.phase, ready = excluded.ready, "
        "observed_generation = excluded.observed_generation",
        [phase, phase == "Ready", generation],
    )


def test_the_view_never_tells_an_old_truth(signed_up: Database) -> None:
    def view() -> dict[str, Any]:
        return signed_up.one(
            "SELECT phase, ready, message, eta IS NOT NULL AS eta FROM reconciler.tenant_status", role="signup"
        )

    assert view() == {"phase": "Pending", "ready": False, "message": "accepted", "eta": False}
    put_status(signed_up, "Ready")
    assert view() == {"phase": "Ready", "ready": True, "message": "it answers 200", "eta": True}
    signed_up.run("UPDATE reconciler.tenants SET tier = 'pro'", role="signup")
    assert view() == {"phase": "Pending", "ready": False, "message": "accepted", "eta": False}
    put_status(signed_up, "Ready", 2)
    signed_up.run("UPDATE reconciler.tenants SET state = 'suspended'", role="signup")
    put_status(signed_up, "Ready", 3)
    assert view()["ready"] is False


def test_a_change_of_phase_is_told(signed_up: Database) -> None:
    with psycopg.connect(signed_up.url, autocommit=True) as listener:
        listener.execute("LISTEN reconciler_status")
        for phase in ("Pending", "Pending", "Ready", "Ready"):
            put_status(signed_up, phase)
        assert [one.payload for one in listener.notifies(timeout=0.3)] == ["acme", "acme"]


def test_a_deletion_is_timed_by_the_world_and_its_blueprint(signed_up: Database) -> None:
    world = datetime(2031, 1, 1, tzinfo=UTC)
    signed_up.run("INSERT INTO reconciler.world_clock VALUES (true, %s, now(), 0)", [world])
    signed_up.run("UPDATE reconciler.blueprints SET keep_for_s = 86400")
    signed_up.run("UPDATE reconciler.tenants SET state = 'deleted'", role="signup")
    row = signed_up.one("SELECT purge_at, deleted_at, purge_mode FROM reconciler.tenants")
    assert row == {"purge_at": world + timedelta(days=1), "deleted_at": world, "purge_mode": "wait"}
    signed_up.run('UPDATE reconciler.tenants SET labels = \'{"a": "b"}\'', role="signup")
    assert signed_up.one("SELECT purge_at FROM reconciler.tenants")["purge_at"] == world + timedelta(days=1)
    signed_up.run("UPDATE reconciler.world_clock SET world_at = world_at + interval '2 days'")
    error = refused(signed_up, "UPDATE reconciler.tenants SET state = 'running'")
    assert "purge of tenant 'acme' began" in (error.diag.message_primary or "")


def test_a_deletion_that_waits_can_be_hastened(signed_up: Database) -> None:
    world = datetime(2031, 1, 1, tzinfo=UTC)
    signed_up.run("INSERT INTO reconciler.world_clock VALUES (true, %s, now(), 0)", [world])
    signed_up.run("UPDATE reconciler.tenants SET state = 'deleted'", role="signup")
    signed_up.run("UPDATE reconciler.tenants SET purge_mode = 'now'")
    assert signed_up.one("SELECT purge_at FROM reconciler.tenants")["purge_at"] == world
    told = signed_up.run("SELECT detail FROM reconciler.audit ORDER BY id DESC LIMIT 2")
    assert [row["detail"] for row in told] == ["purge: wait -> now", "state: running -> deleted"]


def test_a_fast_world_stands_still_without_its_daemon(signed_up: Database) -> None:
    world = datetime(2031, 1, 1, tzinfo=UTC)
    signed_up.run("INSERT INTO reconciler.world_clock VALUES (true, %s, now() - interval '1 day', 60)", [world])
    assert signed_up.one("SELECT reconciler.world_now() AS w")["w"] == world + timedelta(hours=2)
    signed_up.run("UPDATE reconciler.world_clock SET speed = 1")
    assert signed_up.one("SELECT reconciler.world_now() AS w")["w"] - world > timedelta(hours=23)


def test_the_ledger_is_append_only(signed_up: Database) -> None:
    signed_up.run(
        "INSERT INTO reconciler.ledger (workspace, tenant, component, resource_id, blueprint, started_at, facts, book) "
        "VALUES ('t', 'acme', 'app', 'srv-1', 'crm', '2026-01-01', '{}', 'b')"
    )
    for statement in (
        "UPDATE reconciler.ledger SET usd_per_month = 1",
        "UPDATE reconciler.ledger SET ended_at = '2026-02-01', started_at = '2026-01-02'",
        "DELETE FROM reconciler.ledger",
        "TRUNCATE reconciler.ledger",
    ):
        assert "append-only" in (refused(signed_up, statement, "").diag.message_hint or "")
    signed_up.run("UPDATE reconciler.ledger SET ended_at = '2026-02-01'")
    assert "append-only" in (
        refused(signed_up, "UPDATE reconciler.ledger SET ended_at = '2026-03-01'", "").diag.message_hint or ""
    )


def test_nobody_but_the_operator_s_connection_speaks_for_others(signed_up: Database) -> None:
    with psycopg.connect(signed_up.url, autocommit=True) as client:
        client.execute("SET SESSION AUTHORIZATION signup")
        client.execute("SET reconciler.actor = 'boss'")
        client.execute("SET reconciler.via = 'console'")
        client.execute("UPDATE reconciler.tenants SET tier = 'pro'")
    row = signed_up.one("SELECT actor, via FROM reconciler.audit ORDER BY id DESC LIMIT 1")
    assert row == {"actor": "signup", "via": "sql"}


# ------------------------------------------------------------ under concurrency


def together(database: Database, statements: list[str]) -> list[tuple[str, Any]]:
    """Run every statement on a connection of its own, all at the same moment; answer row or error of each."""
    barrier = threading.Barrier(len(statements))

    def run(statement: str) -> tuple[str, Any]:
        with psycopg.connect(database.url, autocommit=True) as client:
            client.execute("SET SESSION AUTHORIZATION signup")
            barrier.wait()
            try:
                cursor = client.execute(statement.encode())
                return ("row", cursor.fetchone() if cursor.description else None)
            except psycopg.Error as error:
                return ("error", error)

    with concurrent.futures.ThreadPoolExecutor(len(statements)) as pool:
        return list(pool.map(run, statements))


def test_concurrent_twins_all_get_the_same_row(database: Database) -> None:
    answers = together(database, [UP] * CLIENTS)
    assert {kind for kind, _ in answers} == {"row"}
    assert {row[0] for _, row in answers} == {"acme"}
    assert len(database.run("SELECT * FROM reconciler.tenants")) == 1
    assert len(database.run("SELECT * FROM reconciler.tenant_queue")) == 1


def test_of_many_ids_that_want_one_name_one_gets_it(database: Database) -> None:
    answers = together(database, [UP.replace("sub_1", f"sub_{n}") for n in range(CLIENTS)])
    taken = [error for kind, error in answers if kind == "error"]
    assert len(taken) == CLIENTS - 1
    assert all(
        isinstance(error, errors.UniqueViolation) and error.diag.message_hint == "choose another" for error in taken
    )


def test_one_id_under_many_names_is_one_tenant(database: Database) -> None:
    answers = together(database, [UP.replace("acme", f"acme-{n}") for n in range(CLIENTS)])
    assert {kind for kind, _ in answers} == {"row"}
    assert len({row[0] for _, row in answers}) == 1


def test_concurrent_changes_count_every_generation_and_wake(signed_up: Database) -> None:
    statements = [f"UPDATE reconciler.tenants SET display_name = 'n{n}'" for n in range(CLIENTS)]
    assert {kind for kind, _ in together(signed_up, statements)} == {"row"}
    row = signed_up.one(
        "SELECT generation, wake_seq FROM reconciler.tenants JOIN reconciler.tenant_queue ON tenant = name"
    )
    assert row == {"generation": CLIENTS + 1, "wake_seq": CLIENTS + 1}


def test_mixed_traffic_fails_by_nothing_but_deadlocks_of_its_own(database: Database) -> None:
    statements = []
    for n in range(CLIENTS):
        sign_up = UP.replace("sub_1", f"sub_{n % 6}").replace("acme", f"acme-{n % 6}")
        change = f"UPDATE reconciler.tenants SET tier = 'pro' WHERE external_id IN ('sub_{n % 6}', 'sub_{(n + 1) % 6}')"
        statements.append(sign_up if n % 2 else change)
    answers = together(database, statements)
    unexpected = [e for kind, e in answers if kind == "error" and not isinstance(e, errors.DeadlockDetected)]
    assert unexpected == []
