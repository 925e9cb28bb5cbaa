"""Says what is known after an action succeeded: the inventory row that its reply proves; pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.core import diff
from reconciler.core.actions import Action, Verb
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import SERVICES
from reconciler.core.observed import Deploy, Domain, Observed, Rule
from reconciler.core.values import Json

HEALS_KEPT = 20
REDEPLOYING = frozenset({Verb.CREATE, Verb.DEPLOY, Verb.RESUME})


def _by_prefix(marks: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): digest for name, digest in marks.items() if name.startswith(prefix)}


def _rules(value: Json) -> tuple[Rule, ...]:
    return (
        tuple(tuple(str(part) for part in rule) for rule in value if isinstance(rule, list))
        if isinstance(value, list)
        else ()
    )


def _failed(action: Action, before: Known, observed: Observed | None) -> dict[str, int]:
    """Count, for each value wanted of a field, the accepted updates in a row that left it as it was."""
    counts = dict(before.failed_writes)
    if action.verb is not Verb.UPDATE or observed is None:
        return counts
    live = {**observed.fields, "name": observed.name}
    still = {c.field for c in diff.field_changes(action.kind, action.payload, live, Known())}
    for name, value in action.payload.items():
        if name in still:
            same = before.applied.get(diff.FIELD + name) == diff.applied_text(value)
            counts[name] = counts.get(name, 0) + 1 if same else 1
        else:
            counts.pop(name, None)
    return counts


def _heals(action: Action, before: Known, now: datetime) -> tuple[tuple[str, datetime], ...]:
    fresh = tuple((change.field, now) for change in action.changes if not change.asked)
    return (*before.heals, *fresh)[-HEALS_KEPT:]


def known_after(
    action: Action, before: Known, observed: Observed | None, deploy: Deploy | None, now: datetime
) -> Known:
    """Answer what we know of a component once Render accepted an action on it."""
    applied = {name: text for name, text in before.applied.items() if name not in action.unmarks} | dict(action.marks)
    env, files = dict(before.env), dict(before.files)
    if action.verb in (Verb.CREATE, Verb.SET_ENV, Verb.SET_GROUP_VAR, Verb.REMOVE_GROUP_VAR):
        env = {k: v for k, v in env.items() if k not in action.removes} | _by_prefix(action.marks, diff.ENV)
    if action.verb in (Verb.CREATE, Verb.SET_FILES):
        files = {k: v for k, v in files.items() if k not in action.removes} | _by_prefix(action.marks, diff.FILE)
    known = replace(
        before,
        env=env,
        files=files,
        applied=applied,
        failed_writes=_failed(action, before, observed),
        heals=_heals(action, before, now),
        dirty=(before.dirty or action.needs_deploy) and action.verb not in (Verb.CREATE, Verb.DEPLOY),
        updated_at=observed.updated_at if observed and observed.updated_at else before.updated_at,
    )
    known = _rules_after(known, action)
    if action.verb in REDEPLOYING and action.kind in SERVICES:
        known = replace(known, deploy=deploy or Deploy(id="", status="queued", created_at=now), deploy_asked_at=now)
    if action.verb is Verb.DEPLOY:
        known = replace(known, commit=str(action.payload.get("commitId") or known.commit))
    if action.verb is Verb.CREATE:
        known = replace(known, checked_at=now)
    if action.verb is Verb.RUN_JOB:
        known = replace(known, hook_done=True)
    if action.verb in (Verb.SUSPEND, Verb.RESUME):
        state = "suspended" if action.verb is Verb.SUSPEND else "running"
        known = replace(known, asked_state=state, asked_state_at=now)
    if action.verb is Verb.EXPORT:
        known = replace(known, applied={**known.applied, "export": "asked"})
    return known


def _rules_after(known: Known, action: Action) -> Known:
    payload = action.payload
    if "headers" in payload:
        known = replace(known, headers=_rules(payload["headers"]))
    if "routes" in payload:
        known = replace(known, routes=_rules(payload["routes"]))
    if action.verb is Verb.ADD_DOMAIN:
        known = replace(known, domains=(*known.domains, Domain(name=str(payload["name"]))))
    if action.verb is Verb.REMOVE_DOMAIN:
        known = replace(known, domains=tuple(d for d in known.domains if d.name != payload["name"]))
    return known


def linked(group: Observed, service_id: str, *, link: bool) -> Observed:
    """Answer an env group as it stands after a service was linked or unlinked (the reply does not say)."""
    now = group.fields.get("links")
    links = {str(one) for one in now} if isinstance(now, list) else set()
    links = links | {service_id} if link else links - {service_id}
    return replace(group, fields={**group.fields, "links": list[Json](sorted(links))})


def state_of(observed: Observed) -> str:
    """Name the state whose duration matters: the status of a datastore, and whether it is suspended."""
    return f"{observed.status} {','.join(observed.suspenders)}".strip()


def dated(row: Owned, now: datetime) -> Owned:
    """Answer the row with `since` set anew when its state is another than the one that was dated."""
    if row.observed is None or state_of(row.observed) == row.known.state:
        return row
    return replace(row, since=now, known=replace(row.known, state=state_of(row.observed)))


def owned_after(
    action: Action, before: Owned | None, observed: Observed | None, deploy: Deploy | None, now: datetime
) -> Owned:
    """Answer the inventory row after a success; a create makes a new one."""
    if before is None or action.verb is Verb.CREATE:
        assert observed is not None, "a create answers with the object"
        return Owned(
            component=action.component,
            kind=observed.kind,
            id=observed.id,
            name=observed.name,
            observed=observed,
            known=replace(known_after(action, Known(), observed, deploy, now), state=state_of(observed)),
            created_at=now,
            since=now,
        )
    moved = observed is not None and state_of(observed) != before.known.state
    known = known_after(action, before.known, observed, deploy, now)
    return replace(
        before,
        since=now if moved else before.since,
        name=observed.name if observed else before.name,
        observed=observed or before.observed,
        known=replace(known, state=state_of(observed)) if observed else known,
    )


def linked_to(owned: Mapping[str, Owned], group: Observed | None) -> list[Owned]:
    """Answer the services that an env group is linked to: each needs a deploy after its changes (Render API 3.3)."""
    links = group.fields.get("links") if group else None
    ids = links if isinstance(links, list) else []
    return [row for row in owned.values() if row.id in ids]


def dirtied(row: Owned) -> Owned:
    """Mark a service as one whose last change runs only after a deploy."""
    return replace(row, known=replace(row.known, dirty=True))
