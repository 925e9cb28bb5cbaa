"""Carries out actions on parts of a service or env group: variables, files, disks, domains, rules, deploys, links.

It never repeats a change and decides nothing. A PUT of a list replaces all of it (Render API 4), so the list is read
first and everything that the action does not name is sent back as it was. It is read twice, and what either showed is
kept: a list that once lacks an item would cost a person's variable, for which nobody else has the value.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from reconciler.core.actions import Action, Verb
from reconciler.core.errors import Gone, Refused, shown
from reconciler.core.observed import Deploy, Detail, Observed
from reconciler.core.values import Json, Sensitive
from reconciler.ports import Clock, Plaintext, Reply
from reconciler.render import bodies, normalise, wire
from reconciler.render.calls import Calls, Result, path
from reconciler.render.reads import Reads

Effect = Callable[[Action, Plaintext], Awaitable[Reply]]
QUEUED = 202
LOOKS = 2


class Parts:
    """The effects on parts of objects, by verb."""

    def __init__(self, calls: Calls, reads: Reads, clock: Clock) -> None:
        """Share the calls of the client."""
        self._calls = calls
        self._reads = reads
        self._clock = clock
        self.effects: Mapping[Verb, Effect] = {
            Verb.SCALE: self._scale,
            Verb.SET_AUTOSCALING: self._set_autoscaling,
            Verb.REMOVE_AUTOSCALING: self._remove_autoscaling,
            Verb.SET_ENV: self._set_env,
            Verb.SET_FILES: self._set_files,
            Verb.SET_GROUP_VAR: self._set_group_var,
            Verb.REMOVE_GROUP_VAR: self._remove_group_var,
            Verb.LINK_GROUP: self._link_group,
            Verb.UNLINK_GROUP: self._link_group,
            Verb.ADD_DISK: self._add_disk,
            Verb.CHANGE_DISK: self._change_disk,
            Verb.REMOVE_DISK: self._remove_disk,
            Verb.ADD_DOMAIN: self._add_domain,
            Verb.REMOVE_DOMAIN: self._remove_domain,
            Verb.SET_HEADERS: self._set_headers,
            Verb.SET_ROUTES: self._set_routes,
            Verb.DEPLOY: self._deploy,
            Verb.RUN_JOB: self._run_job,
        }

    # ------------------------------------------------------------ size

    async def _scale(self, action: Action, plaintext: Plaintext) -> Reply:
        body: bodies.Body = {"numInstances": action.payload["numInstances"]}
        return reply(await self._calls.write("POST", path("services", action.id, "scale"), body))

    async def _set_autoscaling(self, action: Action, plaintext: Plaintext) -> Reply:
        body = bodies.autoscaling(dict(action.payload))
        result = await self._calls.write("PUT", path("services", action.id, "autoscaling"), body)
        stands = normalise.autoscaling(result.parse(wire.Autoscaling))
        return reply(result, detail=Detail(fields={"autoscaling": stands}))

    async def _remove_autoscaling(self, action: Action, plaintext: Plaintext) -> Reply:
        return await removed(self._calls, path("services", action.id, "autoscaling"))

    # ------------------------------------------------------------ variables and files

    async def _set_env(self, action: Action, plaintext: Plaintext) -> Reply:
        looks = [await self._reads.variables(action.id) for _ in range(LOOKS)]
        present = either(normalise.variables(reversed(look)) for look in looks)
        wanted = merged(present, plaintext.values, action.removes)
        where = path("services", action.id, "env-vars")
        result = await self._calls.write("PUT", where, bodies.pairs(wanted), secrets=texts_of(wanted))
        stands = (item for item, _ in result.items(wire.EnvVar, "envVar"))
        return reply(result, detail=Detail(env=normalise.variables(stands)))

    async def _set_files(self, action: Action, plaintext: Plaintext) -> Reply:
        looks = [await self._reads.files(action.id) for _ in range(LOOKS)]
        present = either(normalise.files(reversed(look)) for look in looks)
        wanted = merged(present, plaintext.files, action.removes)
        where = path("services", action.id, "secret-files")
        result = await self._calls.write("PUT", where, bodies.file_pairs(wanted), secrets=texts_of(wanted))
        stands = (item for item, _ in result.items(wire.SecretFile, "secretFile"))
        return reply(result, detail=Detail(files=normalise.files(stands)))

    async def _set_group_var(self, action: Action, plaintext: Plaintext) -> Reply:
        [(key, value)] = plaintext.values.items()
        where = path("env-groups", action.id, "env-vars", key)
        body: bodies.Body = {"value": value.reveal()}
        result = await self._calls.write("PUT", where, body, secrets=secrets_of(plaintext))
        group = result.parse(wire.EnvGroup)
        observed = normalise.env_group(group, self._clock.now())
        return reply(result, observed=observed, detail=normalise.group_detail(group))

    async def _remove_group_var(self, action: Action, plaintext: Plaintext) -> Reply:
        [key] = action.removes
        return await removed(self._calls, path("env-groups", action.id, "env-vars", key))

    async def _link_group(self, action: Action, plaintext: Plaintext) -> Reply:
        """Link or unlink; the answer's body is not needed and was never recorded."""
        where = path("env-groups", action.id, "services", text(action, "serviceId"))
        if action.verb is Verb.UNLINK_GROUP:
            return await removed(self._calls, where)
        return reply(await self._calls.write("POST", where))

    # ------------------------------------------------------------ disks

    async def _add_disk(self, action: Action, plaintext: Plaintext) -> Reply:
        body: bodies.Body = {"serviceId": action.id, **disk_fields(action)}
        return disk_reply(await self._calls.write("POST", "/disks", body))

    async def _change_disk(self, action: Action, plaintext: Plaintext) -> Reply:
        return disk_reply(await self._calls.write("PATCH", path("disks", text(action, "diskId")), disk_fields(action)))

    async def _remove_disk(self, action: Action, plaintext: Plaintext) -> Reply:
        where = path("disks", text(action, "diskId"))
        return replace(await removed(self._calls, where), detail=Detail(fields={"disk": None}))

    # ------------------------------------------------------------ domains, rules

    async def _add_domain(self, action: Action, plaintext: Plaintext) -> Reply:
        """Add a domain; the reply lists the new ones alone, two for an apex and its www twin (Render API 3.10)."""
        body: bodies.Body = {"name": text(action, "name")}
        result = await self._calls.write("POST", path("services", action.id, "custom-domains"), body)
        added = normalise.domains(item for item, _ in result.items(wire.CustomDomain))
        return reply(result, detail=Detail(domains=added))

    async def _remove_domain(self, action: Action, plaintext: Plaintext) -> Reply:
        where = path("services", action.id, "custom-domains", text(action, "name"))
        return await removed(self._calls, where)

    async def _set_headers(self, action: Action, plaintext: Plaintext) -> Reply:
        body = bodies.headers(action.payload["headers"])
        result = await self._calls.write("PUT", path("services", action.id, "headers"), body)
        stands = normalise.headers(item for item, _ in result.items(wire.Header))
        return reply(result, detail=Detail(headers=stands))

    async def _set_routes(self, action: Action, plaintext: Plaintext) -> Reply:
        body = bodies.routes(action.payload["routes"])
        result = await self._calls.write("PUT", path("services", action.id, "routes"), body)
        stands = normalise.routes(item for item, _ in result.items(wire.Route))
        return reply(result, detail=Detail(routes=stands))

    # ------------------------------------------------------------ deploys, jobs

    async def _deploy(self, action: Action, plaintext: Plaintext) -> Reply:
        """Start a deploy; 202 without a body means queued behind a running one (recorded: privateservice/scaling)."""
        body: bodies.Body = {}
        if action.payload.get("commitId"):
            body["commitId"] = action.payload["commitId"]
        clear = action.payload.get("clearCache")
        if clear is True or clear == "clear":
            body["clearCache"] = "clear"
        result = await self._calls.write("POST", path("services", action.id, "deploys"), body)
        if result.answer.status == QUEUED and not result.answer.body.strip():
            queued = Deploy(id="", status="queued", trigger="api", created_at=self._clock.now())
            return reply(result, deploy=queued)
        return reply(result, deploy=normalise.deploy(result.parse(wire.Deploy)))

    async def _run_job(self, action: Action, plaintext: Plaintext) -> Reply:
        body: bodies.Body = {"startCommand": text(action, "startCommand")}
        result = await self._calls.write("POST", path("services", action.id, "jobs"), body)
        job = result.parse(wire.Job)
        return reply(result, detail=Detail(fields={"job": {"id": job.id, "status": job.status}}))


def reply(
    result: Result,
    *,
    observed: Observed | None = None,
    created: tuple[Observed, ...] = (),
    deploy: Deploy | None = None,
    detail: Detail | None = None,
) -> Reply:
    """Make a reply with what every answer tells."""
    return Reply(
        observed=observed,
        created=created,
        deploy=deploy,
        detail=detail,
        limits=result.limits,
        request_id=result.request_id,
    )


async def removed(calls: Calls, where: str) -> Reply:
    """Delete; what is not there any more counts as deleted (Render API 5.4)."""
    try:
        return reply(await calls.write("DELETE", where))
    except Gone as gone:
        return Reply(request_id=gone.request_id)


def disk_fields(action: Action) -> bodies.Body:
    """Take what the API has of a disk from a payload."""
    return {key: action.payload[key] for key in ("name", "mountPath", "sizeGB") if key in action.payload}


def disk_reply(result: Result) -> Reply:
    """Answer the disk as it stands now."""
    return reply(result, detail=Detail(fields={"disk": normalise.disk_field(result.parse(wire.Disk))}))


def either(looks: Iterable[Mapping[str, Sensitive]]) -> dict[str, Sensitive]:
    """Answer what any of the looks showed, values as the newest did."""
    return {key: value for look in looks for key, value in look.items()}


def merged(
    present: Mapping[str, Sensitive], wanted: Mapping[str, Sensitive], removes: tuple[str, ...]
) -> dict[str, Sensitive]:
    """Answer what shall stand, in the order in which it was added; what is set and removed at once is set."""
    kept = {key: value for key, value in present.items() if key not in removes}
    return kept | dict(wanted)


def text(action: Action, field: str) -> str:
    """Take a text out of a payload; Refused when it is missing, before anything is sent."""
    value = action.payload.get(field)
    if not isinstance(value, str) or not value:
        raise Refused(f"{action.verb.value} of {action.component} needs a {field}, found {shown(value)}")
    return value


def texts(*values: Json) -> list[str]:
    """List the texts among values and in lists among them."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if isinstance(item, str)]


def texts_of(values: Mapping[str, Sensitive]) -> set[str]:
    """Reveal values, to keep them out of messages."""
    return {value.reveal() for value in values.values()}


def secrets_of(plaintext: Plaintext) -> set[str]:
    """Reveal every secret of an action, to keep it out of messages."""
    return texts_of(plaintext.values) | texts_of(plaintext.files)
