"""Plans suspension, resumption, deletion and pruning, in a safe order; suspenders that are not ours are not fought."""

from collections.abc import Iterable
from datetime import timedelta

from reconciler.core import prices
from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.inventory import Owned
from reconciler.core.kinds import DATASTORES, SUSPEND_ORDER, Bucket, Kind
from reconciler.core.observed import FINE
from reconciler.core.plan.subject import Findings, futile, service_bucket
from reconciler.core.plan.view import View, label
from reconciler.core.spec import DriftPolicy

PATIENCE = timedelta(minutes=3)
"""How long an accepted suspend or resume may take before it is asked for again."""
DELETE_ORDER = (
    frozenset({Kind.CRON, Kind.WEB, Kind.STATIC, Kind.WORKER, Kind.PRIVATE}),
    DATASTORES,
    frozenset({Kind.ENV_GROUP}),
    frozenset({Kind.PROJECT}),
    frozenset({Kind.ENVIRONMENT}),
)
"""A project takes its empty environments with it (recorded: keyvalue/keyvalue), so the environment comes last."""
STATE_MARK = "state"


def foreign_suspenders(owned: Owned) -> tuple[str, ...]:
    """Name the suspenders that the API cannot lift: billing, admin and their like."""
    return tuple(one for one in owned.observed.suspenders if one != "user") if owned.observed else ()


def _living(view: View, kinds: Iterable[Kind]) -> list[Owned]:
    """Answer our living objects of some kinds, in the order of kinds, then of components."""
    order = list(kinds)
    rows = [row for key in sorted(view.owned) if (row := view.live(key)) is not None and row.kind in order]
    return sorted(rows, key=lambda row: order.index(row.kind))


def _priced(view: View, owned: Owned, *, after_suspended: bool | None) -> dict[str, object]:
    if owned.observed is None:
        return {}
    day = view.now.date()
    before = prices.of_observed(view.book, owned.observed, day)
    fact = prices.facts(owned.kind, owned.observed.fields, suspended=bool(after_suspended))
    gone = after_suspended is None or fact is None
    return {
        "usd_before": before,
        "usd_after": prices.ZERO if gone or fact is None else prices.monthly(view.book, fact, day),
    }


def _action(view: View, owned: Owned, verb: Verb, *, waits: tuple[Wait, ...] = (), reason: str) -> Action:
    open_wait = view.open.get(owned.component)
    after = {Verb.SUSPEND: True, Verb.RESUME: False}.get(verb)
    undone = verb is Verb.RESUME and reason == "drift"
    bucket = service_bucket(owned.kind) if verb in (Verb.SUSPEND, Verb.RESUME) else Bucket.WRITE
    marks = {STATE_MARK: "suspended" if verb is Verb.SUSPEND else "running"} if after is not None else {}
    return Action(
        verb=verb,
        component=owned.component,
        kind=owned.kind,
        name=owned.name,
        id=owned.id,
        marks=marks,
        changes=(Change(field=STATE_MARK, before="suspended", after="running", asked=False),) if undone else (),
        reason=reason,
        bucket=bucket,
        waits=(open_wait,) if open_wait else waits,
        **_priced(view, owned, after_suspended=after),  # type: ignore[arg-type] # two keywords of Action
    )


def _patient(view: View, owned: Owned, word: str) -> bool:
    """Say whether the same state was asked for so recently that the answer is still to come."""
    at = owned.known.asked_state_at
    return owned.known.asked_state == word and at is not None and view.now - at < PATIENCE


def plan_suspend(view: View, findings: Findings, reason: str) -> None:
    """Suspend everything that runs: cron, web, workers, private, then Key Value and Postgres once those are down."""
    earlier: list[Owned] = []
    for owned in _living(view, SUSPEND_ORDER):
        if owned.observed is None or owned.observed.suspenders:
            continue
        blockers = [one for one in earlier if one.kind not in DATASTORES] if owned.kind in DATASTORES else []
        if _patient(view, owned, "suspended"):
            message = f"{label(owned.kind, owned.component)} to stop"
            findings.waits.append(Wait(reason=WaitReason.SUSPENDED, message=message, component=owned.component))
        else:
            waits = tuple(
                Wait(reason=WaitReason.DEPENDENCY, message=label(one.kind, one.component), component=owned.component)
                for one in blockers
            )
            findings.actions.append(_action(view, owned, Verb.SUSPEND, waits=waits, reason=reason))
        earlier.append(owned)


def plan_resume(view: View, findings: Findings) -> frozenset[str]:
    """Resume what is suspended by `user`: datastores first. Answers the components that are not running yet."""
    asleep: list[Owned] = []
    living = _living(view, tuple(reversed(SUSPEND_ORDER)))
    others = tuple(sorted({one for owned in living for one in foreign_suspenders(owned)}))
    for owned in living:
        if owned.observed is None or not owned.observed.suspenders:
            continue
        # A Key Value never says who suspended it (Render API 3.14): beside a suspension by Render it is Render's too.
        hidden = owned.kind is Kind.KEY_VALUE and owned.known.applied.get(STATE_MARK) != "suspended"
        foreign = foreign_suspenders(owned) or (others if hidden else ())
        if foreign:
            _report_foreign(findings, owned, foreign)
        else:
            _resume_one(view, findings, owned, [one for one in asleep if one.kind in DATASTORES])
        asleep.append(owned)
    return frozenset(owned.component for owned in asleep)


def _report_foreign(findings: Findings, owned: Owned, foreign: tuple[str, ...]) -> None:
    message = f"Render suspended {owned.component} ({', '.join(foreign)})"
    you = "settle it with Render (dashboard, billing); the API cannot lift this suspension"
    findings.waits.append(
        Wait(reason=WaitReason.SUSPENDED_BY_RENDER, message=message, component=owned.component, you=you)
    )


def _resume_one(view: View, findings: Findings, owned: Owned, blockers: list[Owned]) -> None:
    asked = owned.known.applied.get(STATE_MARK) == "suspended"
    what = "was suspended, not by us and not by a spec"
    stop = None if asked else futile(view, owned.known, owned.component, STATE_MARK)
    heals = asked or (view.policy is not DriftPolicy.REPORT and stop is None)
    if not asked:
        findings.drift.append(f"{owned.component}: {what}")
        if not heals:
            findings.unhealed.append(f"{owned.component}: {what}")
    if not heals:
        message = f"{owned.component} {what}; the Blueprint says drift: report"
        findings.waits.append(stop or Wait(reason=WaitReason.GUARD, message=message, component=owned.component))
    elif _patient(view, owned, "running"):
        message = f"{label(owned.kind, owned.component)} to resume"
        findings.waits.append(Wait(reason=WaitReason.SUSPENDED, message=message, component=owned.component))
    else:
        waits = tuple(
            Wait(reason=WaitReason.DEPENDENCY, message=label(one.kind, one.component), component=owned.component)
            for one in blockers
        )
        reason = "resumed in its spec" if asked else "drift"
        findings.actions.append(_action(view, owned, Verb.RESUME, waits=waits, reason=reason))


def plan_purge(view: View, findings: Findings) -> None:
    """Delete everything, each class once the class before is proved gone; Postgres is exported first if asked."""
    if view.export and not view.exported:
        _plan_export(view, findings)
        if findings.actions or findings.waits:
            return
    ahead: list[Owned] = []
    for kinds in DELETE_ORDER:
        rows = _living(view, sorted(kinds))
        waits = tuple(
            Wait(reason=WaitReason.DEPENDENCY, message=f"{label(one.kind, one.component)} to be gone")
            for one in ahead[:1]
        )
        for owned in rows:
            findings.actions.append(_action(view, owned, Verb.DELETE, waits=waits, reason="the tenant is purged"))
        ahead += rows


def _plan_export(view: View, findings: Findings) -> None:
    for owned in _living(view, (Kind.POSTGRES,)):
        foreign = foreign_suspenders(owned)
        if foreign:
            _report_foreign(findings, owned, foreign)
        elif owned.observed is not None and owned.observed.suspenders and not _patient(view, owned, "running"):
            findings.actions.append(_action(view, owned, Verb.RESUME, reason="to be exported before the purge"))
        elif owned.observed is not None and owned.observed.status not in FINE:
            message = f"{label(owned.kind, owned.component)} to come up for its export"
            findings.waits.append(Wait(reason=WaitReason.DEPENDENCY, message=message, component=owned.component))
        elif "export" not in owned.known.applied:
            action = _action(view, owned, Verb.EXPORT, reason="onDelete.export")
            findings.actions.append(action)
        else:
            message = f"the export of {label(owned.kind, owned.component)}"
            findings.waits.append(Wait(reason=WaitReason.DEPENDENCY, message=message, component=owned.component))


def plan_prune(view: View, wanted: Iterable[str], findings: Findings) -> None:
    """Delete what the Blueprint no longer lists; anything that bears data waits for a person's word."""
    keep = set(wanted)
    for kinds in DELETE_ORDER[:3]:
        for owned in _living(view, sorted(kinds)):
            if owned.component in keep:
                continue
            bears = owned.kind in DATASTORES or bool(owned.observed and owned.observed.fields.get("disk"))
            if bears and owned.component not in view.allow_data_loss:
                what = label(owned.kind, owned.component)
                findings.waits.append(
                    Wait(
                        reason=WaitReason.DATA_LOSS,
                        message=f"{what} is no longer in the Blueprint; deleting it would lose its data",
                        component=owned.component,
                        you=f"reconciler apply {view.tenant} --set 'allowDataLoss=[\"{owned.component}\"]'",
                    )
                )
                continue
            findings.actions.append(_action(view, owned, Verb.DELETE, reason="no longer in the Blueprint"))
