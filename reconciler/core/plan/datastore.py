"""Plans changes of datastores, env groups and the environment that exist; what Render cannot undo is said before."""

from collections.abc import Mapping

from reconciler.core import diff
from reconciler.core.actions import Change, Verb, WaitReason
from reconciler.core.diff import FieldChange
from reconciler.core.kinds import ENVIRONMENT, SERVICES, Kind
from reconciler.core.plan.subject import Subject, marks, marks_of_fields, name_changes
from reconciler.core.plan.view import View
from reconciler.core.spec import DriftPolicy
from reconciler.core.values import Json

KEY_VALUE_SIZES = ("free", "256mb", "starter", "1g", "standard", "3g", "pro", "pro_plus", "pro_max", "pro_ultra")
"""Key Value plans from small to large: they only grow (Render API 3.14)."""
RESTARTING = frozenset({"plan", "maxmemoryPolicy", "persistenceMode", "connectionPool", "highAvailabilityEnabled"})


def plan_datastore(subject: Subject) -> None:
    """One PATCH for everything that differs; shrinking and immutable fields become waits that say so."""
    kind = subject.resource.kind
    fixed = diff.IMMUTABLE.get(kind, frozenset())
    changes: list[FieldChange] = []
    for change in diff.field_changes(kind, subject.resource.fields, subject.observed.fields, subject.known):
        stop = _impossible(subject, change, fixed)
        if stop and change.asked:
            subject.wait(WaitReason.IMMUTABLE, stop, "put the old value back in the spec")
        elif stop:
            subject.drifted(stop, healed=False)
        elif subject.admitted(change):
            changes.append(change)
    changes += subject.renamed()
    if not changes:
        return
    payload: dict[str, Json] = {change.field: change.after for change in changes}
    subject.do(
        Verb.UPDATE,
        payload=payload,
        marks=marks_of_fields(payload),
        changes=tuple(change.as_change() for change in changes),
        reason="the spec changed" if any(change.asked for change in changes) else "drift",
        notes=_notes(kind, payload),
        **subject.priced(payload),
    )


def _impossible(subject: Subject, change: FieldChange, fixed: frozenset[str]) -> str:
    arrow = f"{diff.display(change.before)} -> {diff.display(change.after)}"
    if change.field in fixed:
        return f"{change.field} of {subject.key} cannot be changed once it is built: {arrow}"
    before, after = change.before, change.after
    if change.field == "diskSizeGB" and isinstance(before, int) and isinstance(after, int) and after < before:
        return f"the disk of {subject.key} cannot shrink: {before} GB -> {after} GB"
    if subject.resource.kind is Kind.KEY_VALUE and change.field == "plan" and _smaller(after, before):
        return f"Render cannot shrink a Key Value: {subject.key} {arrow}"
    return ""


def _smaller(plan: Json, than: Json) -> bool:
    sizes = KEY_VALUE_SIZES
    return plan in sizes and than in sizes and sizes.index(str(plan)) < sizes.index(str(than))


def _notes(kind: Kind, payload: Mapping[str, Json]) -> tuple[str, ...]:
    notes = ["restarts, about 1 min down"] if payload.keys() & RESTARTING else []
    if kind is Kind.KEY_VALUE and "plan" in payload:
        notes.append("ONE WAY, Render cannot shrink it")
    if "diskSizeGB" in payload:
        notes.append("ONE WAY, a disk cannot shrink")
    return tuple(notes)


def plan_group(subject: Subject) -> None:
    """One call per variable that differs (Render API 3.15); every linked service then needs a deploy."""
    view, known = subject.view, subject.known
    strict = view.policy is DriftPolicy.STRICT
    change = diff.set_change(diff.ENV, subject.resolved.env, known.env, known)
    foreign = tuple(name for name in change.foreign if strict and subject.heals(f"variable {name}"))
    for name in change.foreign:
        subject.drifted(f"variable {name} was added", healed=name in foreign)
    for name in change.put:
        asked = name in change.asked
        if not asked:
            heals = subject.heals(f"variable {name}")
            subject.drifted(f"variable {name} was changed", healed=heals)
            if not heals:
                continue
        subject.do(
            Verb.SET_GROUP_VAR,
            values={name: subject.resource.env[name]},
            marks=marks(diff.ENV, {name: subject.resolved.env[name]}),
            changes=name_changes([f"variable {name}"], "other value", "as in the spec", asked=asked),
            reason="the spec changed" if asked else "drift",
            needs_deploy=True,
        )
    removed = (name for name in change.remove if name not in subject.resolved.pending)
    for name in (*removed, *foreign):
        subject.do(
            Verb.REMOVE_GROUP_VAR,
            removes=(name,),
            unmarks=(diff.ENV + name,),
            changes=name_changes([f"variable {name}"], "set", "removed", asked=name in change.remove),
            reason="the spec changed" if name in change.remove else "drift",
            needs_deploy=True,
        )
    for renamed in subject.renamed():
        payload: dict[str, Json] = {"name": renamed.after}
        subject.do(
            Verb.UPDATE,
            payload=payload,
            marks=marks_of_fields(payload),
            changes=(renamed.as_change(),),
            reason="the spec changed" if renamed.asked else "drift",
        )


def plan_environment(subject: Subject) -> None:
    """Bring the environment's own switches to what the template says."""
    changes = [
        change
        for change in diff.field_changes(
            Kind.ENVIRONMENT, subject.resource.fields, subject.observed.fields, subject.known
        )
        if subject.admitted(change)
    ]
    if changes:
        payload: dict[str, Json] = {change.field: change.after for change in changes}
        subject.do(
            Verb.UPDATE,
            payload=payload,
            marks=marks_of_fields(payload),
            changes=tuple(change.as_change() for change in changes),
            reason="the spec changed" if any(change.asked for change in changes) else "drift",
        )


def plan_membership(view: View, subject: Subject) -> None:
    """Move everything that lies outside the tenant's environment into it, with one call."""
    strays = [
        owned
        for key in sorted(view.owned)
        if (owned := view.live(key)) is not None
        and owned.observed is not None
        and (owned.kind in SERVICES or owned.kind in (Kind.POSTGRES, Kind.KEY_VALUE, Kind.ENV_GROUP))
        and owned.observed.environment_id != subject.owned.id
    ]
    if not strays:
        return
    moved = [owned for owned in strays if subject.heals(f"{owned.component} environment")]
    for owned in strays:
        what = f"{owned.component}: is not in the tenant's environment"
        subject.findings.drift.append(what)
        if owned not in moved:
            subject.findings.unhealed.append(what)
    if moved:
        subject.do(
            Verb.MOVE,
            payload={"resourceIds": [owned.id for owned in moved]},
            changes=tuple(
                Change(field=f"{owned.component} environment", before="elsewhere", after=ENVIRONMENT, asked=False)
                for owned in moved
            ),
            reason="drift",
        )
