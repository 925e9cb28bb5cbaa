"""A signup backend with nothing but SQL and its own login: sign up, upgrade, suspend, cancel, followed to the end."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row

from reconciler.core.values import Sensitive
from reconciler.postgres.roles import SIGNUP, role_url, set_role_passwords
from tests.engine.documents import ONE_WEB, tenant
from tests.engine.following import assert_still, follow
from tests.engine.world import World

DAY = 86_400
Ask = Callable[..., list[dict]]
UP = "SELECT * FROM reconciler.sign_up('sub_1', 'gaia', 'one', 'small', 'Gaia Ltd.')"
STATUS = "SELECT * FROM reconciler.tenant_status WHERE external_id = 'sub_1'"


@pytest.fixture
def ask(world: World) -> Ask:
    """Run one statement in a transaction of its own, logged in as the role `signup`."""
    password = Sensitive("s3cret of the signup role")
    url = world.settings.database_url
    set_role_passwords(url, {SIGNUP: password})
    own = role_url(url, SIGNUP, password)

    def run(statement: str) -> list[dict]:
        with psycopg.connect(own, row_factory=dict_row) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else []

    return run


async def test_a_whole_life_through_plain_sql(world: World, ask: Ask) -> None:
    await world.apply(ONE_WEB.replace("  tiers:", "  onDelete: {keepFor: 2d}\n  tiers:"))
    first, again = ask(UP), ask(UP)
    assert first == again and (first[0]["phase"], first[0]["ready"]) == ("Pending", False)
    assert first[0]["message"] == "accepted"
    await world.settle("gaia")
    (row,) = ask(UP)
    assert (row["phase"], row["ready"], row["url"]) == ("Ready", True, "https://app-gaia.onrender.com")
    assert row["monthly_usd"] == 7 and row["message"].endswith("answers 200")
    assert len((await world.simulator.truth())["services"]) == 1
    assert (await world.tenant("gaia")).created_by == "signup"

    ask("UPDATE reconciler.tenants SET tier = 'big' WHERE external_id = 'sub_1'")
    assert [(one["phase"], one["ready"]) for one in ask(STATUS)] == [("Pending", False)], "never an old truth"
    up = await follow(world, world.step(1), "gaia")
    assert up.live("services", "app-gaia")["serviceDetails"]["plan"] == "standard"
    assert ask(STATUS)[0]["monthly_usd"] == 50

    ask("UPDATE reconciler.tenants SET state = 'suspended' WHERE external_id = 'sub_1'")
    off = await follow(world, world.step(1), "gaia", phase="Suspended")
    assert off.writes == ["POST services/app-gaia/suspend"]
    assert (ask(STATUS)[0]["ready"], ask(STATUS)[0]["phase"]) == (False, "Suspended")
    ask("UPDATE reconciler.tenants SET state = 'running' WHERE external_id = 'sub_1'")
    assert (await follow(world, world.step(1), "gaia")).writes == ["POST services/app-gaia/resume"]
    await assert_still(world)

    ask("UPDATE reconciler.tenants SET state = 'deleted' WHERE external_id = 'sub_1'")
    await world.run(lambda: _phase(world, "Deleting"))
    assert ask(STATUS)[0]["purge_at"] is not None
    ask("UPDATE reconciler.tenants SET state = 'running' WHERE external_id = 'sub_1'")
    await world.settle("gaia")
    assert ask(STATUS)[0]["purge_at"] is None and ask(STATUS)[0]["ready"]
    ask("UPDATE reconciler.tenants SET state = 'deleted' WHERE external_id = 'sub_1'")
    await follow(world, world.step(2 * DAY), "gaia", phase="Deleted", step_s=3600.0, within_s=4 * DAY)

    # A late retry of the payment provider answers the tombstone and resurrects nothing.
    (late,) = ask(UP)
    assert (late["phase"], late["ready"], late["state"]) == ("Deleted", False, "deleted")
    with pytest.raises(psycopg.errors.CheckViolation, match="was deleted and purged"):
        ask("UPDATE reconciler.tenants SET state = 'running' WHERE external_id = 'sub_1'")
    assert (await world.simulator.truth())["services"] == []
    assert await world.quiet(300) == []


async def _phase(world: World, phase: str) -> bool:
    row = await world.tenant("gaia")
    return row.fresh and row.status is not None and row.status.phase == phase


REFUSED = [
    ("DELETE FROM reconciler.tenants", "permission denied"),
    ("TRUNCATE reconciler.tenants", "permission denied"),
    ("UPDATE reconciler.tenants SET region = 'ohio'", "permission denied"),
    ("UPDATE reconciler.tenants SET priority = 100", "permission denied"),
    ("UPDATE reconciler.tenants SET details = '{\"drift\": 1}'", "permission denied"),
    ("UPDATE reconciler.tenants SET purge_mode = 'now'", "permission denied"),
    ("UPDATE reconciler.tenants SET revision = 1", "permission denied"),
    ("UPDATE reconciler.tenants SET external_id = 'sub_2'", "permission denied"),
    (
        "INSERT INTO reconciler.tenants (name, blueprint, tier, region) VALUES ('x1', 'one', 'small', 'ohio')",
        "permission",
    ),
    ("SELECT * FROM reconciler.secrets", "permission denied"),
    ("SELECT * FROM reconciler.inventory", "permission denied"),
    ("SELECT * FROM reconciler.operations", "permission denied"),
    ("SELECT * FROM reconciler.events", "permission denied"),
    ("SELECT * FROM reconciler.api_keys", "permission denied"),
    ("SELECT document FROM reconciler.status", "permission denied"),
    ("UPDATE reconciler.brake SET mode = 'normal'", "permission denied"),
    ("UPDATE reconciler.tenant_queue SET due_at = 'epoch'", "permission denied"),
    ("SELECT reconciler.wake(ARRAY['acme'], 'user')", "permission denied"),
    ("CREATE TABLE reconciler.mine (a int)", "permission denied"),
    ("UPDATE reconciler.tenants SET tier = 'gold'", "blueprint 'one' has no tier 'gold'"),
    ("UPDATE reconciler.tenants SET state = 'paused'", "state cannot be 'paused'"),
    ("SELECT * FROM reconciler.sign_up('sub_3', 'Bad Name', 'one', 'small')", "is not a DNS label"),
    ("SELECT * FROM reconciler.sign_up('sub_3', 'acme', 'one', 'small')", "name 'acme' is taken"),
    ("SELECT * FROM reconciler.sign_up('sub_3', 'x2', 'nope', 'small')", "there is no blueprint 'nope'"),
    ("SELECT * FROM reconciler.sign_up('sub_3', 'x2', 'one', 'small', params => '{\"a\": 1}')", "has no parameter 'a'"),
    ("SELECT * FROM reconciler.sign_up('', 'x2', 'one', 'small')", "external_id is required"),
]


async def test_what_the_signup_role_must_not_do_is_refused_and_changes_nothing(world: World, ask: Ask) -> None:
    await world.apply(ONE_WEB)
    await world.apply(tenant("acme"))
    ask(UP)
    await world.settle("acme", "gaia")
    before = [await world.tenant(name) for name in ("acme", "gaia")]
    for statement, message in REFUSED:
        with pytest.raises(psycopg.Error) as caught:
            ask(statement)
        assert message in str(caught.value), (statement, str(caught.value))
    # Rows of others are neither seen nor changed.
    assert [row["name"] for row in ask("SELECT name FROM reconciler.tenants")] == ["gaia"]
    assert [row["name"] for row in ask("SELECT name FROM reconciler.tenant_status")] == ["gaia"]
    ask("UPDATE reconciler.tenants SET state = 'deleted' WHERE name = 'acme'")
    after = [await world.tenant(name) for name in ("acme", "gaia")]
    assert [(one.generation, one.state, one.tier) for one in after] == [(o.generation, o.state, o.tier) for o in before]
    await assert_still(world)
