"""Reads Render's objects, alone and in lists; it changes nothing there and decides nothing.

Render API 1.3, 1.4 (lists and filters), 3.1, 3.13-3.16, 4 (details), 6.4 (events).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

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
PROJECTS_AT_ONCE = lists.PAGE - 1
"""Project ids in one query of environments: about 2,700 characters of URL, and as many as fill no page, because
behind a full page one more must be asked for."""
SHOWN_WORKSPACES = 5
Owned = TypeVar("Owned", wire.KeyValue, wire.Project)
M = TypeVar("M", bound=BaseModel)


def _group_stamp(item: wire.EnvGroup) -> tuple[str, datetime | None]:
    return item.id, item.created_at


class KindPages(Generic[M]):
    """The objects of one kind, list by list and page by page; a page that could not be had can be asked for again."""

    def __init__(
        self, clock: Clock, sources: Sequence[lists.Pages[M]], made: Callable[[M, datetime], Observed | None]
    ) -> None:
        """`made` turns an item and the time it was asked for into what we observe; None leaves it out."""
        self._clock = clock
        self._sources = list(sources)
        self._made = made

    async def next(self) -> list[Observed] | None:
        """Read the next page; None behind the last."""
        while self._sources:
            now = self._clock.now()
            page = await self._sources[0].next()
            if page is not None:
                return [one for item in page if (one := self._made(item, now)) is not None]
            del self._sources[0]
        return None


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
        """List every object of a kind in the workspace, once each."""
        projects = [one.id for one in await self.sweep(Kind.PROJECT)] if kind is Kind.ENVIRONMENT else ()
        pages, found = self.pages(kind, projects, query), dict[str, Observed]()
        while (page := await pages.next()) is not None:
            for one in page:
                found.setdefault(one.id, one)
        return list(found.values())

    def pages(
        self, kind: Kind, projects: Sequence[str] = (), query: Mapping[str, str] | None = None
    ) -> "KindPages[Any]":
        """List the objects of a kind page by page; services of all kinds come with any of them.

        Services of types this project does not know are left out, and so are previews and database replicas.
        Environments are those of `projects`: there is no list without projects (Render API 1.4).
        """
        asked = {"ownerId": self.owner_id, **(query or {})}
        calls, clock = self._calls, self._clock
        if kind in SERVICES:
            asked["includePreviews"] = "false"
            services = lists.CursorPages(calls, "/services", "service", wire.Service, asked)
            return KindPages(clock, [services], self._service)
        if kind is Kind.POSTGRES:
            asked["includeReplicas"] = "false"
            return KindPages(
                clock, [lists.CursorPages(calls, "/postgres", "postgres", wire.Postgres, asked)], self._postgres
            )
        if kind is Kind.KEY_VALUE:
            stores = lists.CursorPages(calls, "/key-value", "keyValue", wire.KeyValue, asked)
            return KindPages(clock, [stores], self._ours(normalise.key_value))
        if kind is Kind.ENV_GROUP:
            groups = lists.TimePages(calls, "/env-groups", wire.EnvGroup, _group_stamp, asked)
            return KindPages(clock, [groups], self._group)
        if kind is Kind.PROJECT:
            found = lists.CursorPages(calls, "/projects", "project", wire.Project, asked)
            return KindPages(clock, [found], self._ours(normalise.project))
        batches = (projects[at : at + PROJECTS_AT_ONCE] for at in range(0, len(projects), PROJECTS_AT_ONCE))
        return KindPages(
            clock,
            [
                lists.CursorPages(
                    calls, "/environments", "environment", wire.Environment, asked | {"projectId": ",".join(batch)}
                )
                for batch in batches
            ],
            normalise.environment,
        )

    def _service(self, item: wire.Service, now: datetime) -> Observed | None:
        kind = normalise.kind_of(item)
        ours = item.owner_id in {"", self.owner_id}
        return normalise.service(item, kind, now) if kind is not None and ours else None

    def _postgres(self, item: wire.Postgres, now: datetime) -> Observed | None:
        if item.role == "replica" or (item.owner is not None and item.owner.id != self.owner_id):
            return None
        return normalise.postgres(item, now, listed=True)

    def _group(self, item: wire.EnvGroup, now: datetime) -> Observed | None:
        return normalise.env_group(item, now) if item.owner_id in {"", self.owner_id} else None

    def _ours(self, made: Callable[[Owned, datetime], Observed]) -> Callable[[Owned, datetime], Observed | None]:
        """Leave out what belongs to another workspace of the same key."""
        return lambda item, now: made(item, now) if item.owner is None or item.owner.id == self.owner_id else None

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

    async def variables_of(self, kind: Kind, id: str) -> Mapping[str, Sensitive]:
        """Read the variables of a service or env group by key; other kinds have none."""
        if kind in SERVICES:
            return normalise.variables(await self.variables(id))
        if kind is not Kind.ENV_GROUP:
            return {}
        group = (await self._calls.read(path("env-groups", id))).parse(wire.EnvGroup)
        return normalise.group_detail(group).env or {}

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
