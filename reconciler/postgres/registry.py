"""Puts the parts of the registry together: this is doors.Registry on PostgreSQL; it adds nothing of its own."""

from reconciler.postgres.registry_access import RegistryAccess
from reconciler.postgres.registry_blueprints import RegistryBlueprints
from reconciler.postgres.registry_orphans import RegistryOrphans
from reconciler.postgres.registry_passes import RegistryPasses
from reconciler.postgres.registry_tenants import RegistryTenants
from reconciler.postgres.registry_views import RegistryViews


class PostgresRegistry(
    RegistryTenants, RegistryBlueprints, RegistryAccess, RegistryViews, RegistryPasses, RegistryOrphans
):
    """The records as doors use them. `PostgresRegistry(pool, reader, vault, clock, book)`, see `RegistryPart`."""
