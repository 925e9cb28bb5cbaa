"""Plans the changes of a service that exists: fields, size, variables, files, disk, groups, rules, and the deploy."""

from collections.abc import Mapping

from reconciler.core import diff
from reconciler.core.actions import Change, Verb, WaitReason
from reconciler.core.diff import FieldChange, SetChange
from reconciler.core.kinds import Bucket, Kind
from reconciler.core.observed import DeployState
from reconciler.core.plan.create import COMMIT_MARK, LINK, group_copies
from reconciler.core.plan.edge import plan_domains, plan_rules, settled_edge
from reconciler.core.plan.subject import (
    DEPLOYING_FIELDS,
    NO_VALUES,
    Subject,
    marks,
    marks_of_fields,
    name_changes,
    service_bucket,
)
from reconciler.core.spec import DriftPolicy
from reconciler.core.values import Json

DISK_FIELDS = ("name", "mountPath", "sizeGB")


def plan_fields(subject: Subject) -> None:
    """One PATCH for all scalar fields that differ; immutable ones are said, not tried."""
    kind = subject.resource.kind
    fixed = diff.IMMUTABLE.get(kind, frozenset())
    changes: list[FieldChange] = []
    for change in diff.field_changes(kind, subject.resource.fields, subject.observed.fields, subject.known):
        if change.field in fixed:
            message = f"{change.field} of {subject.key} cannot be changed once it is built: {_arrow(change)}"
            you = "put the old value back, or delete the tenant and sign it up anew"
            subject.wait(WaitReason.IMMUTABLE, message, you)
        elif subject.admitted(change):
            changes.append(change)
    changes += subject.renamed()
    if not changes:
        return
    payload: dict[str, Json] = {change.field: change.after for change in changes}
    deploys = any(change.field in DEPLOYING_FIELDS for change in changes)
    priced = subject.priced(payload) if "plan" in payload else {}
    subject.do(
        Verb.UPDATE,
        payload=payload,
        marks=marks_of_fields(payload),
        changes=tuple(change.as_change() for change in changes),
        reason=_reason(changes),
        bucket=service_bucket(kind),
        needs_deploy=deploys,
        notes=("1 deploy, no downtime",) if deploys else (),
        **priced,
    )


def _arrow(change: FieldChange) -> str:
    return f"{diff.display(change.before)} -> {diff.display(change.after)}"


def _reason(changes: list[FieldChange]) -> str:
    return "the spec changed" if any(change.asked for change in changes) else "drift"


def _autoscaling(value: Json) -> dict[str, Json] | None:
    if not isinstance(value, dict):
        return None
    return {word: value.get(word) for word in ("min", "max", "cpu", "memory")}


def plan_size(subject: Subject) -> None:
    """Bring instance counts or autoscaling to what the spec says; with autoscaling on, counts are not ours."""
    wanted, live = (
        _autoscaling(fields.get("autoscaling")) for fields in (subject.resource.fields, subject.observed.fields)
    )
    bucket = service_bucket(subject.resource.kind)
    if wanted is not None:
        change = diff.single_change("autoscaling", wanted, live, subject.known)
        if change is not None and subject.admitted(change):
            subject.do(
                Verb.SET_AUTOSCALING,
                payload=wanted,
                marks=marks_of_fields({"autoscaling": subject.resource.fields["autoscaling"]}),
                changes=(change.as_change(),),
                reason=_reason([change]),
                **subject.priced({"autoscaling": wanted}),
            )
        return
    count = subject.resource.fields.get("numInstances")
    ours = diff.FIELD + "autoscaling" in subject.known.applied
    if live is not None and (ours or count is not None):
        gone = FieldChange(field="autoscaling", before=live, after=None, asked=ours)
        if subject.admitted(gone):
            subject.do(
                Verb.REMOVE_AUTOSCALING,
                unmarks=(diff.FIELD + "autoscaling",),
                changes=(gone.as_change(),),
                reason=_reason([gone]),
                **subject.priced({"autoscaling": None}),
            )
        return
    if count is None:
        return
    change = diff.single_change("numInstances", count, subject.observed.fields.get("numInstances"), subject.known)
    if change is not None and subject.admitted(change):
        subject.do(
            Verb.SCALE,
            payload={"numInstances": count},
            marks=marks_of_fields({"numInstances": count}),
            changes=(change.as_change(),),
            reason=_reason([change]),
            bucket=bucket,
            **subject.priced({"numInstances": count}),
        )


def _sifted(subject: Subject, change: SetChange, noun: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Note drift of a keyed set, and answer what to put and what to remove under the drift policy."""
    strict = subject.view.policy is DriftPolicy.STRICT
    put = tuple(name for name in change.put if name in change.asked or subject.heals(f"{noun} {name}"))
    foreign = tuple(name for name in change.foreign if strict and subject.heals(f"{noun} {name}"))
    for name in change.put:
        if name not in change.asked:
            subject.drifted(f"{noun} {name} was changed", healed=name in put)
    for name in change.foreign:
        subject.drifted(f"{noun} {name} was added", healed=name in foreign)
    remove = tuple(name for name in change.remove if name not in subject.resolved.pending)
    return put, (*remove, *foreign)


def _set_changes(put: tuple[str, ...], remove: tuple[str, ...], change: SetChange, noun: str) -> dict[str, object]:
    """Answer what people read of a change of a keyed set, and why it is made."""
    asked = change.asked | set(change.remove)
    changes = [
        *(Change(field=f"{noun} {n}", before="other value", after="as in the spec", asked=n in asked) for n in put),
        *(Change(field=f"{noun} {n}", before="set", after="removed", asked=n in asked) for n in remove),
    ]
    return {"changes": tuple(changes), "reason": "the spec changed" if asked & {*put, *remove} else "drift"}


def _linked(subject: Subject, group: str) -> bool:
    owned = subject.view.live(group)
    links = owned.observed.fields.get("links") if owned and owned.observed else None
    return isinstance(links, list) and subject.owned.id in links


def plan_env(subject: Subject) -> None:
    """One PUT for all variables that differ; copies of group variables go once the group is linked, with no deploy."""
    copies = set(group_copies(subject.view, subject.resource))
    change = diff.set_change(diff.ENV, subject.resolved.env, subject.known.env, subject.known)
    put, remove = _sifted(subject, change, "variable")
    pending = set(subject.resolved.pending)
    if pending:
        late = sorted(name for name in pending if name in subject.resource.env)
        subject.wait(WaitReason.DEPENDENCY, f"the values of {', '.join(late) or 'secret files'}")
        put = tuple(name for name in put if name not in subject.resource.late_env)
    if not all(_linked(subject, group) for group in subject.resource.groups):
        remove = tuple(name for name in remove if name not in copies)
    if not put and not remove:
        return
    only_copies = not put and set(remove) <= copies
    subject.do(
        Verb.SET_ENV,
        values={name: subject.resource.env[name] for name in put},
        removes=remove,
        marks=marks(diff.ENV, {name: subject.resolved.env[name] for name in put}),
        unmarks=tuple(diff.ENV + name for name in remove),
        needs_deploy=not only_copies,
        notes=() if only_copies else ("1 deploy, no downtime",),
        **_set_changes(put, remove, change, "variable"),
    )


def plan_files(subject: Subject) -> None:
    """One PUT for all secret files that differ."""
    change = diff.set_change(diff.FILE, subject.resolved.files, subject.known.files, subject.known)
    put, remove = _sifted(subject, change, "secret file")
    if not put and not remove:
        return
    subject.do(
        Verb.SET_FILES,
        files={name: subject.resource.files[name] for name in put},
        removes=remove,
        marks=marks(diff.FILE, {name: subject.resolved.files[name] for name in put}),
        unmarks=tuple(diff.FILE + name for name in remove),
        needs_deploy=True,
        notes=("1 deploy, no downtime",),
        **_set_changes(put, remove, change, "secret file"),
    )


def plan_links(subject: Subject) -> None:
    """Link the env groups the spec names; unlink those it named before."""
    wanted = set(subject.resource.groups)
    for group in subject.resource.groups:
        owned = subject.view.live(group)
        if owned is None or _linked(subject, group):
            continue
        asked = LINK + group not in subject.known.applied
        if not asked:
            heals = subject.heals(f"env group {group}")
            subject.drifted(f"env group {group} was unlinked", healed=heals)
            if not heals:
                continue
        inline = subject.view.resolved.get(group, NO_VALUES).env.keys() <= subject.known.env.keys()
        subject.do(
            Verb.LINK_GROUP,
            id=owned.id,
            payload={"serviceId": subject.owned.id, "group": group},
            marks={LINK + group: ""},
            changes=name_changes([f"env group {group}"], "not linked", "linked", asked=asked),
            reason="the spec changed" if asked else "drift",
            needs_deploy=not inline,
        )
    for mark in [one for one in subject.known.applied if one.startswith(LINK) and one[len(LINK) :] not in wanted]:
        group = mark[len(LINK) :]
        owned = subject.view.live(group)
        if owned is not None and _linked(subject, group):
            subject.do(
                Verb.UNLINK_GROUP,
                id=owned.id,
                payload={"serviceId": subject.owned.id, "group": group},
                unmarks=(mark,),
                changes=name_changes([f"env group {group}"], "linked", "not linked"),
                reason="the spec changed",
                needs_deploy=True,
            )


def plan_disk(subject: Subject) -> None:
    """Attach, grow or move a disk; a disk that would lose data stays until the tenant allows it."""
    wanted, live = subject.resource.fields.get("disk"), subject.observed.fields.get("disk")
    if isinstance(wanted, dict) and not isinstance(live, dict):
        _attach(subject, wanted)
    elif isinstance(wanted, dict) and isinstance(live, dict):
        _change_disk(subject, wanted, live)
    elif isinstance(live, dict) and diff.FIELD + "disk" in subject.known.applied:
        if subject.key not in subject.view.allow_data_loss:
            you = f"reconciler apply {subject.view.tenant} --set 'allowDataLoss=[\"{subject.key}\"]'"
            subject.wait(WaitReason.DATA_LOSS, f"removing the disk of {subject.key} would lose its data", you)
            return
        subject.do(
            Verb.REMOVE_DISK,
            payload={"diskId": live.get("id")},
            unmarks=(diff.FIELD + "disk",),
            changes=name_changes(["disk"], diff.display(live.get("name")), "none"),
            reason="the spec changed",
            notes=("its data is lost",),
            **subject.priced({"disk": None}),
        )


def _attach(subject: Subject, wanted: Mapping[str, Json]) -> None:
    lost = diff.FIELD + "disk" in subject.known.applied
    if lost:
        subject.drifted("its disk was deleted at Render", healed=subject.key in subject.view.allow_data_loss)
        if subject.key not in subject.view.allow_data_loss:
            you = (
                f"accept an empty disk: reconciler apply {subject.view.tenant} "
                f"--set 'allowDataLoss=[\"{subject.key}\"]'"
            )
            subject.wait(WaitReason.DATA_LOSS, f"the disk of {subject.key} was deleted at Render with its data", you)
            return
    subject.do(
        Verb.ADD_DISK,
        payload=dict(wanted),
        marks=marks_of_fields({"disk": dict(wanted)}),
        changes=name_changes(["disk"], "none", diff.display(wanted.get("name")), asked=not lost),
        reason="drift" if lost else "the spec changed",
        needs_deploy=True,
        notes=("1 deploy; from now on deploys stop the service for a moment",),
        **subject.priced({"disk": dict(wanted)}),
    )


def _change_disk(subject: Subject, wanted: Mapping[str, Json], live: Mapping[str, Json]) -> None:
    asked = subject.known.applied.get(diff.FIELD + "disk") != diff.applied_text(dict(wanted))
    changes = [
        FieldChange(field=f"disk.{name}", before=live.get(name), after=wanted[name], asked=asked)
        for name in DISK_FIELDS
        if wanted.get(name) is not None and wanted[name] != live.get(name)
    ]
    size, present = wanted.get("sizeGB"), live.get("sizeGB")
    if isinstance(size, int) and isinstance(present, int) and size < present:
        changes = [one for one in changes if one.field != "disk.sizeGB"]
        if asked:
            message = f"the disk of {subject.key} cannot shrink: {present} GB -> {size} GB"
            subject.wait(WaitReason.IMMUTABLE, message, f"write sizeGB: {present} or more")
        else:
            subject.drifted(f"disk.sizeGB {size} -> {present}; Render cannot shrink it", healed=False)
    changes = [one for one in changes if subject.admitted(one)]
    if not changes:
        return
    payload: dict[str, Json] = {"diskId": live.get("id")} | {c.field.removeprefix("disk."): c.after for c in changes}
    subject.do(
        Verb.CHANGE_DISK,
        payload=payload,
        marks=marks_of_fields({"disk": dict(wanted)}),
        changes=tuple(one.as_change() for one in changes),
        reason=_reason(changes),
        needs_deploy="mountPath" in payload,
        **subject.priced({"disk": {**live, **wanted}}),
    )


def plan_deploy(subject: Subject, *, busy: bool) -> None:
    """Deploy once all changes are written: for what needs one, for a new commit, and after the last late value."""
    late = [name for name in subject.resolved.pending if name in subject.resource.late_env]
    commit = subject.resource.commit
    moved = bool(commit) and not _has_commit(subject, commit)
    if busy or late or not (subject.known.dirty or moved):
        return
    payload: dict[str, Json] = {"commitId": commit} if commit and subject.resource.kind is not Kind.CRON else {}
    subject.do(
        Verb.DEPLOY,
        payload=payload,
        marks={COMMIT_MARK: commit} if commit else {},
        changes=name_changes(["commit"], subject.known.commit or "none", commit) if moved else (),
        reason="a new commit" if moved and not subject.known.dirty else "changes that reach instances with a deploy",
        bucket=service_bucket(subject.resource.kind),
    )


def _has_commit(subject: Subject, commit: str) -> bool:
    """Say whether a commit was deployed: by us, or as Render's newest deploy shows, whoever asked for that."""
    if commit in (subject.known.commit, subject.known.applied.get(COMMIT_MARK)):
        return True
    last = subject.known.deploy
    return last is not None and last.state is DeployState.LIVE and last.commit.startswith(commit)


def plan_hook(subject: Subject) -> None:
    """Run the initialDeployHook once, as a one-off job, after the first deploy went live."""
    deploy = subject.known.deploy
    if subject.resource.initial_deploy_hook and not subject.known.hook_done and deploy and deploy.status == "live":
        subject.do(
            Verb.RUN_JOB,
            payload={"startCommand": subject.resource.initial_deploy_hook},
            reason="the first deploy is live",
            bucket=Bucket.JOB,
        )


def settled_marks(subject: Subject) -> dict[str, str]:
    """Answer the marks of sizes, disk, groups, domains and rules that are as the spec says, whoever made them so."""
    wanted, live = subject.resource.fields, subject.observed.fields
    gained: dict[str, str] = {}
    if "numInstances" in wanted and wanted["numInstances"] == live.get("numInstances"):
        gained |= marks_of_fields({"numInstances": wanted["numInstances"]})
    if "autoscaling" in wanted and _autoscaling(wanted["autoscaling"]) == _autoscaling(live.get("autoscaling")):
        gained |= marks_of_fields({"autoscaling": wanted["autoscaling"]})
    disk, there = wanted.get("disk"), live.get("disk")
    if isinstance(disk, dict) and isinstance(there, dict) and all(there.get(n) == disk.get(n) for n in DISK_FIELDS):
        gained |= marks_of_fields({"disk": disk})
    if subject.resource.commit and _has_commit(subject, subject.resource.commit):
        gained[COMMIT_MARK] = subject.resource.commit
    gained |= {LINK + group: "" for group in subject.resource.groups if _linked(subject, group)}
    return gained | settled_edge(subject)


def plan_service(subject: Subject) -> None:
    """Plan everything about one running service, in the order in which it is safe to do."""
    before = len(subject.findings.actions)
    for step in (plan_fields, plan_size, plan_disk, plan_links, plan_env, plan_files, plan_domains):
        step(subject)
    if subject.resource.kind is Kind.STATIC:
        plan_rules(subject)
    busy = any(action.needs_deploy or action.verb is Verb.SET_ENV for action in subject.findings.actions[before:])
    plan_deploy(subject, busy=busy)
    plan_hook(subject)
