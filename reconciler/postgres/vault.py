"""Encrypts what must not lie in the database as text, and hashes secrets with a key; it never logs, never prints.

AES-256-GCM with a fresh nonce a value; scope, owner and key of a secret are authenticated with it, so that a
ciphertext moved to another row does not open. The first key given seals, all of them open: that is how a key is
rotated (`rotate`). The key of the hashes is random, made once, and kept encrypted like a secret: it survives every
rotation, so that digests of what was written to Render stay comparable.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reconciler.core import values
from reconciler.core.errors import ReconcilerError
from reconciler.core.values import Sensitive
from reconciler.postgres import queries
from reconciler.postgres.pool import Pool

SQL = queries.load("secrets")
KEY_BYTES = 32
NONCE_BYTES = 12
URL_SAFE = str.maketrans("-_", "+/")
SYSTEM_SCOPE, DIGEST_KEY = "system", "digest"
MAKE = "python -c 'import base64,os; print(base64.b64encode(os.urandom(32)).decode())'"


class KeyProblem(ReconcilerError):
    """The encryption key is malformed, readable by others, or not the one that the database was sealed with."""


def read_key(text: Sensitive) -> bytes:
    """Decode the setting: 32 bytes in base64."""
    try:
        key = base64.b64decode(
            text.reveal().strip(), altchars=b"-_" if {"-", "_"} & set(text.reveal()) else None, validate=True
        )
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyProblem(f"the encryption key must be {KEY_BYTES} bytes in base64; make one with: {MAKE}")
    return key


def read_key_file(path: Path) -> bytes:
    """Read a key file, which nobody but its owner may read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except OSError as error:
        raise KeyProblem(f"the encryption key file {path} cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyProblem(f"the encryption key file {path} can be read by others: chmod 600 {path}")
    return read_key(Sensitive(text))


def make_key_file(path: Path) -> bytes:
    """Make a key file of mode 600 if there is none; answer the key that is in it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_key_file(path)
    with os.fdopen(descriptor, "w") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
    return read_key_file(path)


def key_id(key: bytes) -> str:
    """Name a key without telling it."""
    return hashlib.sha256(b"reconciler key id\0" + key).hexdigest()[:12]


class Vault:
    """Seals with the first key, opens with any; implements ports.Resolver once `unlock` has run."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take 32-byte keys, the newest first."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise KeyProblem(f"the encryption key must be {KEY_BYTES} bytes; make one with: {MAKE}")
        self._ids = [key_id(key) for key in keys]
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._digest_key = b""

    def __repr__(self) -> str:
        return f"Vault({', '.join(self._ids)})"

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return self._ids[0]

    async def unlock(self, pool: Pool) -> None:
        """Read (or make, in an empty database) the key of the hashes; KeyProblem if our key does not open it."""
        made = Sensitive(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
        place = {"scope": SYSTEM_SCOPE, "owner": "", "key": DIGEST_KEY}
        sealed = {"ciphertext": self.seal(SYSTEM_SCOPE, "", DIGEST_KEY, made), "key_id": self.newest}
        async with pool.connection() as connection:
            await connection.execute(SQL["keep"], place | sealed)
            row = await (await connection.execute(SQL["read"], place)).fetchone()
        assert row is not None
        kept = self.open(SYSTEM_SCOPE, "", DIGEST_KEY, row["ciphertext"], row["key_id"])
        self._digest_key = base64.b64decode(kept.reveal())

    async def rotate(self, pool: Pool) -> int:
        """Seal everything anew with the first key, one row a transaction; answer how many rows were not yet."""
        count = 0
        async with pool.connection() as connection:
            rows = await (await connection.execute(SQL["older_keys"], {"key_id": self.newest})).fetchall()
            for row in rows:
                scope, owner, key = row["scope"], row["owner"], row["key"]
                text = self.open(scope, owner, key, row["ciphertext"], row["key_id"])
                change = {
                    **{"scope": scope, "owner": owner, "key": key, "was": row["ciphertext"]},
                    **{"ciphertext": self.seal(scope, owner, key, text), "key_id": self.newest},
                }
                count += (await connection.execute(SQL["reseal"], change)).rowcount
        return count

    def seal(self, scope: str, owner: str, key: str, value: Sensitive) -> bytes:
        """Encrypt a value for its place."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        context = _context(scope, owner, key)
        return nonce + self._ciphers[self.newest].encrypt(nonce, value.reveal().encode(), context)

    def open(self, scope: str, owner: str, key: str, ciphertext: bytes, sealed_by: str) -> Sensitive:
        """Decrypt a value of its place; KeyProblem when none of our keys sealed it, or it was tampered with."""
        cipher = self._ciphers.get(sealed_by)
        if cipher is None:
            raise KeyProblem(
                f"secrets in this database were sealed with key {sealed_by}, not with {', '.join(self._ids)}: set "
                "RECONCILER_ENCRYPTION_KEY to the key used before (after a rotation: the new one first, then the old)"
            )
        data = bytes(ciphertext)
        try:
            text = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _context(scope, owner, key))
        except InvalidTag:
            raise KeyProblem(f"the {scope} secret {key} of {owner or 'the system'} was altered: set it again") from None
        return Sensitive(text.decode())

    def digest(self, context: str, text: str) -> str:
        """Answer the keyed hash of a text in its context (tenant/component/KEY)."""
        if not self._digest_key:
            raise KeyProblem("the vault is locked: `unlock` runs first")
        return values.digest(self._digest_key, context, text)


def _context(scope: str, owner: str, key: str) -> bytes:
    return "\0".join((scope, owner, key)).encode()
