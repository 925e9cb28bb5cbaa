"""Finds what a local run left in its home folder: addresses and the encryption key; it starts nothing."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.cli.exits import ExitCode, Failure
from reconciler.core.values import Sensitive
from reconciler.settings import Settings

URLS_FILE = "urls.json"
KEY_FILE = "encryption.key"
ROLES = ("admin", "operator", "signup", "api", "simulator")


def urls(settings: Settings) -> dict[str, str]:
    """Read the addresses of the local run; empty when there is none in this folder."""
    path = settings.home / URLS_FILE
    try:
        read = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        raise Failure(
            f"{path} cannot be read ({reason})", remedy="remove it and start `reconciler run --local`"
        ) from error
    return {str(role): str(url) for role, url in read.items()} if isinstance(read, dict) else {}


def url(settings: Settings, role: str) -> str:
    """Answer one address of the local run; Failure says how to get one."""
    found = urls(settings)
    if not found:
        raise Failure(
            f"DATABASE_URL is not set and there is no local run in {settings.home}/",
            remedy="set DATABASE_URL, or start one with `reconciler run --local`",
            code=ExitCode.USAGE,
        )
    if role not in found:
        raise Failure(f"the local run in {settings.home}/ has no address of {role}", code=ExitCode.NOT_FOUND)
    return found[role]


def simulator_url(settings: Settings) -> str:
    """Answer the root address of the simulator that stands for Render, empty when Render is the real one."""
    parts = urlsplit(settings.render_api_url)
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return f"{parts.scheme}://{parts.netloc}"
    known = urls(settings)
    if settings.url or (settings.database_url and settings.database_url not in known.values()):
        return ""
    return known.get("simulator", "").rstrip("/")


def encryption_keys(settings: Settings) -> list[bytes]:
    """Answer the encryption keys of the setting, its file, or the local run, newest first; Failure without any."""
    from reconciler.cli.database import no_key
    from reconciler.postgres import vault

    given = settings.encryption_key.get_secret_value()
    if given:
        return [vault.read_key(Sensitive(part)) for part in given.split(",")]
    path = key_file(settings)
    if path is None:
        raise no_key()
    return [vault.read_key_file(path)]


def key_file(settings: Settings) -> Path | None:
    """Name the file of the encryption key; that of the local run only when its database is meant."""
    if settings.encryption_key_file is not None:
        return settings.encryption_key_file
    path = settings.home / KEY_FILE
    ours = not settings.database_url or settings.database_url in urls(settings).values()
    return path if ours and path.exists() else None
