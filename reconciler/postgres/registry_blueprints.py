"""Stores Blueprint revisions and starts their rollouts; whether a document is good was judged before it came here."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from reconciler.core.errors import Invalid, NotFound, Problem, shown
from reconciler.core.spec import BlueprintSpec
from reconciler.core.values import Json
from reconciler.doors import Actor, Applied, BlueprintRow, Rejection
from reconciler.postgres import codec, queries
from reconciler.postgres.pool import Connection
from reconciler.postgres.registry_base import SQL, RegistryPart

ROLLOUTS = queries.load("rollouts")
NAMES_SHOWN = 5
Row = dict[str, Any]


class RegistryBlueprints(RegistryPart):
    """The Blueprints' side of the registry."""

    async def list_blueprints(self) -> Sequence[BlueprintRow]:
        """Answer the newest revision of every Blueprint."""
        async with self.session() as connection:
            asked: Row = {"name": None, "revision": None}
            rows = await (await connection.execute(SQL["blueprints"], asked)).fetchall()
        return [_read_blueprint(row) for row in rows]

    async def get_blueprint(self, name: str, revision: int | None = None) -> BlueprintRow:
        """Answer one revision, the newest by default; NotFound."""
        async with self.session() as connection:
            asked: Row = {"name": codec.storable(name), "revision": revision}
            row = await (await connection.execute(SQL["blueprints"], asked)).fetchone()
        if row is None:
            which = f"has no revision {revision}" if revision is not None else "does not exist"
            raise NotFound(f"blueprint {shown(name)} {which}")
        return _read_blueprint(row)

    async def put_blueprint(self, name: str, document: Mapping[str, Json], actor: Actor) -> Applied:
        """Store a new immutable revision if the document differs from the newest; start its rollout."""
        spec = self.reader.blueprint(name, document)
        stored: Row = {"name": name, "document": Jsonb(codec.encode(document))}
        async with self.acting(actor) as connection:
            await connection.execute(SQL["first_blueprint"], stored)
            before = await (await connection.execute(SQL["lock_blueprint"], stored)).fetchone()
            assert before is not None
            await connection.execute(SQL["accept"], {"kind": "Blueprint", "name": name})
            if before["same"]:
                return Applied(name=name, outcome="unchanged", revision=before["revision"])
            revision = before["revision"] + 1
            who: Row = {"revision": revision, "now": self.now(), "by": codec.storable(actor.name)}
            await connection.execute(SQL["put_revision"], stored | who)
            await self._put_face(connection, spec, revision)
            await connection.execute(ROLLOUTS["start"], {"blueprint": name} | who)
            await self.note(connection, actor, "apply blueprint", name, f"r{revision}")
        return Applied(name=name, outcome="changed" if revision > 1 else "created", revision=revision)

    async def _put_face(self, connection: Connection, spec: BlueprintSpec, revision: int) -> None:
        """Tell the triggers on tenants what the newest revision asks for; a tier in use cannot leave."""
        key: Row = {"name": spec.name, "tiers": sorted(spec.tiers)}
        rows = await (await connection.execute(SQL["lock_leaving_tiers"], key)).fetchall()
        leaving: Row = key | {"leaving": [row["tier"] for row in rows]}
        if rows:
            users = await (await connection.execute(SQL["tier_users"], leaving)).fetchall()
            if users:
                raise Invalid(_in_use(users))
            await connection.execute(SQL["retire_tiers"], leaving)
        await connection.execute(SQL["put_tiers"], key)
        params = {
            param: {"type": one.type, "required": one.required, "default": one.default, "enum": one.enum}
            for param, one in spec.params.items()
        }
        face: Row = {
            "revision": revision,
            "params": Jsonb(codec.encode(params)),
            "keep_for_s": spec.on_delete.keep_for_s,
        }
        await connection.execute(SQL["put_face"], key | face)

    async def retry_rollout(self, blueprint: str, actor: Actor) -> None:
        """Let a stopped rollout go on; NotFound when none is stopped."""
        async with self.acting(actor) as connection:
            row = await (await connection.execute(ROLLOUTS["retry"], {"blueprint": blueprint})).fetchone()
            if row is None:
                raise NotFound(f"no rollout of blueprint {shown(blueprint)} is stopped")
            again: Row = {"blueprint": blueprint, "revision": row["revision"], "halted": False}
            await connection.execute(ROLLOUTS["halt"], again)
            await self.note(connection, actor, "retry rollout", blueprint, f"r{row['revision']}")

    async def reject(self, kind: str, name: str, problems: Sequence[Problem], actor: Actor) -> None:
        """Remember a refused document; a later good put of the same kind and name clears it."""
        message = codec.storable("\n".join(str(problem) for problem in problems))
        async with self.acting(actor) as connection:
            refused: Row = {"kind": kind, "name": codec.storable(name), "message": message, "now": self.now()}
            await connection.execute(SQL["reject"], refused)

    async def rejections(self) -> Sequence[Rejection]:
        """List refused documents that have not been put right."""
        async with self.session() as connection:
            rows = await (await connection.execute(SQL["rejections"])).fetchall()
        return [Rejection(**row) for row in rows]


def _in_use(users: Sequence[Row]) -> list[Problem]:
    problems = []
    for tier in sorted({row["tier"] for row in users}):
        names = [row["name"] for row in users if row["tier"] == tier]
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        problems.append(
            Problem(
                path=f"spec.tiers.{tier}",
                message=f"is left out, but in use by {', '.join(names[:NAMES_SHOWN])}{more}",
                remedy="keep the tier, or give these tenants another one first",
            )
        )
    return problems


def _read_blueprint(row: Row) -> BlueprintRow:
    state, target = row.pop("rollout_state"), row.pop("target")
    why, moved = row.pop("rollout_why"), row.pop("moved")
    words = {
        "active": f"r{target}: {moved} of {row['tenants']} tenants",
        "stopped": f"r{target} stopped at {moved} of {row['tenants']} tenants: {why}",
    }
    return BlueprintRow(**row, rollout=words.get(state, ""))
