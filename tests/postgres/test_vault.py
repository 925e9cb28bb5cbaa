"""The vault: nothing readable in the database, a wrong key said plainly, digests that survive a rotation."""

import base64
import os
from pathlib import Path

import pytest

from reconciler.core.values import Sensitive
from reconciler.manifest.reader import Reader
from reconciler.postgres import vault as vaults
from reconciler.postgres.store import PostgresStore
from reconciler.postgres.vault import KeyProblem, Vault
from tests.postgres.conftest import NOW, WORKSPACE, Database

OLD, NEW = os.urandom(32), os.urandom(32)


def text(key: bytes) -> Sensitive:
    return Sensitive(base64.b64encode(key).decode())


async def test_a_rotation_keeps_secrets_and_digests(store: PostgresStore, database: Database, key: bytes) -> None:
    database.sign_up("acme")
    await store.put_secrets("acme", {"KEY": Sensitive("hunter2")})
    before = store.vault.digest("acme/app/KEY", "hunter2")
    rotating = Vault([NEW, key])
    await rotating.unlock(store.pool)
    assert await rotating.rotate(store.pool) == 2
    assert await rotating.rotate(store.pool) == 0
    after = Vault([NEW])
    await after.unlock(store.pool)
    assert after.digest("acme/app/KEY", "hunter2") == before
    record = await PostgresStore(store.pool, Reader(), after, WORKSPACE, 2.0).load("acme", NOW)
    assert [value.reveal() for value in record.secrets.values()] == ["hunter2"]
    with pytest.raises(KeyProblem, match="RECONCILER_ENCRYPTION_KEY"):
        await Vault([key]).unlock(store.pool)


async def test_two_processes_of_a_new_database_agree_on_the_digest_key(store: PostgresStore, key: bytes) -> None:
    other = Vault([key])
    await other.unlock(store.pool)
    assert other.digest("c", "t") == store.vault.digest("c", "t")
    assert other.digest("c", "t") != other.digest("d", "t")


def test_a_ciphertext_opens_only_in_its_place() -> None:
    vault = Vault([OLD])
    sealed = vault.seal("tenant", "acme", "KEY", Sensitive("hunter2"))
    assert b"hunter2" not in sealed
    assert vault.seal("tenant", "acme", "KEY", Sensitive("hunter2")) != sealed
    assert vault.open("tenant", "acme", "KEY", sealed, vault.newest).reveal() == "hunter2"
    for place in (("tenant", "bolt", "KEY"), ("tenant", "acme", "OTHER"), ("blueprint", "acme", "KEY")):
        with pytest.raises(KeyProblem, match="altered"):
            vault.open(*place, sealed, vault.newest)
    with pytest.raises(KeyProblem, match="altered"):
        vault.open("tenant", "acme", "KEY", sealed[:-1] + bytes([sealed[-1] ^ 1]), vault.newest)
    with pytest.raises(KeyProblem, match="sealed with key"):
        Vault([NEW]).open("tenant", "acme", "KEY", sealed, vault.newest)


def test_a_locked_vault_hashes_nothing_and_shows_nothing() -> None:
    with pytest.raises(KeyProblem, match="locked"):
        Vault([OLD]).digest("c", "t")
    assert base64.b64encode(OLD).decode() not in repr(Vault([OLD]))


def test_keys_are_read_from_a_setting_or_a_private_file(tmp_path: Path) -> None:
    assert vaults.read_key(text(OLD)) == OLD
    assert vaults.read_key(Sensitive(base64.urlsafe_b64encode(OLD).decode() + "\n")) == OLD
    for wrong in ("", "abc", base64.b64encode(OLD[:31]).decode(), "!" * 44):
        with pytest.raises(KeyProblem, match="32 bytes in base64") as caught:
            vaults.read_key(Sensitive(wrong))
        assert not wrong or wrong not in str(caught.value)
    file = tmp_path / "key"
    made = vaults.make_key_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert vaults.make_key_file(file) == made == vaults.read_key_file(file)
    file.chmod(0o644)
    with pytest.raises(KeyProblem, match="chmod 600"):
        vaults.read_key_file(file)
    with pytest.raises(KeyProblem, match="cannot be read"):
        vaults.read_key_file(tmp_path / "none")
    with pytest.raises(KeyProblem):
        Vault([])
