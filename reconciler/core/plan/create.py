"""Plans the creation of what is missing, with all its first deploy needs; lost data is never replaced unasked."""

from collections.abc import Mapping

from reconciler.core import diff, prices
from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.kinds import CREATE_BUDGETED, DATASTORES, ENVIRONMENT, PROJECT, SERVICES, Bucket, Kind
from reconciler.core.observed import FINE
from reconciler.core.plan.subject import NAME_MARK, NO_VALUES, Findings, marks, marks_of_fields, waits_for
from reconciler.core.plan.view import View, label
from reconciler.core.spec import DriftPolicy
from reconciler.core.stack import Resource, Stack
from reconciler.core.values import Json, Value

LINK = "link:"
COMMIT_MARK = "commit"
"""Under this name `Known.applied` remembers the commit that was deployed last."""


def bears_data(resource: Resource) -> bool:
    """Say whether losing this resource loses data: Postgres, a persistent Key Value, a disk."""
    if resource.kind is Kind.KEY_VALUE:
        return resource.fields.get("persistenceMode") != "off" and resource.fields.get("plan") != "free"
    return resource.kind is Kind.POSTGRES or bool(resource.fields.get("disk"))


def _dependencies(view: View, resource: Resource, stack: Stack) -> list[str]:
    """Name what must come first: everything in `after` exists, and its datastores are available."""
    blocked: list[str] = []
    for need in sorted(resource.after):
        owned = view.live(need)
        kind = stack.resources[need].kind
        if owned is None or (kind in DATASTORES and (owned.observed is None or owned.observed.status not in FINE)):
            blocked.append(label(kind, need))
    return blocked


def _lost(view: View, resource: Resource, findings: Findings) -> Wait | None:
    """Judge a component that was ours and is gone: drift, and for data a stop until a person says otherwise."""
    gone = view.gone(resource.component)
    if gone is None:
        return None
    what = f"{label(resource.kind, resource.component)} was deleted at Render, not by us and not by a spec"
    kept = bears_data(resource) and resource.component not in view.allow_data_loss
    healed = not kept and view.policy is not DriftPolicy.REPORT
    findings.drift.append(f"{resource.component}: {what}")
    if not healed:
        findings.unhealed.append(f"{resource.component}: {what}")
    if kept:
        you = (
            f"restore it from a backup at Render, or accept an empty one: "
            f"reconciler apply {view.tenant} --set 'allowDataLoss=[\"{resource.component}\"]'"
        )
        return Wait(reason=WaitReason.DATA_LOSS, message=what, component=resource.component, you=you)
    if view.policy is DriftPolicy.REPORT:
        return Wait(
            reason=WaitReason.GUARD, message=f"{what}; the Blueprint says drift: report", component=resource.component
        )
    return None


def _blocks(view: View, resource: Resource, findings: Findings) -> tuple[Wait, ...]:
    assert view.stack is not None, "only what a stack asks for is created"
    key = resource.component
    if key in view.open:
        return (view.open[key],)
    lost = _lost(view, resource, findings)
    if lost is not None:
        return (lost,)
    if key in view.conflicts:
        return (_conflict(view, resource),)
    return waits_for(WaitReason.DEPENDENCY, _dependencies(view, resource, view.stack), key)


def _conflict(view: View, resource: Resource) -> Wait:
    """Say who bears the name of a component, and how a person ends that."""
    other = view.conflicts[resource.component]
    message = f"{other.kind} {resource.name} ({other.id}) exists already and is not ours"
    you = (
        f"to make it this tenant's: reconciler adopt {view.tenant}; else rename or delete it at Render, or choose "
        f"another name for the tenant, then: reconciler reconcile {view.tenant}"
    )
    return Wait(reason=WaitReason.CONFLICT, message=message, component=resource.component, you=you)


def group_copies(view: View, resource: Resource) -> dict[str, Value]:
    """Answer the variables of linked groups that the first deploy must already have, the newest group winning.

    A variable whose value is not known yet is none of them: the group gets it later, and its services a deploy.
    """
    assert view.stack is not None, "only a stack has groups"
    copies: dict[str, Value] = {}
    for group in resource.groups:
        known = view.resolved.get(group, NO_VALUES).env
        copies |= {name: value for name, value in view.stack.resources[group].env.items() if name in known}
    return {name: value for name, value in copies.items() if name not in resource.env}


def _copy_digests(view: View, resource: Resource) -> dict[str, str]:
    digests: dict[str, str] = {}
    for group in resource.groups:
        digests |= view.resolved.get(group, NO_VALUES).env
    return {name: digest for name, digest in digests.items() if name not in resource.env}


def _payload(view: View, resource: Resource) -> dict[str, Json]:
    payload: dict[str, Json] = {**resource.defaults, **resource.fields}
    if resource.headers is not None:
        payload["headers"] = [list(rule) for rule in resource.headers]
    if resource.routes is not None:
        payload["routes"] = [list(rule) for rule in resource.routes]
    if ENVIRONMENT in resource.after:
        payload["environmentId"] = view.environment_id()
    return payload


def _marks(resource: Resource, env: Mapping[str, str], files: Mapping[str, str]) -> dict[str, str]:
    done = {NAME_MARK: diff.applied_text(resource.name)} | marks_of_fields(resource.fields)
    done |= marks(diff.ENV, env) | marks(diff.FILE, files)
    if resource.kind is Kind.CRON and resource.commit:
        done[COMMIT_MARK] = resource.commit  # a cron job's commit cannot be chosen (Render API 3.9): it has the newest
    for prefix, rules in ((diff.HEADER, resource.headers), (diff.ROUTE, resource.routes)):
        if rules is not None:
            done |= {diff.rule_key(prefix, rule): "" for rule in rules}
            done[prefix.upper()] = diff.applied_text([list(rule) for rule in rules])
    return done


def plan_create(view: View, resource: Resource, findings: Findings, wave: int) -> None:
    """Add the creation of one missing resource, with what it waits for."""
    resolved = view.resolved.get(resource.component, NO_VALUES)
    copies = group_copies(view, resource) if resource.kind in SERVICES else {}
    copied = _copy_digests(view, resource)
    waits = list(_blocks(view, resource, findings))
    known_now = {name: value for name, value in resource.env.items() if name in resolved.env}
    waiting = sorted(name for name in resolved.pending if name not in resource.late_env)
    if waiting and not waits:
        waits.append(
            Wait(
                reason=WaitReason.DEPENDENCY,
                message=f"the values of {', '.join(waiting)}",
                component=resource.component,
            )
        )
    price = prices.of_resource(view.book, resource, view.now.date())
    findings.actions.append(
        Action(
            verb=Verb.CREATE,
            component=resource.component,
            kind=resource.kind,
            name=resource.name,
            payload=_payload(view, resource),
            values={**copies, **known_now},
            files=resource.files,
            marks=_marks(resource, {**copied, **resolved.env}, resolved.files),
            changes=_shown(resource),
            reason="missing" if view.gone(resource.component) is None else "deleted behind our back",
            bucket=Bucket.CREATE if resource.kind in CREATE_BUDGETED else Bucket.WRITE,
            usd_before=prices.ZERO,
            usd_after=price,
            notes=("with a second deploy for " + ", ".join(sorted(resource.late_env)),) if resource.late_env else (),
            wave=wave,
            waits=tuple(waits),
        )
    )


def _shown(resource: Resource) -> tuple[Change, ...]:
    plan = resource.fields.get("plan") or resource.defaults.get("plan")
    return (Change(field="plan", before="none", after=str(plan)),) if plan else ()


def plan_project(view: View, project: Resource, environment: Resource, findings: Findings) -> None:
    """Add the project together with its one environment: one call makes both (Render API 3.16).

    A stack whose names are taken inside another project is not begun: it may stand there already, to be adopted.
    """
    assert view.stack is not None, "only a stack has a project"
    placed = [key for key in sorted(view.conflicts) if view.conflicts[key].environment_id]
    taken = [view.stack.resources[key] for key in placed]
    waits = _blocks(view, project, findings) or tuple(_conflict(view, one) for one in taken)
    findings.actions.append(
        Action(
            verb=Verb.CREATE,
            component=PROJECT,
            kind=Kind.PROJECT,
            name=project.name,
            payload={"environment": environment.name, **environment.fields},
            marks=marks_of_fields(environment.fields),
            reason="missing" if view.gone(PROJECT) is None else "deleted behind our back",
            wave=0,
            waits=waits,
        )
    )
