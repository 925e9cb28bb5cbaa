"""Reads Render's objects, alone and in lists; it changes nothing there and decides nothing.

Render API 1.3, 1.4 (lists and filters), 3.1, 3.13-3.16, 4 (details), 6.4 (events).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from reconciler.core.errors import Denied, Gone, Refused, Unavailable, shown
from reconciler.core.kinds import DATASTORES, SERVICES, Kind
from reconciler.core.observed import Deploy, Detail, Observed, Part
from reconciler.core.values import Sensitive
from reconciler.ports import Clock
from reconciler.render import events, lists, normalise, wire
from reconciler.render.calls import Calls, path

COLLECTIONS = {
    **dict.fromkeys(SERVICES, "services"),
    Kind.POSTGRES: "postgres",
    Kind.KEY_VALUE: "key-value",
    Kind.ENV_GROUP: "env-groups",
    Kind.PROJECT: "projects",
    Kind.ENVIRONMENT: "environments",
}
PROJECTS_AT_ONCE = 50
"""Project ids in one query of environments: about 1,300 characters of URL."""
SHOWN_WORKSPACES = 5
Owned = TypeVar("Owned", wire.Postgres, wire.KeyValue, wire.Project)


class Reads:
    """The reading half of the client, for one workspace."""

    def __init__(self, calls: Calls, clock: Clock, owner_id: str) -> None:
        """`owner_id` may be empty until `check` has found the key's only workspace."""
        self._calls = calls
        self._clock = clock
        self._owner_id = owner_id

    @property
    def owner_id(self) -> str:
        """The workspace; Unavailable while it is not known."""
        if not self._owner_id:
            raise Unavailable("the workspace is not known yet: check() must succeed first")
        return self._owner_id

    async def check(self) -> str:
        """Ask which workspaces the key sees, and answer ours; Denied when it does not see it."""
        owners = await lists.by_cursor(self._calls, "/owners", "owner", wire.Owner)
        if not self._owner_id and len(owners) == 1:
            self._owner_id = owners[0].id
        if any(owner.id == self._owner_id for owner in owners):
            return self._owner_id
        seen = ", ".join(f"{owner.id} {shown(owner.name)}" for owner in owners[:SHOWN_WORKSPACES]) or "none"
        wanted = f"does not see workspace {shown(self._owner_id)}" if self._owner_id else "sees several workspaces"
        raise Denied(f"the API key {wanted}; it sees: {seen}. Set RENDER_OWNER_ID to the workspace to manage")

    async def sweep(self, kind: Kind, query: Mapping[str, str] | None = None) -> list[Observed]:
        """List every object of a kind in the workspace; services of all kinds come with any of them.

        Services of types this project does not know are left out, and so are previews and database replicas.
        """
        asked = {"ownerId": self.owner_id, **(query or {})}
        now = self._clock.now()
        if kind in SERVICES:
            return await self._services(asked, now)
        if kind is Kind.POSTGRES:
            asked["includeReplicas"] = "false"
            databases = await lists.by_cursor(self._calls, "/postgres", "postgres", wire.Postgres, asked)
            databases = [item for item in databases if item.role != "replica"]
            return [normalise.postgres(item, now, listed=True) for item in self._ours(databases)]
        if kind is Kind.KEY_VALUE:
            stores = await lists.by_cursor(self._calls, "/key-value", "keyValue", wire.KeyValue, asked)
            return [normalise.key_value(item, now) for item in self._ours(stores)]
        if kind is Kind.ENV_GROUP:
            groups = await lists.by_time(
                self._calls, "/env-groups", wire.EnvGroup, lambda item: (item.id, item.created_at), asked
            )
            return [normalise.env_group(item, now) for item in groups if item.owner_id in {"", self.owner_id}]
        if kind is Kind.PROJECT:
            projects = await lists.by_cursor(self._calls, "/projects", "project", wire.Project, asked)
            return [normalise.project(item, now) for item in self._ours(projects)]
        return await self._environments(now)

    async def _services(self, asked: Mapping[str, str], now: datetime) -> list[Observed]:
        found = await lists.by_cursor(
            self._calls, "/services", "service", wire.Service, {**asked, "includePreviews": "false"}
        )
        observed: list[Observed] = []
        for item in lists.unique(found, lambda item: item.id):
            kind = normalise.kind_of(item)
            if kind is not None and item.owner_id in {"", self.owner_id}:
                observed.append(normalise.service(item, kind, now))
        return observed

    def _ours(self, found: Sequence[Owned]) -> list[Owned]:
        """Drop doubles, and what belongs to another workspace of the same key."""
        items = lists.unique(found, lambda item: item.id)
        return [item for item in items if item.owner is None or item.owner.id == self.owner_id]

    async def _environments(self, now: datetime) -> list[Observed]:
        """List the environments of all projects: there is no list without projects (Render API 1.4)."""
        ids = [project.id for project in await self.sweep(Kind.PROJECT)]
        found: list[wire.Environment] = []
        for at in range(0, len(ids), PROJECTS_AT_ONCE):
            asked = {"ownerId": self.owner_id, "projectId": ",".join(ids[at : at + PROJECTS_AT_ONCE])}
            found += await lists.by_cursor(self._calls, "/environments", "environment", wire.Environment, asked)
        return [normalise.environment(item, now) for item in lists.unique(found, lambda item: item.id)]

    async def find(self, kind: Kind, name: str) -> list[Observed]:
        """List the objects of a kind with exactly this name; for a service, of every service kind."""
        # array filters are split at commas (Render API 1.3); environments are few and have no filter worth using
        filtered = "," not in name and kind is not Kind.ENVIRONMENT
        found = await self.sweep(kind, {"name": name} if filtered else None)
        return [item for item in found if item.name == name]

    async def get(self, kind: Kind, id: str) -> Observed:
        """Read one object; Gone when it is not there, or is not what the id was taken for."""
        result = await self._calls.read(path(COLLECTIONS[kind], id))
        now = self._clock.now()
        if kind in SERVICES:
            service = result.parse(wire.Service)
            actual = normalise.kind_of(service)
            if actual is None:
                raise Refused(f"{id} is a service of type {shown(service.type)}, which this version does not know")
            return normalise.service(service, actual, now)
        if kind is Kind.POSTGRES:
            return normalise.postgres(result.parse(wire.Postgres), now)
        if kind is Kind.KEY_VALUE:
            return normalise.key_value(result.parse(wire.KeyValue), now)
        if kind is Kind.ENV_GROUP:
            return normalise.env_group(result.parse(wire.EnvGroup), now)
        if kind is Kind.PROJECT:
            return normalise.project(result.parse(wire.Project), now)
        return normalise.environment(result.parse(wire.Environment), now)

    async def detail(self, kind: Kind, id: str) -> Detail:
        """Read what lists do not show; three GETs for a service, up to five for a web service or static site."""
        if kind in SERVICES:
            return await self._service_detail(kind, id)
        if kind is Kind.ENV_GROUP:
            group = (await self._calls.read(path("env-groups", id))).parse(wire.EnvGroup)
            detail = normalise.group_detail(group)
            links = normalise.env_group(group, self._clock.now()).fields
            return Detail(env=detail.env, files=detail.files, fields=links)
        if kind is Kind.POSTGRES:
            fields = (await self.get(kind, id)).fields
            overrides = {"parameterOverrides": fields["parameterOverrides"]}
            return Detail(fields=overrides, connection=await self.connection(kind, id))
        if kind is Kind.KEY_VALUE:
            return Detail(connection=await self.connection(kind, id))
        return Detail()

    async def _service_detail(self, kind: Kind, id: str) -> Detail:
        domains = headers = routes = None
        if kind in {Kind.WEB, Kind.STATIC}:
            where = path("services", id, "custom-domains")
            domains = normalise.domains(await lists.by_cursor(self._calls, where, "customDomain", wire.CustomDomain))
        if kind is Kind.STATIC:
            where = path("services", id, "headers")
            headers = normalise.headers(await lists.by_cursor(self._calls, where, "header", wire.Header))
            where = path("services", id, "routes")
            routes = normalise.routes(await lists.by_cursor(self._calls, where, "route", wire.Route))
        return Detail(
            env=normalise.variables(await self.variables(id)),
            files=normalise.files(await self.files(id)),
            domains=domains,
            headers=headers,
            routes=routes,
            deploy=await self.deploy(id),
        )

    async def has(self, id: str, part: Part, name: str) -> bool:
        """Ask for one variable, file or domain of a service by its name."""
        try:
            await self._calls.read(path("services", id, part.value, name))
        except Gone:
            return False
        return True

    async def variables(self, id: str) -> list[wire.EnvVar]:
        """Read all variables of a service, newest first."""
        return await lists.by_cursor(self._calls, path("services", id, "env-vars"), "envVar", wire.EnvVar)

    async def files(self, id: str) -> list[wire.SecretFile]:
        """Read all secret files of a service, newest first."""
        return await lists.by_cursor(self._calls, path("services", id, "secret-files"), "secretFile", wire.SecretFile)

    async def service(self, id: str) -> wire.Service:
        """Read a service as Render has it."""
        return (await self._calls.read(path("services", id))).parse(wire.Service)

    async def credential_id(self, name: str) -> str:
        """Look a registry credential up by name; Refused unless there is exactly one."""
        asked = {"ownerId": self.owner_id, "limit": str(lists.PAGE)} | ({} if "," in name else {"name": name})
        found = (await self._calls.read("/registrycredentials", asked)).items(wire.RegistryCredential)
        ids = [item.id for item, _ in found if item.name == name]
        if len(ids) != 1:
            raise Refused(
                f"{len(ids) or 'no'} registry credentials of the workspace are named {shown(name)}; there must be "
                "exactly one (Render Dashboard, Workspace Settings, Container Registry Credentials)"
            )
        return ids[0]

    async def deploy(self, id: str) -> Deploy | None:
        """Read the newest deploy of a service."""
        found = (await self._calls.read(path("services", id, "deploys"), {"limit": "1"})).items(wire.Deploy, "deploy")
        return normalise.deploy(found[0][0]) if found else None

    async def connection(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the secret attributes of a datastore."""
        if kind not in DATASTORES:
            return {}
        result = await self._calls.read(path(COLLECTIONS[kind], id, "connection-info"))
        return normalise.connection(kind, result.parse(wire.ConnectionInfo))

    async def failure(self, id: str, since: datetime) -> str | None:
        """Answer a phrase when servers crashed since then and none came back later."""
        asked = {"type": ",".join(events.TYPES), "startTime": lists.timestamp(since)}
        where = path("services", id, "events")
        return events.failure(await lists.by_cursor(self._calls, where, "event", wire.ServiceEvent, asked))

    async def exported(self, id: str, since: datetime) -> bool:
        """Say whether an export of a Postgres asked for since then is done: its address appears then (3.13)."""
        found = (await self._calls.read(path("postgres", id, "export"))).items(wire.Export)
        return any(item.url and item.created_at is not None and item.created_at >= since for item, _ in found)
