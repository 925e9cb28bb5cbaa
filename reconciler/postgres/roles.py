"""Makes the roles `signup` and `operator`, grants, passwords and URLs; what they may do is said in roles.sql."""

import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import errors, sql

from reconciler.core.values import Sensitive
from reconciler.postgres.errors import DatabaseError, NoPrivilege, explain, normalise

SIGNUP, OPERATOR = "signup", "operator"
ROLES = (SIGNUP, OPERATOR)
ROLES_SQL = Path(__file__).parent / "migrations" / "sql" / "roles.sql"
ATTEMPTS = 10
"""Roles belong to the whole server: two databases that change one at the same moment collide in its catalog."""
Driver = psycopg.Connection[tuple[object, ...]]


def grant(driver: Driver) -> None:
    """Create the roles where they are missing and grant; a missing right to create them is only a warning."""
    driver.execute(ROLES_SQL.read_bytes())


def are_granted(driver: Driver) -> bool:
    """Say whether both roles exist and have their rights in this database."""
    row = driver.execute(
        "SELECT count(*) FROM pg_roles WHERE rolname = ANY (%s) "
        "AND has_table_privilege(rolname, 'reconciler.tenant_status', 'SELECT')",
        [list(ROLES)],
    ).fetchone()
    return row == (len(ROLES),)


def set_role_passwords(url: str, passwords: Mapping[str, Sensitive]) -> None:
    """Let these roles log in, each with its password; needs a user who may create roles. Raises DatabaseError.

    Only a SCRAM verifier goes to the server, so no password can appear in its log.
    """
    for role in passwords:
        if role not in ROLES:
            raise ValueError(f"{role!r} is not a role of ours: it is one of {', '.join(ROLES)}")
    try:
        with psycopg.connect(normalise(url), autocommit=True) as driver:
            for role, password in passwords.items():
                _set_password(driver, role, password)
    except psycopg.Error as error:
        raise explain(error, url) from error


def _set_password(driver: Driver, role: str, password: Sensitive) -> None:
    verifier = driver.pgconn.encrypt_password(password.reveal().encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier))
    for attempt in range(ATTEMPTS):
        try:
            driver.execute(statement)
            return
        except errors.UndefinedObject as error:
            raise DatabaseError(
                f"role {role} is missing: run `reconciler migrate` as a user who may create it"
            ) from error
        except errors.InsufficientPrivilege as error:
            raise NoPrivilege(
                f"this user may not set the password of role {role}: as an administrator, "
                f"ALTER ROLE {role} LOGIN PASSWORD '...'"
            ) from error
        except errors.InternalError_:  # "tuple concurrently updated"
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.05 * (attempt + 1))


def role_url(url: str, role: str, password: Sensitive) -> str:
    """Answer the URL of the same database for another role; it holds the password."""
    parts = urlsplit(normalise(url))
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(role)}:{quote(password.reveal(), safe='')}@{address}").geturl()
