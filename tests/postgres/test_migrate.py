"""Migrations: from nothing, again, from many processes at once; wrong addresses are said plainly."""

import concurrent.futures
import itertools

import psycopg
import pytest
from psycopg import sql

from reconciler.core.values import Sensitive
from reconciler.postgres import migrate, roles
from reconciler.postgres.embedded import EmbeddedPostgres
from reconciler.postgres.errors import (
    DatabaseError,
    LoginRefused,
    NoDatabase,
    NoPrivilege,
    Unreachable,
    WrongUrl,
    normalise,
)
from tests.conftest import execute, fresh_database, url_of
from tests.postgres.conftest import Database

_numbers = itertools.count()


def test_a_database_comes_from_nothing_and_stays(empty_database_url: str) -> None:
    assert migrate.current(empty_database_url) is None
    assert migrate.check(empty_database_url)
    assert migrate.upgrade(empty_database_url) == []
    assert migrate.current(empty_database_url) == migrate.head()
    assert not migrate.check(empty_database_url)
    assert migrate.upgrade(empty_database_url) == []


def test_the_metadata_is_the_database(database_url: str) -> None:
    assert migrate.differences(database_url) == []


def test_a_difference_would_be_seen(database_url: str) -> None:
    Database(database_url).run("ALTER TABLE reconciler.holds DROP COLUMN why")
    Database(database_url).run("DROP INDEX reconciler.one_open_operation")
    assert len(migrate.differences(database_url)) == 2


def test_processes_that_start_together_wait_for_each_other(
    empty_database_url: str, postgres_server: EmbeddedPostgres
) -> None:
    (other,) = itertools.islice(other_database := fresh_database(postgres_server.url, "template1"), 1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(migrate.upgrade, [empty_database_url, other] * 4)) == [[]] * 8
    assert not migrate.check(other)
    next(other_database, None)


def test_both_spellings_of_a_url_are_read(database_url: str) -> None:
    for spelling in ("postgres://", "postgresql+psycopg://"):
        assert not migrate.check(database_url.replace("postgresql://", spelling))


def wrong(url: str, **parts: str) -> str:
    """The same URL with its user, password, host or database replaced."""
    found = psycopg.conninfo.conninfo_to_dict(url)
    user, password = parts.get("user", found["user"]), parts.get("password", found["password"])
    host = parts.get("host", f"{found['host']}:{found['port']}")
    return f"postgresql://{user}:{password}@{host}/{parts.get('database', found['dbname'])}"


@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        ({"host": "127.0.0.1:1"}, Unreachable, "correct host and port in DATABASE_URL"),
        ({"host": "no-such-host.invalid:5432"}, Unreachable, "DATABASE_URL"),
        ({"password": "hunter2"}, LoginRefused, "correct DATABASE_URL"),
        ({"user": "nobody-here"}, LoginRefused, "correct DATABASE_URL"),
        ({"database": "no_such_database"}, NoDatabase, "create it"),
    ],
)
def test_a_wrong_address_says_what_to_set(
    database_url: str, parts: dict[str, str], kind: type[DatabaseError], words: str
) -> None:
    url = wrong(database_url, **parts)
    for call in (migrate.upgrade, migrate.current):
        with pytest.raises(kind) as caught:
            call(url)
        assert words in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert str(psycopg.conninfo.conninfo_to_dict(database_url)["password"]) not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://a@b/c",
        "localhost:5432/x",
        "postgresql://u:hunter2@h:port/x",
        "postgresql://u:hunter2@h/x?sslmoose=1",
    ],
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(WrongUrl, match="postgresql://user:password@host:5432/database") as caught:
        normalise(url)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__)


def make_user(server_url: str) -> str:
    name = f"plain_{next(_numbers)}"
    execute(server_url, sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pw'").format(sql.Identifier(name)))
    return name


def test_a_user_without_the_right_to_create_is_told_what_to_grant(
    empty_database_url: str, postgres_server: EmbeddedPostgres
) -> None:
    user = make_user(postgres_server.url)
    url = wrong(empty_database_url, user=user, password="pw")
    with pytest.raises(NoPrivilege, match="GRANT CREATE ON DATABASE"):
        migrate.upgrade(url)
    execute(empty_database_url, sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(
        sql.Identifier(empty_database_url.rpartition("/")[2]), sql.Identifier(user)
    ))  # fmt: skip
    assert migrate.upgrade(url) == []  # the roles are there already: another database of this server made them
    with pytest.raises(NoPrivilege, match="ALTER ROLE signup"):
        roles.set_role_passwords(url, {"signup": Sensitive("x")})


def test_the_roles_log_in_with_their_passwords_and_no_others(
    database: Database, postgres_server: EmbeddedPostgres
) -> None:
    passwords = {"signup": Sensitive("s/p:a@ß"), "operator": Sensitive("o")}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: roles.set_role_passwords(database.url, passwords), range(6)))
    signup = roles.role_url(database.url, "signup", passwords["signup"])
    with psycopg.connect(signup) as client:
        row = client.execute(
            "SELECT name FROM reconciler.sign_up('s', 'acme', 'crm', 'pro', params => '{\"locale\":\"de\"}')"
        )
        assert row.fetchone() == ("acme",)
        assert client.execute("SELECT created_by FROM reconciler.tenants").fetchone() == ("signup",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(roles.role_url(database.url, "operator", Sensitive("wrong")))
    with pytest.raises(ValueError, match="postgres"):
        roles.set_role_passwords(database.url, {"postgres": Sensitive("x")})
    assert url_of(database.url, "x").endswith("/x")


def test_a_missing_role_is_a_warning_and_comes_later(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a server of its own: roles belong to the whole server."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("roles") / "pg", durable=False) as server:
        user = make_user(server.url)
        execute(server.url, sql.SQL("GRANT CREATE ON DATABASE postgres TO {}").format(sql.Identifier(user)))
        url = wrong(server.url, user=user, password="pw")
        warnings = migrate.upgrade(url)
        assert len(warnings) == 2 and "CREATE ROLE signup NOLOGIN" in warnings[0]
        assert not migrate.check(url)
        with pytest.raises(DatabaseError, match="role signup is missing"):
            roles.set_role_passwords(server.url, {"signup": Sensitive("x")})
        for role in roles.ROLES:
            execute(server.url, sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        assert migrate.upgrade(url) == []
        Database(server.url).run("SELECT * FROM reconciler.tenant_status", role="signup")
