"""Short words for the core's tests: documents, specs, rows and views, with all that does not matter filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources

import yaml

from reconciler.core import values
from reconciler.core.actions import Action, Verb, Wait, WaitReason
from reconciler.core.compile import compile_stack
from reconciler.core.inventory import Known, Owned
from reconciler.core.kinds import Kind
from reconciler.core.observed import Deploy, Observed
from reconciler.core.plan import Plan, View
from reconciler.core.prices import book_from
from reconciler.core.spec import BlueprintSpec, DesiredState, SecretSort, SecretSource, TenantSpec

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = b"the tests' key"
BOOK = book_from(yaml.safe_load((resources.files("reconciler") / "prices.yaml").read_text()))
REPO = "https://github.com/acme/crm"
GENERATED = SecretSource(sort=SecretSort.GENERATE, length=20)
SHARED = SecretSource(sort=SecretSort.SHARED)


def later(**span):
    """A time after NOW: `later(minutes=5)`."""
    return NOW + timedelta(**span)


def hasher(context, text):
    """The keyed hash that the store would make."""
    return values.digest(KEY, context, text)


# ---------------------------------------------------------------- documents


def variables(**said):
    """An `envVars` list: a text is a value, a mapping is written as it stands, None is `sync: false`."""
    forms = {None: {"sync": False}}
    return [
        {"key": key, **(one if isinstance(one, dict) else forms.get(one) or {"value": one})}
        for key, one in said.items()
    ]


def from_service(name, prop=None, *, copy=None, sort="web"):
    """A `fromService` form."""
    wanted = {"envVarKey": copy} if copy else {"property": prop}
    return {"fromService": {"name": name, "type": sort, **wanted}}


def from_database(name, prop="connectionString"):
    """A `fromDatabase` form."""
    return {"fromDatabase": {"name": name, "property": prop}}


def group_link(name):
    """A `fromGroup` entry of an `envVars` list."""
    return {"fromGroup": name}


def service(name="web", sort="web", *, env=(), groups=(), **fields):
    """One service of a render.yaml, from an image unless it says otherwise."""
    listed = [*(group_link(one) for one in groups), *(variables(**env) if isinstance(env, dict) else env)]
    known = {"type": sort, "name": name, **fields}
    if sort == "static":
        known |= {"type": "web", "runtime": "static", "repo": fields.get("repo", REPO)}
    elif sort != "keyvalue" and "runtime" not in fields:
        known |= {"runtime": "image", "image": {"url": "docker.io/acme/app:1"}}
    if sort == "cron":
        known.setdefault("schedule", "0 3 * * *")
    if sort == "keyvalue":
        known.setdefault("ipAllowList", [])
    return known | ({"envVars": listed} if listed else {})


def database(name="db", **fields):
    """One database of a render.yaml."""
    return {"name": name, "plan": "basic-256mb", **fields}


def env_group(name="shared", **said):
    """One env group of a render.yaml."""
    return {"name": name, "envVars": variables(**said)}


def document(*services, databases=(), groups=()):
    """A render.yaml."""
    lists = {"services": list(services), "databases": list(databases), "envVarGroups": list(groups)}
    return {word: entries for word, entries in lists.items() if entries}


def blueprint(*services, databases=(), groups=(), **spec):
    """A Blueprint around a render.yaml of these parts."""
    template = spec.pop("template", None) or document(*(services or [service()]), databases=databases, groups=groups)
    return BlueprintSpec(name=spec.pop("name", "crm"), template=template, **spec)


def tenant(name="acme", **spec):
    """A tenant of that Blueprint."""
    return TenantSpec(name=name, blueprint="crm", **spec)


def stack_of(*services, databases=(), groups=(), live=None, who=None, **spec):
    """The compiled stack of a tenant; `live` maps (component, attribute) to what is known."""
    known = live or {}
    made = blueprint(*services, databases=databases, groups=groups, **spec)
    return compile_stack(made, 1, who or tenant(), lambda component, attribute: known.get((component, attribute)))


# ---------------------------------------------------------------- what is known


def observed(kind=Kind.WEB, component="web", *, fields=None, status=None, **known):
    """A live object named like a component of `acme`."""
    usual = "available" if kind in (Kind.POSTGRES, Kind.KEY_VALUE) else ""
    return Observed(
        id=known.pop("id", f"id-{component}"),
        kind=kind,
        name=known.pop("name", f"{component}-acme"),
        fields=fields or {},
        status=usual if status is None else status,
        seen_at=NOW,
        **known,
    )


def owned(kind=Kind.WEB, component="web", *, known=None, absent_looks=0, seen=None, **live):
    """An inventory row; services have a live deploy unless `known` says otherwise."""
    if known is None:
        known = Known(deploy=Deploy(id="dep-1", status="live", created_at=NOW, finished_at=NOW))
    look = observed(kind, component, **live) if seen is None else seen
    return Owned(
        component=component,
        kind=kind,
        id=look.id,
        name=look.name,
        observed=look,
        absent_looks=absent_looks,
        known=known,
        created_at=NOW,
        since=NOW,
    )


def view(stack=None, *rows, **said):
    """A view of these rows; running, healing, at NOW, with nothing else going on."""
    usual = {
        "stack": stack,
        "state": DesiredState.RUNNING,
        "owned": {row.component: row for row in rows},
        "resolved": {},
        "now": NOW,
        "book": BOOK,
        "tenant": "acme",
    }
    return View(**{**usual, **said})


def action(verb=Verb.UPDATE, component="web", kind=Kind.WEB, **said):
    """An action."""
    return Action(verb=verb, component=component, kind=kind, name=f"{component}-acme", **said)


def wait(reason=WaitReason.DEPENDENCY, message="postgres db", **said):
    """A wait."""
    return Wait(reason=reason, message=message, **said)


def plan(*actions, **said):
    """A plan of these actions."""
    return Plan(actions=actions, **said)


def without(row, **known):
    """The same row with some of its knowledge changed."""
    return replace(row, known=replace(row.known, **known))
