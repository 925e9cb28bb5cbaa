"""Says in a sentence what is wrong with a database URL or a connection; it knows drivers' errors, never a password.

DatabaseError
|-- Unreachable     no server there, or it does not answer
|-- LoginRefused    wrong user or password
|-- NoDatabase      the server has no such database
|-- NoPrivilege     the user may not do what is needed
|-- WrongUrl        the text is not a PostgreSQL URL
|-- WrongServer     a version that is not supported
"""

import re
from urllib.parse import urlsplit

import psycopg
from psycopg import conninfo, errors

from reconciler.core.errors import ReconcilerError, shown

SETTING = "DATABASE_URL"
EXAMPLE = "postgresql://user:password@host:5432/database"


GOING = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.IdleSessionTimeout)
"""What a server says that is stopping, starting, or ends our session: it comes back."""


class DatabaseError(ReconcilerError):
    """The database cannot be used as it is; the message says what to set or to grant."""


class Unreachable(DatabaseError):
    """Nobody answers at that address."""


class LoginRefused(DatabaseError):
    """The server knows no such user with this password."""


class NoDatabase(DatabaseError):
    """The server is there, the database is not."""


class NoPrivilege(DatabaseError):
    """The user lacks a right."""


class WrongUrl(DatabaseError):
    """The text cannot be read as the URL of a PostgreSQL database."""


class WrongServer(DatabaseError):
    """The server's version is not supported."""


def place(url: str) -> str:
    """Name user, host, port and database of a URL for a message; never its password."""
    try:
        parts = conninfo.conninfo_to_dict(normalise(url))
    except psycopg.Error:
        return "the given address"
    user, host = parts.get("user") or "?", parts.get("host") or "localhost"
    return f"{user}@{host}:{parts.get('port') or 5432}/{parts.get('dbname') or user}"


def normalise(url: str) -> str:
    """Fold SQLAlchemy's spelling (`postgresql+psycopg://`) into libpq's; raise WrongUrl for anything else."""
    text = url.strip()
    if not text:
        raise WrongUrl(f"{SETTING} is empty: set it to {EXAMPLE}")
    scheme = text.partition("://")[0] if "://" in text else ""
    if not scheme.startswith("postgres"):
        raise WrongUrl(f"{SETTING} does not begin with postgresql:// : set it to {EXAMPLE}")
    folded = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", text)
    try:
        urlsplit(folded).port  # noqa: B018 - raises for a port that is no number
        conninfo.conninfo_to_dict(folded)
    except (ValueError, psycopg.Error) as error:
        # The driver's own text may quote the URL with its password.
        raise WrongUrl(f"{SETTING} cannot be read as a PostgreSQL URL: set it to {EXAMPLE}") from _bare(error)
    return folded


def _bare(error: Exception) -> Exception:
    """Keep the sort of an error, not its text."""
    return type(error)()


def explain(error: psycopg.Error, url: str) -> DatabaseError:
    """Turn a failure to connect or to migrate into a sentence with a remedy."""
    where = place(url)
    text = " ".join(str(error).split())
    if isinstance(error, errors.InsufficientPrivilege):
        return NoPrivilege(
            f"{where}: {error.diag.message_primary}. The user of {SETTING} must own the schema `reconciler`, or may "
            "create it: GRANT CREATE ON DATABASE ... TO ..."
        )
    if isinstance(error, errors.InvalidCatalogName) or re.search(r'database ".*" does not exist', text):
        return NoDatabase(f"{where}: there is no such database: create it, or correct the end of {SETTING}")
    if isinstance(error, errors.InvalidPassword) or re.search(
        r'password authentication failed|role ".*" does not exist|no password supplied|no pg_hba.conf entry'
        r"|is not permitted to log in|authentication failed",
        text,
    ):
        return LoginRefused(f"{where}: the server refuses this user or password: correct {SETTING}")
    if isinstance(error, GOING) or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None):
        return Unreachable(
            f"{where}: no PostgreSQL answers there ({shown(_reason(text))}): start it, or correct host and port in "
            f"{SETTING}"
        )
    return DatabaseError(f"{where}: {error.diag.message_primary or type(error).__name__}")


def _reason(text: str) -> str:
    """The driver's reason without the repeated address."""
    found = re.search(
        r"(Connection refused|timeout expired|Name or service not known|[Cc]ould not translate[^:]*"
        r"|[Nn]etwork is unreachable|server closed the connection|timed? ?out"
        r"|terminating connection[^:]*|the database system is [a-z ]+"
        r"|failed to resolve host[^:]*|[Tt]oo many connections)",
        text,
    )
    return found.group(1) if found else "no answer"
