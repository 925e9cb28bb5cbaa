"""The records over another operator's HTTP API (/v1), as far as that goes; its errors become those of the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from reconciler import manifest
from reconciler.api import views
from reconciler.cli import wire, wire_pass, wire_plan, worldtime
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.render_plan import PlanView
from reconciler.cli.worldtime import WorldTime
from reconciler.core.errors import Invalid, NotFound, Problem
from reconciler.core.values import Json, Sensitive
from reconciler.doors import (
    Actor,
    ApiKey,
    Applied,
    AuditRow,
    BlueprintRow,
    CostRow,
    EventRow,
    KeptPass,
    OrphanRow,
    PassRow,
    QueueRow,
    Rejection,
    Taken,
    TenantPage,
    TenantRow,
)
from reconciler.ports import Brake, Operation

TIMEOUT_S = 30.0
PAGE_MAX = 100
"""Largest page the API gives."""


class RemoteRegistry:
    """`doors.Registry` over HTTP. The actor of the audit log is the key's name, whatever the methods are told."""

    def __init__(self, url: str, key: SecretStr) -> None:
        """Name the operator's address and the key; nothing is sent yet."""
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key.get_secret_value()}", "Accept": "application/json"}
        self._client = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    # ------------------------------------------------------------ tenants

    async def list_tenants(
        self,
        *,
        selector: Mapping[str, str] | None = None,
        names: Sequence[str] | None = None,
        include_purged: bool = False,
        created_by: str | None = None,
        limit: int = 1000,
        offset: int = 0,
    ) -> TenantPage:
        """List a page of tenants; a page of the API is smaller than one of the database."""
        asked: list[tuple[str, str]] = [("limit", str(min(limit, PAGE_MAX))), ("offset", str(offset))]
        asked += _selected(selector)
        asked += [("name", name) for name in names or ()]
        asked += [("purged", "true")] if include_purged else []
        asked += [("createdBy", created_by)] if created_by is not None else []
        page = await self._ask("GET", "/v1/tenants", query=asked)
        rows = [wire.tenant(dict(item)) for item in wire.items(page)]
        return TenantPage(count=wire.whole(wire.fields(page).get("count")) or len(rows), rows=rows)

    async def get_tenant(self, id_or_name: str) -> TenantRow:
        """Find a tenant by number or name."""
        return wire.tenant(await self._ask("GET", f"/v1/tenants/{_part(id_or_name)}"))

    async def find_display_name(self, display_name: str) -> TenantRow | None:
        """Find a tenant by display name: no route asks for it, so all are read."""
        wanted, offset = display_name.casefold(), 0
        while True:
            page = await self.list_tenants(offset=offset)
            for row in page.rows:
                if row.display_name.casefold() == wanted and not row.purged:
                    return row
            offset += len(page.rows)
            if not page.rows or offset >= page.count:
                return None

    async def put_tenant(
        self, columns: Mapping[str, Json], actor: Actor, *, create_only: bool = False, generation: int | None = None
    ) -> Applied:
        """Create or change a tenant: what the columns leave out is read first and sent back as it was."""
        name = wire.word(columns.get("name"))
        before = await self._known(name)
        if before is not None and create_only:
            raise Taken(f'there is a tenant "{name}" already', field="name")
        if before is not None and generation is not None and before.generation != generation:
            raise Taken(f"{name} was changed by somebody else: generation {before.generation}", field="generation")
        merged = {**(views.columns(before) if before is not None else {}), **columns}
        headers = {"If-Match": f'"{before.generation}"'} if before is not None else {"If-None-Match": "*"}
        body = manifest.tenant_document(merged)
        answer = wire.fields(await self._ask("PUT", f"/v1/tenants/{_part(name)}", body, headers=headers))
        row = wire.tenant(dict(answer))
        return Applied(
            name=row.name,
            outcome=wire.word(answer.get("outcome")),
            generation=row.generation,
            warnings=wire.words(answer.get("warnings")),
        )

    async def _known(self, name: str) -> TenantRow | None:
        try:
            return await self.get_tenant(name)
        except NotFound:
            return None

    async def set_state(self, name: str, state: str, actor: Actor, *, purge_mode: str = "wait") -> TenantRow:
        """Set running, suspended or deleted."""
        body: dict[str, Json] = {"state": state}
        if state == "deleted":
            body["purgeMode"] = purge_mode
        return wire.tenant(await self._ask("POST", f"/v1/tenants/{_part(name)}/state", body))

    async def set_hold(self, name: str, why: str, until: datetime, actor: Actor) -> None:
        """Hands off until then."""
        await self._ask("PUT", f"/v1/tenants/{_part(name)}/hold", {"why": why, "until": views.stamp(until)})

    async def clear_hold(self, name: str, actor: Actor) -> None:
        """Lift a hold."""
        await self._ask("DELETE", f"/v1/tenants/{_part(name)}/hold")

    async def reconcile(self, name: str, actor: Actor) -> str:
        """Ask for a pass now."""
        answer = await self._ask("POST", f"/v1/tenants/{_part(name)}/reconcile")
        return wire.word(wire.fields(answer).get("token"))

    async def operations(self, tenant: str, limit: int = 50) -> Sequence[Operation]:
        """Read the journal of a tenant."""
        answer = await self._ask("GET", f"/v1/tenants/{_part(tenant)}/operations", query=[("limit", str(limit))])
        return [wire.operation(item) for item in wire.items(answer)]

    async def passes(self, tenant: str, limit: int = 20) -> Sequence[PassRow]:
        """Read the kept passes of a tenant."""
        answer = await self._ask("GET", f"/v1/tenants/{_part(tenant)}/passes", query=[("limit", str(limit))])
        return [wire_pass.row(item) for item in wire.items(answer)]

    async def get_pass(self, id: int) -> KeptPass:
        """Read one kept pass, replayed there."""
        return wire_pass.kept_pass(await self._ask("GET", f"/v1/passes/{id}"))

    async def plan(self, name: str, columns: Mapping[str, Json] | None) -> PlanView:
        """Ask for the plan of a tenant as it stands, or with these columns."""
        path = f"/v1/tenants/{_part(name)}/plan"
        if columns is None:
            return wire_plan.plan(await self._ask("GET", path))
        return wire_plan.plan(await self._ask("POST", path, manifest.tenant_document(columns)))

    # ------------------------------------------------------------ Blueprints, secrets

    async def list_blueprints(self) -> Sequence[BlueprintRow]:
        """Read the newest revisions."""
        return [wire.blueprint(dict(item)) for item in wire.items(await self._ask("GET", "/v1/blueprints"))]

    async def get_blueprint(self, name: str, revision: int | None = None) -> BlueprintRow:
        """Read one revision."""
        query = [("revision", str(revision))] if revision is not None else []
        return wire.blueprint(await self._ask("GET", f"/v1/blueprints/{_part(name)}", query=query))

    async def put_blueprint(self, name: str, document: Mapping[str, Json], actor: Actor) -> Applied:
        """Store a revision."""
        body = manifest.blueprint_yaml(name, document)
        answer = wire.fields(await self._ask("PUT", f"/v1/blueprints/{_part(name)}", body))
        row = wire.blueprint(dict(answer))
        return Applied(
            name=row.name,
            outcome=wire.word(answer.get("outcome")),
            revision=row.newest,
            warnings=wire.words(answer.get("warnings")),
        )

    async def retry_rollout(self, blueprint: str, actor: Actor) -> None:
        """Let a stopped rollout go on."""
        await self._ask("POST", f"/v1/blueprints/{_part(blueprint)}/rollout/retry")

    async def set_secret(self, scope: str, owner: str, key: str, value: Sensitive, actor: Actor) -> None:
        """Keep a secret."""
        await self._ask("PUT", _secrets(scope, owner, key), {"value": value.reveal()})

    async def delete_secret(self, scope: str, owner: str, key: str, actor: Actor) -> None:
        """Forget a secret."""
        await self._ask("DELETE", _secrets(scope, owner, key))

    async def list_secrets(self, scope: str, owner: str) -> Mapping[str, datetime]:
        """Read names and times."""
        rows = wire.items(await self._ask("GET", _secrets(scope, owner)))
        return {wire.word(row.get("key")): wire.certainly(row.get("setAt")) for row in rows}

    # ------------------------------------------------------------ the fleet

    async def brake(self) -> tuple[Brake, str]:
        """Read the brake."""
        answer = wire.fields(await self._ask("GET", "/v1/brake"))
        return Brake(wire.word(answer.get("brake"))), wire.word(answer.get("why"))

    async def set_brake(self, brake: Brake, why: str, actor: Actor) -> None:
        """Move the brake."""
        await self._ask("PUT", "/v1/brake", {"brake": brake.value, "why": why})

    async def reject(self, kind: str, name: str, problems: Sequence[Problem], actor: Actor) -> None:
        """Do nothing: the other operator remembers refused documents itself, or never saw them."""

    async def rejections(self) -> Sequence[Rejection]:
        """Read refused documents; a key that may not read them sees none."""
        answer = await self._ask_if_allowed("/v1/rejections")
        return [wire.rejection(item) for item in wire.items(answer)]

    async def events(self, tenant: str | None, *, after: int = 0, limit: int = 100) -> Sequence[EventRow]:
        """Read events."""
        path = f"/v1/tenants/{_part(tenant)}/events" if tenant is not None else "/v1/events"
        answer = await self._ask("GET", path, query=[("after", str(after)), ("limit", str(limit))])
        return [wire.event(item) for item in wire.items(answer)]

    async def costs(
        self, by: str, since: datetime, until: datetime, selector: Mapping[str, str] | None = None
    ) -> Sequence[CostRow]:
        """Read sums of the ledger."""
        asked = [("by", by), ("since", str(views.stamp(since))), ("until", str(views.stamp(until)))]
        asked += _selected(selector)
        return [wire.cost(item) for item in wire.items(await self._ask("GET", "/v1/costs", query=asked))]

    async def queue(self) -> Sequence[QueueRow]:
        """Read the create queue."""
        return [wire.queue(item) for item in wire.items(await self._ask("GET", "/v1/queue"))]

    async def orphans(self) -> Sequence[OrphanRow]:
        """Read what nobody owns."""
        return [wire.orphan(item) for item in wire.items(await self._ask("GET", "/v1/orphans"))]

    async def audit(self, limit: int = 100, subject: str | None = None) -> Sequence[AuditRow]:
        """Read the audit log."""
        query = [("limit", str(limit)), *([("subject", subject)] if subject is not None else [])]
        return [wire.audit(item) for item in wire.items(await self._ask("GET", "/v1/audit", query=query))]

    async def create_key(self, name: str, scopes: Sequence[str], actor: Actor) -> tuple[ApiKey, Sensitive]:
        """Make a key."""
        answer = await self._ask("POST", "/v1/keys", {"name": name, "scopes": list(scopes)})
        return wire.key(answer), Sensitive(wire.word(wire.fields(answer).get("secret")))

    async def find_key(self, secret: Sensitive) -> ApiKey | None:
        """Refuse: keys are looked up where they are stored."""
        _not_over_http("looking a key up")

    async def list_keys(self) -> Sequence[ApiKey]:
        """Read keys."""
        return [wire.key(dict(item)) for item in wire.items(await self._ask("GET", "/v1/keys"))]

    async def revoke_key(self, id_or_name: str, actor: Actor) -> None:
        """Revoke a key."""
        await self._ask("DELETE", f"/v1/keys/{_part(id_or_name)}")

    async def remember(self, key: str, fingerprint: str) -> tuple[int, Json] | None:
        """Refuse: idempotency is the business of the API itself."""
        _not_over_http("remembering requests")

    async def answer(self, key: str, fingerprint: str, status: int, body: Json) -> None:
        """Refuse: idempotency is the business of the API itself."""
        _not_over_http("remembering requests")

    async def forget(self, key: str, fingerprint: str) -> None:
        """Refuse: idempotency is the business of the API itself."""
        _not_over_http("remembering requests")

    async def time(self) -> WorldTime:
        """Answer the other operator's world time, which is not this machine's where its Render is simulated.

        A key that may not read it leaves the machine's.
        """
        answer = await self._ask_if_allowed("/v1/costs", query=[("window", "1s")])
        return (
            worldtime.machine() if answer is None else worldtime.told(wire.certainly(wire.fields(answer).get("until")))
        )

    # ------------------------------------------------------------ the wire

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Json] | None = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        answer = await self._client.request(
            method, path, params=list(query), json=dict(body) if body is not None else None, headers=headers
        )
        if not answer.is_success:
            _refuse(answer, self._url)
        try:
            read: Json = answer.json() if answer.content else None
        except ValueError as error:
            raise Failure(f"{self._url} answers without JSON: is RECONCILER_URL an operator's address?") from error
        return read

    async def _ask_if_allowed(self, path: str, *, query: Sequence[tuple[str, str]] = ()) -> Json:
        """Read something that a key of a small scope may not; None then."""
        try:
            return await self._ask("GET", path, query=query)
        except Failure as failure:
            if failure.code is not ExitCode.REFUSED:
                raise
            return None


def _refuse(answer: httpx.Response, url: str) -> NoReturn:
    """Raise what the database would have raised, in the API's own words."""
    said = _said(answer)
    message = wire.word(said.get("detail")).rstrip(".") or f"{url} answered {answer.status_code}"
    match answer.status_code:
        case httpx.codes.UNAUTHORIZED:
            raise Failure(f"{url} refused the key: {message}", remedy="correct RECONCILER_KEY")
        case httpx.codes.FORBIDDEN:
            raise Failure(message, remedy="use a key whose scope allows it", code=ExitCode.REFUSED)
        case httpx.codes.NOT_FOUND:
            raise NotFound(message)
        case httpx.codes.CONFLICT | httpx.codes.PRECONDITION_FAILED:
            problems = wire.items(said.get("problems"))
            raise Taken(message, field=wire.word(problems[0].get("path")) if problems else "generation")
        case httpx.codes.UNPROCESSABLE_ENTITY | httpx.codes.BAD_REQUEST:
            raise Invalid([_problem(item) for item in wire.items(said.get("problems"))] or [_bare(message)])
        case httpx.codes.TOO_MANY_REQUESTS:
            raise Failure(f"{url} is asked too much by this key", remedy="wait a minute")
        case _:
            raise Failure(f"{url}: {message}")


def _said(answer: httpx.Response) -> wire.Fields:
    try:
        return wire.fields(answer.json())
    except ValueError:
        return {}


def _problem(item: wire.Fields) -> Problem:
    return Problem(
        path=wire.word(item.get("path")),
        message=wire.word(item.get("message")),
        remedy=wire.word(item.get("remedy")),
        value=wire.word(item.get("value")),
    )


def _bare(message: str) -> Problem:
    return Problem(path="request", message=message)


def _selected(selector: Mapping[str, str] | None) -> list[tuple[str, str]]:
    """Write a label selector as the API reads it."""
    return [("label", f"{key}={value}") for key, value in (selector or {}).items()]


def _part(name: str) -> str:
    return quote(name, safe="")


def _secrets(scope: str, owner: str, key: str = "") -> str:
    place = f"/v1/{'tenants' if scope == 'tenant' else 'blueprints'}/{_part(owner)}/secrets"
    return f"{place}/{_part(key)}" if key else place


def _not_over_http(what: str) -> NoReturn:
    raise Failure(
        f"{what} is not possible over HTTP", remedy="unset RECONCILER_URL and set DATABASE_URL", code=ExitCode.USAGE
    )
