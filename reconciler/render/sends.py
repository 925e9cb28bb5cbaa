"""Carries out actions: one verb, one changing call; it never repeats one and decides nothing.

Render API 3.1 (services), 3.8 (disks), 3.9 (deploys), 3.10-3.12, 3.13-3.16, 4 (variables and files). What must be
read for a body (the list that a PUT replaces, a credential's id) is read before anything is changed.
"""

from collections.abc import Mapping

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Refused, RenderError
from reconciler.core.kinds import SERVICES, SUSPENDABLE, Kind
from reconciler.core.observed import Deploy, Detail, Observed
from reconciler.core.values import Json
from reconciler.ports import Clock, Plaintext, Reply
from reconciler.render import bodies, normalise, wire
from reconciler.render.calls import Calls, Result, leaving_by, path
from reconciler.render.parts import Effect, Parts, removed, reply, secrets_of, texts
from reconciler.render.reads import COLLECTIONS, Reads


class Sends:
    """The writing half of the client, for one workspace."""

    def __init__(self, calls: Calls, reads: Reads, clock: Clock, protected_ids: frozenset[str]) -> None:
        """`protected_ids` are never written to: what the operator itself runs on."""
        self._calls = calls
        self._reads = reads
        self._clock = clock
        self._protected = protected_ids
        self._verbs: Mapping[Verb, Effect] = {
            Verb.CREATE: self._create,
            Verb.UPDATE: self._update,
            Verb.MOVE: self._move,
            Verb.SUSPEND: self._switch,
            Verb.RESUME: self._switch,
            Verb.DELETE: self._delete,
            Verb.EXPORT: self._export,
            **Parts(calls, reads, clock).effects,
        }

    async def send(self, action: Action, plaintext: Plaintext, latest_s: float | None = None) -> Reply:
        """Carry out one action, by `latest_s` if at all; Refused for what the operator itself runs on."""
        named = (action.payload.get("serviceId"), action.payload.get("resourceIds"))
        touched = {action.id, *texts(*named)}
        mine = sorted(touched & self._protected)
        if mine:
            raise Refused(
                f"{mine[0]} is what this operator runs on: it never changes itself. "
                "Take it out of the tenant, or out of the operator's inventory"
            )
        with leaving_by(latest_s):
            return await self._verbs[action.verb](action, plaintext)

    # ------------------------------------------------------------ objects

    async def _create(self, action: Action, plaintext: Plaintext) -> Reply:
        credential = action.payload.get("registryCredential")
        credential_id = await self._reads.credential_id(str(credential)) if credential else ""
        body = bodies.create(
            action.kind,
            action.name,
            self._reads.owner_id,
            action.payload,
            env=plaintext.values,
            files=plaintext.files,
            credential_id=credential_id,
        )
        result = await self._calls.write("POST", path(COLLECTIONS[action.kind]), body, secrets=secrets_of(plaintext))
        if action.kind in SERVICES:
            return self._created_service(action.kind, result, plaintext)
        if action.kind is Kind.PROJECT:
            return await self._created_project(action, result)
        observed, detail = self._object(action.kind, result)
        return reply(result, observed=observed, created=(observed,), detail=detail)

    def _created_service(self, kind: Kind, result: Result, plaintext: Plaintext) -> Reply:
        created = result.parse(wire.Created)
        observed = normalise.service(created.service, kind, self._clock.now())
        deploy = Deploy(id=created.deploy_id, status="created", created_at=created.service.created_at)
        return reply(
            result,
            observed=observed,
            created=(observed,),
            deploy=deploy if created.deploy_id else None,
            detail=Detail(env=dict(plaintext.values), files=dict(plaintext.files)),
        )

    async def _created_project(self, action: Action, result: Result) -> Reply:
        """A project's reply names its environments by id alone; what they are called and are is looked up."""
        project = normalise.project(result.parse(wire.Project), self._clock.now())
        made = [project]
        for id in texts(project.fields.get("environmentIds")):
            made.append(await self._environment_of(project, id, action))
        return reply(result, observed=project, created=tuple(made))

    async def _environment_of(self, project: Observed, id: str, action: Action) -> Observed:
        try:
            return await self._reads.get(Kind.ENVIRONMENT, id)
        except RenderError:
            # The project stands: an error now would look as if it did not. What we asked for is what there is.
            asked = wire.Environment(
                id=id,
                name=str(action.payload.get("environment") or action.name),
                project_id=project.id,
                protected_status=str(action.payload.get("protectedStatus") or ""),
                network_isolation_enabled=action.payload.get("networkIsolationEnabled") is True,
            )
            return normalise.environment(asked, self._clock.now())

    async def _update(self, action: Action, plaintext: Plaintext) -> Reply:
        payload, credential_id = dict(action.payload), None
        if action.kind in SERVICES:
            payload, credential_id = await self._with_credential(action)
        body = bodies.update(action.kind, payload, self._reads.owner_id, credential_id)
        where = path(COLLECTIONS[action.kind], action.id)
        result = await self._calls.write("PATCH", where, body, secrets=secrets_of(plaintext))
        observed, detail = self._object(action.kind, result)
        return reply(result, observed=observed, detail=detail)

    async def _with_credential(self, action: Action) -> tuple[dict[str, Json], str | None]:
        """Complete a change of image or credential: the API takes both together.

        An image sent without a credential would lose the one that it has.
        """
        payload = dict(action.payload)
        wanted = payload.get("registryCredential")
        if wanted is None and not payload.get("imagePath"):
            return payload, None
        credential_id = await self._reads.credential_id(str(wanted)) if wanted else ""
        if wanted is None or not payload.get("imagePath"):
            service = await self._reads.service(action.id)
            if wanted is None:
                credential_id = service.registry_credential.id if service.registry_credential else ""
            if not payload.get("imagePath") and service.image_path:
                payload["imagePath"] = service.image_path
        return payload, credential_id

    def _object(self, kind: Kind, result: Result) -> tuple[Observed, Detail | None]:
        """Read the object that an answer consists of."""
        now = self._clock.now()
        if kind in SERVICES:
            return normalise.service(result.parse(wire.Service), kind, now), None
        if kind is Kind.POSTGRES:
            return normalise.postgres(result.parse(wire.Postgres), now), None
        if kind is Kind.KEY_VALUE:
            return normalise.key_value(result.parse(wire.KeyValue), now), None
        if kind is Kind.ENV_GROUP:
            group = result.parse(wire.EnvGroup)
            return normalise.env_group(group, now), normalise.group_detail(group)
        if kind is Kind.PROJECT:
            return normalise.project(result.parse(wire.Project), now), None
        return normalise.environment(result.parse(wire.Environment), now), None

    async def _move(self, action: Action, plaintext: Plaintext) -> Reply:
        """Put objects into an environment, wherever they were before."""
        body: bodies.Body = {"resourceIds": list[Json](texts(action.payload.get("resourceIds")))}
        result = await self._calls.write("POST", path("environments", action.id, "resources"), body)
        observed, _ = self._object(Kind.ENVIRONMENT, result)
        return reply(result, observed=observed)

    async def _switch(self, action: Action, plaintext: Plaintext) -> Reply:
        if action.kind not in SUSPENDABLE:
            raise Refused(f"Render cannot {action.verb.value} a {action.kind.value}")
        where = path(COLLECTIONS[action.kind], action.id, action.verb.value)
        return reply(await self._calls.write("POST", where))

    async def _delete(self, action: Action, plaintext: Plaintext) -> Reply:
        return await removed(self._calls, path(COLLECTIONS[action.kind], action.id))

    async def _export(self, action: Action, plaintext: Plaintext) -> Reply:
        if action.kind is not Kind.POSTGRES:
            raise Refused(f"Render cannot export a {action.kind.value}, only a {Kind.POSTGRES.value}")
        return reply(await self._calls.write("POST", path("postgres", action.id, "export")))
