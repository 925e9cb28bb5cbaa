"""The store is what the ports say, as far as types can tell."""

from reconciler.doors import Registry
from reconciler.ports import Resolver, Store
from reconciler.postgres.registry import PostgresRegistry
from reconciler.postgres.store import PostgresStore
from reconciler.postgres.vault import Vault


def as_store(store: PostgresStore) -> Store:
    return store


def as_resolver(vault: Vault) -> Resolver:
    return vault


def as_registry(registry: PostgresRegistry) -> Registry:
    return registry
