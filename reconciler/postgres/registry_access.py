"""Keeps secrets, API keys, the brake and answers to repeated requests; values are encrypted or hashed, never shown."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.values import Json, Sensitive
from reconciler.doors import Actor, ApiKey, Taken
from reconciler.ports import Brake
from reconciler.postgres import codec, queries
from reconciler.postgres.registry_base import SECRETS, SQL, RegistryPart

RECORDS = queries.load("records")
SCOPES = ("read", "signup", "operator", "admin")
SECRET_SCOPES = ("tenant", "blueprint")
KEY_FORM = re.compile(r"rcl_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
"""Prefix, id, 256 random bits."""
Row = dict[str, Any]


class RegistryAccess(RegistryPart):
    """The side of the registry that holds what must not be seen."""

    async def set_secret(self, scope: str, owner: str, key: str, value: Sensitive, actor: Actor) -> None:
        """Keep a secret; scope is `tenant` or `blueprint`, owner its name. Wakes the tenants concerned."""
        place = _place(scope, owner, key)
        sealed: Row = {"ciphertext": self.vault.seal(scope, owner, key, value), "key_id": self.vault.newest}
        async with self.acting(actor) as connection:
            await self.must_exist(connection, scope, owner)
            await connection.execute(SECRETS["put"], place | sealed)
            await self._wake_owner(connection, scope, owner)
            await self.note(connection, actor, f"set {scope} secret", owner, key)

    async def delete_secret(self, scope: str, owner: str, key: str, actor: Actor) -> None:
        """Forget a secret; NotFound."""
        async with self.acting(actor) as connection:
            if (await connection.execute(SECRETS["forget"], _place(scope, owner, key))).rowcount == 0:
                raise NotFound(f"{scope} {shown(owner)} has no secret {shown(key)}")
            await self._wake_owner(connection, scope, owner)
            await self.note(connection, actor, f"delete {scope} secret", owner, key)

    async def _wake_owner(self, connection: Any, scope: str, owner: str) -> None:  # noqa: ANN401 - pool's connection
        if scope == "tenant":
            await connection.execute(SQL["wake"], {"names": [owner]})
        else:
            await connection.execute(SQL["wake_blueprint"], {"name": owner})

    async def list_secrets(self, scope: str, owner: str) -> Mapping[str, datetime]:
        """Answer the names and times of secrets, never values."""
        async with self.session() as connection:
            asked = {"scope": scope, "owner": codec.storable(owner)}
            rows = await (await connection.execute(SECRETS["names"], asked)).fetchall()
        return {row["key"]: row["updated_at"] for row in rows}

    async def brake(self) -> tuple[Brake, str]:
        """Read the brake and its reason."""
        async with self.session() as connection:
            row = await (await connection.execute(RECORDS["brake"])).fetchone()
        return (Brake(row["mode"]), row["why"]) if row else (Brake.NORMAL, "")

    async def set_brake(self, brake: Brake, why: str, actor: Actor) -> None:
        """Move the brake."""
        async with self.acting(actor) as connection:
            values = {"mode": brake, "why": codec.storable(why), "by": codec.storable(actor.name)}
            await connection.execute(RECORDS["set_brake"], values)
            await self.note(connection, actor, f"brake {brake}", "all", why)

    # ------------------------------------------------------------ API keys

    async def create_key(self, name: str, scopes: Sequence[str], actor: Actor) -> tuple[ApiKey, Sensitive]:
        """Make an API key; the secret is answered once and never stored."""
        wrong = sorted(set(scopes) - set(SCOPES))
        if wrong or not scopes:
            found = shown(", ".join(wrong)) if wrong else ""
            remedy = f"give one or more of: {', '.join(SCOPES)}"
            raise Invalid([Problem(path="scopes", message="is not a list of scopes", value=found, remedy=remedy)])
        identity = secrets.token_hex(6)
        secret = Sensitive(f"rcl_{identity}_{secrets.token_urlsafe(32)}")
        key = ApiKey(id=identity, name=codec.storable(name), scopes=frozenset(scopes), created_at=self.now())
        stored: Row = {
            "id": key.id,
            "name": key.name,
            "hash": _hash(secret),
            "scopes": sorted(scopes),
            "now": self.now(),
        }
        async with self.acting(actor) as connection:
            if (await connection.execute(SQL["put_key"], stored)).rowcount == 0:
                raise Taken(f"there is a key named {shown(name)} already; revoke it, or choose another", field="name")
            await self.note(connection, actor, "create key", key.name, " ".join(sorted(scopes)))
        return key, secret

    async def find_key(self, secret: Sensitive) -> ApiKey | None:
        """Find the unrevoked key with this secret."""
        form = KEY_FORM.fullmatch(secret.reveal())
        if form is None:
            return None
        async with self.session() as connection:
            row = await (await connection.execute(SQL["find_key"], {"id": form.group(1)})).fetchone()
        if row is None or not hmac.compare_digest(row.pop("hash"), _hash(secret)):
            return None
        return _read_key(row)

    async def list_keys(self) -> Sequence[ApiKey]:
        """List keys, revoked ones too."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["keys"])).fetchall()
        return [_read_key(row) for row in rows]

    async def revoke_key(self, id_or_name: str, actor: Actor) -> None:
        """Revoke; NotFound."""
        async with self.acting(actor) as connection:
            asked = {"word": codec.storable(id_or_name), "now": self.now()}
            if (await connection.execute(SQL["revoke_key"], asked)).rowcount == 0:
                raise NotFound(f"there is no key {shown(id_or_name)} that could be revoked")
            await self.note(connection, actor, "revoke key", id_or_name)

    # ------------------------------------------------------------ idempotent requests

    async def remember(self, key: str, fingerprint: str) -> tuple[int, Json] | None:
        """Begin an idempotent request: None = go on; a stored answer = repeat it.

        Taken with field `body` = the key came with another fingerprint; with field `in_flight` = not answered yet.
        """
        asked = {"key": codec.storable(key), "fingerprint": fingerprint}
        async with self.session() as connection:
            if await (await connection.execute(SQL["begin_answer"], asked)).fetchone() is not None:
                return None
            row = await (await connection.execute(SQL["read_answer"], asked)).fetchone()
        if row is None or (row["fingerprint"] == fingerprint and row["status"] is None):
            raise Taken("a request with this idempotency key is still under way; ask again shortly", field="in_flight")
        if row["fingerprint"] != fingerprint:
            raise Taken("this idempotency key came with another request; use a new one", field="body")
        return row["status"], row["body"]

    async def answer(self, key: str, fingerprint: str, status: int, body: Json) -> None:
        """Keep the answer of an idempotent request for a day."""
        stored: Row = {"key": codec.storable(key), "fingerprint": fingerprint, "status": status}
        async with self.session() as connection:
            await connection.execute(SQL["put_answer"], stored | {"body": Jsonb(codec.encode(body))})

    async def forget(self, key: str, fingerprint: str) -> None:
        """Drop an idempotent request that ended without an answer, so that it may be asked again."""
        async with self.session() as connection:
            asked = {"key": codec.storable(key), "fingerprint": fingerprint}
            await connection.execute(SQL["forget_answer"], asked)


def _place(scope: str, owner: str, key: str) -> Row:
    if scope not in SECRET_SCOPES:
        raise Invalid([Problem(path="scope", message="is not known", value=shown(scope), remedy="tenant or blueprint")])
    if not key or not key.isprintable():
        raise Invalid(
            [Problem(path="key", message="is not a name", value=shown(key), remedy="give the variable's name")]
        )
    return {"scope": scope, "owner": codec.storable(owner), "key": key}


def _hash(secret: Sensitive) -> str:
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def _read_key(row: Row) -> ApiKey:
    return ApiKey(**(row | {"scopes": frozenset(row["scopes"])}))
