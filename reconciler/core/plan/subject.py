"""Gives the planners one subject: a component with its desired and live side, and ways to say what to do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconciler.core import diff, prices
from reconciler.core.actions import Action, Change, Verb, Wait, WaitReason
from reconciler.core.diff import FieldChange
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import SERVICES, Bucket, Kind
from reconciler.core.observed import Observed
from reconciler.core.plan.view import View, label
from reconciler.core.resolve import Resolved
from reconciler.core.spec import DriftPolicy
from reconciler.core.stack import Resource
from reconciler.core.values import Json

FAILED_WRITES_MAX = 2
HEALS_MAX = 3
HEALS_WINDOW = timedelta(hours=1)
NAME_MARK = diff.FIELD + "name"
NO_VALUES = Resolved(env={}, files={}, pending={})
DEPLOYING_FIELDS = frozenset(
    {
        "plan",
        "runtime",
        "repo",
        "branch",
        "rootDir",
        "imagePath",
        "registryCredential",
        "buildCommand",
        "startCommand",
        "dockerCommand",
        "dockerContext",
        "dockerfilePath",
        "preDeployCommand",
        "healthCheckPath",
        "maxShutdownDelaySeconds",
        "publishPath",
    }
)
"""Fields of a service that reach running instances only with the next deploy (Render API 3.3)."""


def service_bucket(kind: Kind) -> Bucket:
    """Answer the bucket of PATCH, deploy, scale, suspend and resume of a kind (Render API 2.2)."""
    if kind is Kind.CRON:
        return Bucket.CRON
    return Bucket.SERVICE if kind in SERVICES else Bucket.WRITE


def futile(view: View, known: Known, component: str, name: str) -> Wait | None:
    """Say in a wait why healing a field leads nowhere: Render does not change it, or somebody changes it back."""
    you = f"find out who, then: reconciler reconcile {view.tenant}"
    recent = sum(what == name and view.now - at < HEALS_WINDOW for what, at in known.heals)
    if known.failed_writes.get(name, 0) >= FAILED_WRITES_MAX:
        message = f"Render accepted {name} of {component} {FAILED_WRITES_MAX} times and did not change it"
        you = f"check {name} in the spec, then: reconciler reconcile {view.tenant}"
    elif recent >= HEALS_MAX:
        message = f"somebody keeps changing {name} of {component}: healed {recent} times within an hour"
    else:
        return None
    return Wait(reason=WaitReason.GUARD, message=message, component=component, you=you)


@dataclass(slots=True)
class Findings:
    """What the planners of all components add up to."""

    actions: list[Action] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    unhealed: list[str] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    settled: dict[str, Known] = field(default_factory=dict)
    fields: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    """Fields of a component as they stand after the actions found so far, for prices that add up."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One component that exists: its desired side, its live side, and where findings go."""

    view: View
    resource: Resource
    owned: Owned
    observed: Observed
    findings: Findings

    @property
    def known(self) -> Known:
        """What we know of it beyond the lists."""
        return self.owned.known

    @property
    def key(self) -> str:
        """The component's name."""
        return self.resource.component

    @property
    def resolved(self) -> Resolved:
        """The digests of its variables."""
        return self.view.resolved.get(self.key, NO_VALUES)

    def do(self, verb: Verb, **details: object) -> Action:
        """Add an action on this component."""
        bucket = details.pop("bucket", Bucket.WRITE)
        action = Action(
            verb=verb,
            component=self.key,
            kind=self.resource.kind,
            name=self.owned.name,
            id=details.pop("id", self.owned.id),  # type: ignore[arg-type] # the caller's keyword
            bucket=bucket,  # type: ignore[arg-type] # as above
            **details,  # type: ignore[arg-type] # as above: keywords of Action, checked by its constructor
        )
        self.findings.actions.append(action)
        return action

    def wait(self, reason: WaitReason, message: str, you: str = "") -> None:
        """Say that something of this component stands still, and why."""
        self.findings.waits.append(Wait(reason=reason, message=message, component=self.key, you=you))

    def drifted(self, what: str, *, healed: bool) -> None:
        """Note a difference that nobody asked for in a spec."""
        self.findings.drift.append(f"{self.key}: {what}")
        if not healed:
            self.findings.unhealed.append(f"{self.key}: {what}")

    def admitted(self, change: FieldChange) -> bool:
        """Say whether a difference is to be acted on; note drift, and stop what keeps coming back."""
        if change.asked:
            return True
        shown = f"{change.field} {diff.display(change.after)} -> {diff.display(change.before)}"
        heals = self.heals(change.field)
        self.drifted(shown, healed=heals)
        return heals

    def heals(self, name: str) -> bool:
        """Say whether drift of a field (or `variable A`, `domain a.example.com`) is healed: by policy, not in vain."""
        if self.view.policy is DriftPolicy.REPORT:
            return False
        stop = futile(self.view, self.known, self.key, name)
        self.findings.waits += [stop] if stop else []
        return stop is None

    def renamed(self) -> tuple[FieldChange, ...]:
        """Answer the change of a live name that is not as it should be; an edit of `naming` asks for it."""
        before, after = self.observed.name, self.resource.name
        asked = self.known.applied.get(NAME_MARK, diff.applied_text(after)) != diff.applied_text(after)
        change = FieldChange(field="name", before=before, after=after, asked=asked)
        return (change,) if before != after and self.admitted(change) else ()

    def priced(self, changed: Mapping[str, Json]) -> dict[str, object]:
        """Answer price keywords for an action that changes these fields, on top of the actions before it."""
        day = self.view.now.date()
        before = self.findings.fields.get(self.key, self.observed.fields)
        after = {**before, **changed}
        self.findings.fields[self.key] = after
        return {
            "usd_before": prices.of_observed(self.view.book, replace(self.observed, fields=before), day),
            "usd_after": prices.of_observed(self.view.book, replace(self.observed, fields=after), day),
        }


def marks_of_fields(fields: Mapping[str, Json]) -> dict[str, str]:
    """Answer what `Known.applied` remembers of these fields."""
    return {diff.FIELD + name: diff.applied_text(value) for name, value in fields.items()}


def marks(prefix: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Answer what `Known.applied` remembers of these digests."""
    return {prefix + name: digest for name, digest in digests.items()}


def name_changes(names: Iterable[str], before: str, after: str, *, asked: bool = True) -> tuple[Change, ...]:
    """Answer one Change per name, for things whose values are never shown."""
    return tuple(Change(field=name, before=before, after=after, asked=asked) for name in names)


def waits_for(reason: WaitReason, messages: Sequence[str], component: str) -> tuple[Wait, ...]:
    """Answer one Wait per message."""
    return tuple(Wait(reason=reason, message=message, component=component) for message in messages)


__all__ = [
    "DEPLOYING_FIELDS",
    "NAME_MARK",
    "Findings",
    "Subject",
    "futile",
    "label",
    "marks",
    "marks_of_fields",
    "name_changes",
    "service_bucket",
    "waits_for",
]
