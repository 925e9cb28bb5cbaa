"""Secrets, keys, addresses and the database itself: values never come out, and every failure says what to check."""

import io
import json
import os
import socket
import stat
import sys

import psycopg
import pytest

from reconciler.cli.verbs import database as database_verb
from reconciler.postgres import migrate
from tests.cli.conftest import KEY, Cli, execute

PLAIN = "s3cret-value-nobody-may-see"
OTHER_KEY = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="


def feed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_secret_goes_in_by_standard_input_and_never_comes_out(fleet, cli: Cli, monkeypatch):
    feed(monkeypatch, PLAIN + "\n")
    assert cli("secret", "set", "acme", "TOKEN").out == "secret TOKEN of tenant acme set\n"
    feed(monkeypatch, PLAIN + "-shared")
    assert cli("secret", "set", "--blueprint", "crm", "DSN").out == "secret DSN of blueprint crm set\n"
    shown = [cli("secret", "list", "acme"), cli("secret", "list", "--blueprint", "crm", "-o", "json")]
    assert shown[0].lines[1].startswith("TOKEN") and json.loads(shown[1].out)["items"][0]["key"] == "DSN"
    shown += [cli("audit"), cli("get", "audit", "-o", "json"), cli("describe", "acme"), cli("events")]
    shown += [cli("get", "tenants", "-o", "yaml"), cli("describe", "blueprint", "crm")]
    assert not any(PLAIN in ran.out + ran.err for ran in shown)
    stored = execute(fleet, "SELECT ciphertext FROM reconciler.secrets")
    assert not any(PLAIN.encode() in bytes(row[0]) for row in stored)


def test_a_secret_is_asked_for_twice_on_a_terminal(fleet, cli: Cli, monkeypatch):
    asked = []
    feed(monkeypatch, "")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text, **how: asked.append((text, how)) or PLAIN)
    assert cli("secret", "set", "acme", "TOKEN").code == 0
    assert asked == [("Value of TOKEN", {"hide_input": True, "confirmation_prompt": "Once more"})]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["acme", "TOKEN", PLAIN], 2),
        (["acme", f"TOKEN={PLAIN}"], 2),
        (["TOKEN"], 2),
        (["--blueprint", "crm", "DSN", PLAIN], 2),
        (["nobody", "TOKEN"], 4),
        (["--blueprint", "nothing", "TOKEN"], 4),
    ],
)
def test_values_on_the_command_line_are_refused_without_repeating_them(words, code, refusing, cli: Cli, monkeypatch):
    feed(monkeypatch, "x")
    ran = cli("secret", "set", *words)
    assert ran.code == code and PLAIN not in ran.out + ran.err


def test_empty_and_enormous_values_are_refused(refusing, cli: Cli, monkeypatch):
    feed(monkeypatch, "\n")
    assert cli("secret", "set", "acme", "TOKEN").code == 1
    feed(monkeypatch, "x" * 100_000)
    assert cli("secret", "set", "acme", "TOKEN").code == 1


def test_secrets_are_forgotten_on_request(fleet, cli: Cli, monkeypatch):
    feed(monkeypatch, PLAIN)
    cli("secret", "set", "acme", "TOKEN")
    assert cli("secret", "delete", "acme", "TOKEN").code == 6
    assert cli("secret", "delete", "acme", "TOKEN", "--yes").code == 0
    assert cli("secret", "delete", "acme", "TOKEN", "--yes").code == 4
    assert cli("secret", "list", "acme").err == "no secrets of tenant acme\n"
    assert cli("secret", "list").code == 2
    assert cli("secret", "list", "nobody").code == 4


def test_the_encryption_key_is_rotated_and_a_wrong_one_is_refused(fleet, cli: Cli, monkeypatch):
    feed(monkeypatch, PLAIN)
    cli("secret", "set", "acme", "TOKEN")
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", OTHER_KEY)
    feed(monkeypatch, PLAIN)
    ran = cli("secret", "set", "acme", "TOKEN")
    assert ran.code == 1 and "sealed with key" in ran.err
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", f"{OTHER_KEY},{KEY}")
    ran = cli("secret", "rotate-key")
    assert ran.code == 0 and "encrypted anew" in ran.out
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", OTHER_KEY)
    feed(monkeypatch, PLAIN)
    assert cli("secret", "set", "acme", "TOKEN").code == 0
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY", "short")
    assert "32 bytes" in cli("secret", "rotate-key").err


def test_only_verbs_that_seal_need_the_encryption_key(fleet, cli: Cli, monkeypatch):
    monkeypatch.delenv("RECONCILER_ENCRYPTION_KEY")
    assert cli("get", "tenants").code == 0
    feed(monkeypatch, PLAIN)
    ran = cli("secret", "set", "acme", "TOKEN")
    assert ran.code == 2 and "RECONCILER_ENCRYPTION_KEY" in ran.err


def test_a_key_file_must_be_readable_by_its_owner_alone(fleet, cli: Cli, monkeypatch, tmp_path):
    monkeypatch.delenv("RECONCILER_ENCRYPTION_KEY")
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    monkeypatch.setenv("RECONCILER_ENCRYPTION_KEY_FILE", str(file))
    feed(monkeypatch, PLAIN)
    ran = cli("secret", "set", "acme", "TOKEN")
    assert ran.code == 1 and "chmod 600" in ran.err
    file.chmod(0o600)
    feed(monkeypatch, PLAIN)
    assert cli("secret", "set", "acme", "TOKEN").code == 0


def test_a_fresh_encryption_key_is_printed_and_fits(cli: Cli):
    from reconciler.core.values import Sensitive
    from reconciler.postgres import vault

    first, second = cli("secret", "new-key").out, cli("secret", "new-key").out
    assert first != second and len(vault.read_key(Sensitive(first))) == 32


def test_api_keys_are_shown_once(fleet, cli: Cli):
    made = cli("key", "create", "backend", "--scope", "signup", "--scope", "read")
    secret = made.out.strip()
    assert made.code == 0 and secret.startswith("rcl_") and secret not in made.err
    table = cli("key", "list")
    assert table.lines[1].split()[0] == "backend" and secret not in table.out
    assert "read, signup" in table.out and secret not in cli("audit").out
    assert cli("key", "create", "backend", "--scope", "read").code == 5
    assert cli("key", "create", "x", "--scope", "god").code == 2
    assert json.loads(cli("key", "create", "other", "--scope", "admin", "-o", "json").out)["key"].startswith("rcl_")
    assert cli("key", "revoke", "backend").code == 6
    assert cli("key", "revoke", "backend", "nothing", "--yes").code == 7
    assert cli("key", "revoke", "backend", "--yes").code == 4
    assert "ago" in cli("key", "list").out


def test_migrate_makes_the_schema_and_is_harmless_when_done(empty_database_url, cli: Cli, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    ran = cli("get", "tenants")
    assert ran.code == 1 and "reconciler migrate" in ran.err
    assert cli("migrate", "--check").code == 1
    assert cli("migrate").out == f"migrated from nothing to {migrate.head()}\n"
    assert cli("migrate").out == f"up to date at {migrate.head()}\n"
    assert cli("migrate", "--check").out == f"up to date at {migrate.head()}\n"
    assert cli("get", "tenants").code == 0


def test_migrate_goes_round_a_pooler(empty_database_url, cli: Cli, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{PLAIN}@127.0.0.1:{free_port()}/d")
    monkeypatch.setenv("RECONCILER_DATABASE_DIRECT_URL", empty_database_url)
    assert cli("migrate").out == f"migrated from nothing to {migrate.head()}\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wrong_urls(server_url: str) -> dict[str, tuple[str, str]]:
    parts = psycopg.conninfo.conninfo_to_dict(server_url)
    at = f"127.0.0.1:{parts['port']}"
    return {
        "no server": (f"postgresql://u:{PLAIN}@127.0.0.1:{free_port()}/d", "no PostgreSQL answers"),
        "wrong password": (f"postgresql://postgres:{PLAIN}@{at}/postgres", "correct DATABASE_URL"),
        "no database": (f"postgresql://postgres:{parts['password']}@{at}/nowhere", "no such database"),
        "unknown host": (f"postgresql://u:{PLAIN}@nowhere.invalid/d", "nowhere.invalid"),
        "not a url": (f"mysql://u:{PLAIN}@h/d", "postgresql://"),
        "not a port": (f"postgresql://u:{PLAIN}@h:port/d", "cannot be read"),
        "garbage": (f"user={PLAIN}", "postgresql://"),
    }


@pytest.mark.parametrize("case", wrong_urls("postgresql://u:p@h:1/d"))
def test_a_wrong_database_url_is_one_clear_line_without_its_password(case, postgres_server, cli: Cli, monkeypatch):
    url, told = wrong_urls(postgres_server.url)[case]
    monkeypatch.setenv("DATABASE_URL", url)
    for arguments in (["get", "tenants"], ["migrate"]):
        ran = cli(*arguments)
        assert ran.code == 1 and told in ran.err, ran.err
        assert PLAIN not in ran.err and "Traceback" not in ran.err and ran.err.count("\n") == 1


def test_without_any_database_it_says_what_to_set(cli: Cli):
    ran = cli("get", "tenants")
    assert ran.code == 2 and "DATABASE_URL" in ran.err and "run --local" in ran.err


def test_a_role_without_rights_is_told_so(fleet, cli: Cli, monkeypatch):
    execute(fleet, "ALTER ROLE signup LOGIN PASSWORD 'signup-pw'")
    parts = psycopg.conninfo.conninfo_to_dict(fleet)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://signup:signup-pw@127.0.0.1:{parts['port']}/{parts['dbname']}")
    ran = cli("brake", "stop", "--why", "x")
    assert ran.code == 1 and "signup-pw" not in ran.err and "permission denied" in ran.err


def test_debug_shows_where_it_happened(db, cli: Cli, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{PLAIN}@127.0.0.1:{free_port()}/d")
    ran = cli("--debug", "get", "tenants")
    assert ran.code == 1 and "Traceback" in ran.err and PLAIN not in ran.err


def test_an_unforeseen_error_is_named_but_its_text_is_not_repeated(db, cli: Cli, monkeypatch):
    def fail(*_arguments, **_more):
        raise RuntimeError(PLAIN)

    monkeypatch.setattr("reconciler.cli.tables.tenants", fail)
    ran = cli("get", "tenants")
    assert ran.code == 1 and "RuntimeError" in ran.err and "--debug" in ran.err and PLAIN not in ran.err


@pytest.fixture
def local_run(fleet, tmp_path, monkeypatch):
    """What a local run leaves behind."""
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("RECONCILER_ENCRYPTION_KEY")
    home = tmp_path / ".reconciler"
    home.mkdir()
    urls = {"admin": fleet, "operator": fleet, "signup": "postgresql://signup:pw%2F@h:5/d", "api": "http://127.0.0.1:1"}
    (home / "urls.json").write_text(json.dumps(urls))
    (home / "encryption.key").write_text(KEY)
    for name in ("urls.json", "encryption.key"):
        (home / name).chmod(stat.S_IRUSR | stat.S_IWUSR)
    return home


def test_the_verbs_find_the_local_run_of_the_folder(local_run, cli: Cli, monkeypatch):
    assert cli("get", "tenants", "-o", "name").lines == ["tenant/acme", "tenant/bolt"]
    feed(monkeypatch, PLAIN)
    assert cli("secret", "set", "acme", "TOKEN").code == 0
    assert cli("url", "signup").out == "postgresql://signup:pw%2F@h:5/d\n"
    assert cli("url", "api").out == "http://127.0.0.1:1\n"
    assert cli("url", "simulator").code == 4
    (local_run / "urls.json").write_text("{")
    assert cli("url", "api").code == 1


def test_psql_gets_the_password_by_its_environment(local_run, cli: Cli, monkeypatch):
    started = []
    monkeypatch.setattr(database_verb.os, "execve", lambda program, arguments, env: started.append((arguments, env)))
    assert cli("psql", "--role", "signup", "-c", "SELECT 1").code == 0
    ((arguments, environment),) = started
    assert arguments[1:] == ["-d", "postgresql://signup@h:5/d", "-c", "SELECT 1"]
    assert environment["PGPASSWORD"] == "pw/"
    assert os.path.basename(arguments[0]) == "psql"
