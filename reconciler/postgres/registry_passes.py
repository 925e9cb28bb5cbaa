"""Reads kept passes for the doors, and replays the one that is asked for; writes nothing."""

from collections.abc import Sequence
from typing import Any

from reconciler.core.errors import Invalid, NotFound
from reconciler.core.spec import BlueprintSpec
from reconciler.doors import KeptPass, PassRow
from reconciler.postgres import codec, passes
from reconciler.postgres.registry_base import RegistryPart

ID_MAX = 2**63 - 1
SAME = (
    *("id", "tenant", "epoch", "at", "first_at", "count", "wake_class", "took_s", "result", "generation", "blueprint"),
    *("revision", "version", "summary"),
)
Row = dict[str, Any]


class RegistryPasses(RegistryPart):
    """The side of the registry that explains."""

    async def passes(self, tenant: str, limit: int = 20) -> Sequence[PassRow]:
        """The kept passes of a tenant, newest first."""
        async with self.session() as connection:
            asked: Row = {"tenant": codec.storable(tenant), "limit": limit}
            rows = await (await connection.execute(passes.SQL["of_tenant"], asked)).fetchall()
        return [_read(row) for row in rows]

    async def get_pass(self, id: int) -> KeptPass:
        """One kept pass, replayed; NotFound."""
        row = None
        if 0 < id <= ID_MAX:
            async with self.session() as connection:
                row = await (await connection.execute(passes.SQL["one"], {"id": id})).fetchone()
        if row is None:
            raise NotFound(f"no pass {id} is kept")
        document = passes.unpack(row["document"])
        replayed = passes.replay(document, row["version"], self._blueprint(row), self.book())
        return KeptPass(row=_read(row), document=document, replayed=replayed)

    def _blueprint(self, row: Row) -> BlueprintSpec | None:
        if row["blueprint_document"] is None:
            return None
        try:
            return self.reader.blueprint(row["blueprint"], row["blueprint_document"])
        except Invalid:
            return None  # as it was for the pass, whose tenant then waits for a Blueprint that can be read


def _read(row: Row) -> PassRow:
    done, waits = passes.glance(passes.unpack(row["document"]))
    return PassRow(**{name: row[name] for name in SAME}, done=done, waits=waits)
