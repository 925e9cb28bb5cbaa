"""Builds the view a plan is made from: compiles, finds secrets and conflicts, resolves; it has no effect on Render."""

import base64
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core import values
from reconciler.core.actions import Wait
from reconciler.core.errors import Invalid
from reconciler.core.inventory import Owned
from reconciler.core.kinds import ENVIRONMENT
from reconciler.core.observed import Observed
from reconciler.core.passes import stack_of
from reconciler.core.plan.view import View
from reconciler.core.resolve import Resolved, resolve_stack
from reconciler.core.spec import DesiredState, DriftPolicy
from reconciler.core.stack import Stack
from reconciler.core.values import Live, Lookup, SecretRef, Sensitive
from reconciler.engine.options import Ports
from reconciler.ports import Record

ALPHABET = string.ascii_letters + string.digits
GENERATED_BYTES = 32


@dataclass(slots=True)
class Desired:
    """The compiled side of one tenant and how to fill its holes."""

    stack: Stack | None = None
    invalid: tuple[str, ...] = ()
    secrets: dict[SecretRef, Sensitive] = field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    connection: dict[tuple[str, str], Sensitive] = field(default_factory=dict)

    def lookup(self, owned: Mapping[str, Owned]) -> Lookup:
        """Answer holes from live objects, connection info and secrets."""

        def find(hole: Live | SecretRef) -> str | None:
            if isinstance(hole, SecretRef):
                secret = self.secrets.get(hole)
                return secret.reveal() if secret else None
            if hole.attribute in values.SECRET_ATTRIBUTES:
                secret = self.connection.get((hole.component, hole.attribute))
                return secret.reveal() if secret else None
            row = owned.get(hole.component)
            return row.observed.attributes.get(hole.attribute) if row and row.observed else None

        return find

    def needed(self) -> list[Live]:
        """List the live attributes that the stack's variables name."""
        if self.stack is None:
            return []
        holes = (
            hole
            for resource in self.stack.resources.values()
            for value in (*resource.env.values(), *resource.files.values())
            for hole in values.holes(value)
        )
        return [hole for hole in holes if isinstance(hole, Live)]


def compiled(record: Record, owned: Mapping[str, Owned]) -> Desired:
    """Compile the record's documents; what is wrong with them becomes `invalid`, never an exception."""
    if record.tenant is None or record.blueprint is None:
        return Desired(invalid=record.invalid or ("the spec cannot be read",))
    try:
        stack = stack_of(record.blueprint, record.revision, record.tenant, owned)
    except Invalid as wrong:
        return Desired(invalid=tuple(str(problem) for problem in wrong.problems))
    found = {ref: secret for ref in stack.secrets if (secret := record.secrets.get(ref)) is not None}
    missing = {
        f"blueprint:{ref.name}" if ref.shared else ref.name: users
        for ref, users in stack.secrets.items()
        if ref not in found and ref not in stack.generate
    }
    return Desired(stack=stack, secrets=found, missing=missing, connection=dict(record.connection))


def _generated(length: int) -> Sensitive:
    """Make a secret: base64 of 256 random bits as Render does, or so many letters and digits."""
    if length <= 0:
        return Sensitive(base64.b64encode(secrets.token_bytes(GENERATED_BYTES)).decode())
    return Sensitive("".join(secrets.choice(ALPHABET) for _ in range(length)))


async def generate_secrets(ports: Ports, desired: Desired) -> None:
    """Make and keep the secrets that the operator makes itself, once per tenant."""
    if desired.stack is None or desired.missing:
        return
    lacking = [ref for ref in desired.stack.secrets if ref not in desired.secrets]
    if not lacking:
        return
    made = {ref.name: _generated(desired.stack.generate.get(ref, 0)) for ref in lacking}
    kept = await ports.store.put_secrets(desired.stack.tenant, made)
    desired.secrets |= {ref: kept[ref.name] for ref in lacking}


async def conflicts(ports: Ports, desired: Desired, owned: Mapping[str, Owned]) -> dict[str, Observed]:
    """Find live objects bearing the name of a missing component that no tenant owns."""
    if desired.stack is None:
        return {}
    wanted = [
        (one.kind, one.name, key)
        for key, one in desired.stack.resources.items()
        if key not in owned and key != ENVIRONMENT
    ]
    if not wanted:
        return {}
    strangers = {(one.kind, one.name): one for one in await ports.store.unowned([(k, n) for k, n, _ in wanted])}
    return {key: strangers[(kind, name)] for kind, name, key in wanted if (kind, name) in strangers}


def view_of(
    ports: Ports,
    record: Record,
    desired: Desired,
    owned: Mapping[str, Owned],
    strangers: Mapping[str, Observed],
    waits: Mapping[str, Wait],
) -> View:
    """Put everything a plan depends on into one value, which later changes of what it is made from do not reach."""
    tenant, blueprint, now = record.tenant, record.blueprint, ports.clock.now()
    resolved: dict[str, Resolved] = {}
    if desired.stack is not None:
        resolved = resolve_stack(desired.stack, desired.lookup(owned), ports.resolver.digest)
    state = tenant.state if tenant else record.state
    return View(
        stack=desired.stack,
        state=DesiredState.DELETED if record.purge_at is not None else state,
        owned=dict(owned),
        resolved=resolved,
        policy=blueprint.drift if blueprint else DriftPolicy.REPORT,
        allow_data_loss=frozenset(tenant.allow_data_loss) if tenant else frozenset(),
        conflicts=strangers,
        open=dict(waits),
        missing_secrets=desired.missing,
        purge=record.purge_at is not None and (now >= record.purge_at or record.purge_mode == "now"),
        leave=record.purge_at is not None and record.purge_mode == "orphan",
        export=blueprint.on_delete.export if blueprint else True,  # rather once too often than no data left
        exported=record.exported,
        now=now,
        book=ports.book,
        tenant=desired.stack.tenant if desired.stack else (tenant.name if tenant else ""),
    )
