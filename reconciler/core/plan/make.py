"""Makes the plan of one tenant: which actions, in which order, what each waits for, and what it costs."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from reconciler.core import diff, prices
from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.inventory import Known
from reconciler.core.kinds import DATASTORES, ENVIRONMENT, GROUPING, PROJECT, SERVICES, Kind
from reconciler.core.plan.create import plan_create, plan_project
from reconciler.core.plan.datastore import plan_datastore, plan_environment, plan_group, plan_membership
from reconciler.core.plan.lifecycle import plan_prune, plan_purge, plan_resume, plan_suspend
from reconciler.core.plan.service import plan_service, settled_marks
from reconciler.core.plan.subject import NAME_MARK, Findings, Subject, marks
from reconciler.core.plan.view import Plan, View, label
from reconciler.core.spec import DesiredState
from reconciler.core.stack import Resource, Stack

CREATE_ETA_S = {Kind.POSTGRES: 60.0, Kind.KEY_VALUE: 30.0}
DEPLOY_ETA_S = 180.0


def make_plan(view: View) -> Plan:
    """Plan one tenant. The same view always gives the same plan, whatever the order of its mappings."""
    findings = Findings()
    if view.leave:
        # Nothing is sent; what is open may still bring rows to forget.
        findings.waits.extend(view.open[key] for key in sorted(view.open))
    elif view.state is DesiredState.DELETED:
        if view.purge:
            plan_purge(view, findings)
        else:
            plan_suspend(view, findings, "deleted in its spec; kept until the purge")
    elif view.state is DesiredState.SUSPENDED:
        plan_suspend(view, findings, "suspended in its spec")
    elif view.stack is None:
        return Plan()
    else:
        _plan_running(view, view.stack, findings)
    return _finished(view, findings)


def _plan_running(view: View, stack: Stack, findings: Findings) -> None:
    if view.missing_secrets:
        for name, users in sorted(view.missing_secrets.items()):
            findings.waits.append(_missing(view, name, users))
        if not any(view.live(key) for key in stack.resources):
            return
    asleep = plan_resume(view, findings)
    # What runs goes on as it is: new code must not go out without the secret that came with it.
    lacking = {key for users in view.missing_secrets.values() for key in users}
    waves = _waves(stack)
    for key, resource in stack.resources.items():
        if key in asleep or (key in lacking and view.live(key) is not None):
            continue
        if view.live(key) is None:
            _plan_missing(view, stack, resource, findings, waves[key])
        else:
            _plan_existing(view, resource, findings)
    _plan_group_deploys(view, findings)
    plan_prune(view, stack.resources, findings)


def _missing(view: View, name: str, users: tuple[str, ...]) -> Wait:
    shared = name.startswith("blueprint:")
    key = name.removeprefix("blueprint:")
    owner = f"--blueprint {view.stack.blueprint}" if shared and view.stack else view.tenant
    message = f"secret {key} ({', '.join(users)}) has no value"
    return Wait(reason=WaitReason.SECRET, message=message, you=f"reconciler secret set {owner} {key}")


def _plan_missing(view: View, stack: Stack, resource: Resource, findings: Findings, wave: int) -> None:
    if resource.kind is Kind.PROJECT:
        plan_project(view, resource, stack.resources[ENVIRONMENT], findings)
    elif resource.kind is Kind.ENVIRONMENT:
        project = view.live(PROJECT)
        if project is not None:
            plan_create(view, resource, findings, wave)
            made = findings.actions[-1]
            findings.actions[-1] = replace(made, payload={**made.payload, "projectId": project.id})
    else:
        plan_create(view, resource, findings, wave)


def _plan_existing(view: View, resource: Resource, findings: Findings) -> None:
    key = resource.component
    owned = view.live(key)
    if owned is None or owned.observed is None:
        return
    if key in view.open:
        findings.waits.append(view.open[key])
        return
    if owned.kind is not resource.kind:
        message = f"{key} cannot turn from {owned.kind} into {resource.kind}"
        you = f"give the new {resource.kind} another name in the Blueprint"
        findings.waits.append(Wait(reason=WaitReason.IMMUTABLE, message=message, component=key, you=you))
        return
    if owned.absent_looks:
        what = label(owned.kind, key)
        message = f"{what} was not found once; looked at again before anything is done"
        findings.waits.append(Wait(reason=WaitReason.CONFIRMATION, message=message, component=key))
        return
    if owned.unchecked:
        message = "a close look at what was taken over"
        findings.waits.append(Wait(reason=WaitReason.DEPENDENCY, message=message, component=key))
        return
    subject = Subject(view, resource, owned, owned.observed, findings)
    if owned.kind in SERVICES:
        plan_service(subject)
    elif owned.kind in DATASTORES:
        plan_datastore(subject)
    elif owned.kind is Kind.ENV_GROUP:
        plan_group(subject)
    elif owned.kind is Kind.ENVIRONMENT:
        plan_environment(subject)
        plan_membership(view, subject)
    _settle(subject)


def _plan_group_deploys(view: View, findings: Findings) -> None:
    """Let deploys wait until the variables of linked groups are written: one change, one deploy."""
    changing = {a.component for a in findings.actions if a.kind is Kind.ENV_GROUP and a.verb is not Verb.CREATE}
    if not changing or view.stack is None:
        return
    users = {key for key, one in view.stack.resources.items() if changing & set(one.groups)}
    findings.actions = [a for a in findings.actions if not (a.verb is Verb.DEPLOY and a.component in users)]


def _settle(subject: Subject) -> None:
    """Remember as applied what the spec names and the live object already has, so that later deviation is drift."""
    fields, known = subject.resource.fields, subject.known
    changed = {c.field for c in diff.field_changes(subject.resource.kind, fields, subject.observed.fields, known)}
    gained: dict[str, str] = {
        diff.FIELD + name: diff.applied_text(value)
        for name, value in fields.items()
        if name not in changed and name not in diff.COMPARED_ELSEWHERE
    }
    if subject.observed.name == subject.resource.name:
        gained[NAME_MARK] = diff.applied_text(subject.resource.name)
    gained |= settled_marks(subject) if subject.resource.kind in SERVICES else {}
    gained |= marks(diff.ENV, {k: d for k, d in subject.resolved.env.items() if known.env.get(k) == d})
    gained |= marks(diff.FILE, {k: d for k, d in subject.resolved.files.items() if known.files.get(k) == d})
    new = {key: text for key, text in gained.items() if known.applied.get(key) != text}
    if new:
        subject.findings.settled[subject.key] = _with_applied(known, new)


def _with_applied(known: Known, new: Mapping[str, str]) -> Known:
    return replace(known, applied={**known.applied, **new})


def _waves(stack: Stack) -> dict[str, int]:
    """Number the steps of creation: a resource comes one wave after the last thing it needs."""
    waves: dict[str, int] = {}
    for key, resource in stack.resources.items():
        needs = [waves[need] for need in resource.after if need in waves and stack.resources[need].kind not in GROUPING]
        waves[key] = 0 if resource.kind in GROUPING else max(needs, default=0) + 1
    return waves


def _finished(view: View, findings: Findings) -> Plan:
    day = view.now.date()
    living = [row for key in view.owned if (row := view.live(key)) is not None and row.observed is not None]
    before = [prices.of_observed(view.book, row.observed, day) for row in living if row.observed]
    actions = tuple(_once(findings.actions))
    deltas = [(a.usd_before, a.usd_after) for a in actions]
    return Plan(
        actions=actions,
        drift=tuple(dict.fromkeys(findings.drift)),
        unhealed=tuple(dict.fromkeys(findings.unhealed)),
        waits=tuple(dict.fromkeys(findings.waits)),
        usd_before=_sum(before),
        usd_after=_after(_sum(before), deltas),
        eta_s=_eta(actions),
        settled=findings.settled,
    )


def _once(actions: list[Action]) -> list[Action]:
    """Put removals of a whole component last, and keep the planners' order otherwise."""
    return sorted(actions, key=lambda action: (action.wave, action.verb is Verb.DELETE))


def _sum(values: list[Decimal | None]) -> Decimal | None:
    """Add prices; one unknown makes the sum unknown."""
    return None if any(value is None for value in values) else sum((v for v in values if v is not None), prices.ZERO)


def _after(before: Decimal | None, deltas: list[tuple[Decimal | None, Decimal | None]]) -> Decimal | None:
    total = before
    for old, new in deltas:
        if old is None and new is None:
            continue
        total = None if total is None or old is None or new is None else total + new - old
    return total


def _eta(actions: tuple[Action, ...]) -> float | None:
    """Guess the duration in seconds: waves follow each other, a wave takes as long as its slowest part."""
    if not actions:
        return None
    slowest: dict[int, float] = {}
    for action in actions:
        takes = CREATE_ETA_S.get(action.kind, DEPLOY_ETA_S if action.kind in SERVICES else 1.0)
        needs = takes if action.verb is Verb.CREATE or action.needs_deploy or action.verb is Verb.DEPLOY else 5.0
        slowest[action.wave] = max(slowest.get(action.wave, 0.0), needs)
    return sum(slowest.values())
