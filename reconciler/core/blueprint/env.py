"""Reads the forms of env variables; whether what they name exists is decided when every component is known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.blueprint import readers
from reconciler.core.blueprint.spots import Reference, Spot, described, nearest
from reconciler.core.errors import shown
from reconciler.core.kinds import Kind
from reconciler.core.template import Asked, EnvForm, FromDatabase, FromService, Generated, Literal
from reconciler.core.values import Json

KEY = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]{0,254}")
SOURCES = ("value", "generateValue", "sync", "fromDatabase", "fromService")
DATABASE_PROPERTIES = ("connectionString", "connectionPoolString", "host", "port", "user", "password", "database")
KEY_VALUE_PROPERTIES = ("connectionString", "host", "port", "hostport")
SERVICE_PROPERTIES = ("host", "port", "hostport")
NETWORKLESS = frozenset({"worker", "cron", "static"})
SORTS = {
    "web": "web",
    "web_service": "web",
    "pserv": "pserv",
    "private_service": "pserv",
    "worker": "worker",
    "background_worker": "worker",
    "cron": "cron",
    "cron_job": "cron",
    "static": "static",
    "static_site": "static",
    "keyvalue": "keyvalue",
    "key_value": "keyvalue",
    "redis": "keyvalue",
}
"""Every spelling of a type, older ones and the API's included -> the spelling of today."""

_FROM_DATABASE = readers.mapping(
    {"name": ("name", readers.text), "property": ("property", readers.choice(*DATABASE_PROPERTIES))},
    "name",
    "property",
)
_FROM_SERVICE = readers.mapping(
    {
        "name": ("name", readers.text),
        "type": ("type", readers.choice(*SORTS)),
        "property": ("property", readers.text),
        "envVarKey": ("envVarKey", readers.text),
    },
    "name",
    "type",
)


@dataclass(slots=True)
class Variables:
    """Env variables as read: a form per key (None asks a patch to remove it) and the linked groups.

    `places` are the paths of the entries that set a key first, for messages.
    """

    forms: dict[str, EnvForm | None] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


def written(value: Json) -> str | None:
    """Write a scalar as YAML text would be; None when it is no scalar."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def read(value: Json, spot: Spot) -> Variables:
    """Read `envVars`: a list of entries, or in a patch also a mapping KEY: value."""
    variables = Variables()
    if isinstance(value, dict) and spot.patching:
        for key, form in value.items():
            variables.forms[key] = _short(key, form, spot.at(key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _entry(entry, spot.at(index), variables)
    elif value is not None:
        spot.problem("must be a list", described(value), "write each variable as `- key: NAME` and `value: ...`")
    return variables


def _short(key: str, form: Json, spot: Spot) -> EnvForm | None:
    """Read one variable of the mapping form."""
    if not _is_key(key, spot) or form is None:
        return None
    return _form(form, spot) if isinstance(form, dict) else _literal(form, spot)


def _is_key(key: Json, spot: Spot) -> bool:
    if isinstance(key, str) and KEY.fullmatch(key):
        return True
    spot.problem(
        "is not the name of a variable",
        described(key),
        "use letters, digits, underscores, dots and dashes; do not begin with a digit",
    )
    return False


def _entry(entry: Json, spot: Spot, variables: Variables) -> None:
    """Read one entry of the list form into `variables`."""
    if not isinstance(entry, dict):
        spot.problem("must be a mapping", described(entry), "write `key: NAME` and `value: ...`, or `fromGroup: NAME`")
    elif "fromGroup" in entry:
        _group(entry, spot, variables)
    elif entry.get("key") is None:
        spot.problem("has neither key nor fromGroup", described(entry), "name the variable with `key:`")
    elif _is_key(entry["key"], spot.at("key")):
        key = str(entry["key"])
        if key in variables.forms:
            remedy = f"keep one of the two; the other is {variables.places[key]}"
            spot.at("key").problem("is set twice here", shown(key), remedy)
        variables.places.setdefault(key, spot.path)
        variables.forms[key] = _form({k: v for k, v in entry.items() if k != "key"}, spot)


def _group(entry: Mapping[str, Json], spot: Spot, variables: Variables) -> None:
    group = entry["fromGroup"]
    for key in entry:
        if key != "fromGroup":
            spot.at(key).problem("cannot stand beside fromGroup", remedy="make it an entry of its own")
    if spot.kind is Kind.ENV_GROUP:
        spot.at("fromGroup").problem("a group cannot link a group", remedy="link both groups to the service")
    elif not isinstance(group, str) or not group:
        spot.at("fromGroup").problem("must be the name of a group", described(group))
    elif group not in variables.groups:
        variables.groups.append(group)


def _literal(value: Json, spot: Spot) -> EnvForm | None:
    text = written(value)
    if text is None:
        spot.problem("must be text", described(value), "put it in quotes, as JSON if need be")
        return None
    return Literal(text)


def _form(entry: Mapping[str, Json], spot: Spot) -> EnvForm | None:
    """Read where a variable's value comes from: exactly one source."""
    for key in entry:
        if key == "previewValue":
            spot.at(key).warn("concerns previews only, which tenants do not have")
        elif key not in SOURCES:
            spot.at(key).problem("unknown field", remedy=nearest(key, ("key", *SOURCES, "fromGroup")))
    # `sync: true` and `generateValue: false` say what is the case anyway.
    named = [
        key for key in SOURCES if key in entry and (key, entry[key]) not in (("sync", True), ("generateValue", False))
    ]
    if len(named) != 1:
        message = f"has several sources: {', '.join(named)}" if named else "has no value"
        spot.problem(message, remedy="keep one" if named else f"add one of: {', '.join(SOURCES)}")
        return None
    return _source(named[0], entry[named[0]], spot)


def _source(source: str, value: Json, spot: Spot) -> EnvForm | None:
    here = spot.at(source)
    if source == "value":
        return _literal(value, here)
    if source in ("fromDatabase", "fromService"):
        if spot.kind is Kind.ENV_GROUP:
            here.problem("a group holds values only", remedy="move the reference to the services that link the group")
            return None
        complete = Spot(here.path, here.findings, here.kind)
        return _database(value, complete) if source == "fromDatabase" else _service(value, complete)
    if not isinstance(value, bool):
        here.problem("must be true or false", described(value))
        return None
    if source == "generateValue":
        return Generated()
    if spot.kind is Kind.ENV_GROUP:
        here.warn("Render ignores `sync: false` in a group; here the Blueprint's `secrets` give the value")
    return Asked()


def _database(value: Json, spot: Spot) -> EnvForm | None:
    before = len(spot.findings.problems)
    found = _FROM_DATABASE(value, spot)
    if len(spot.findings.problems) > before or not isinstance(found, dict):
        return None
    return FromDatabase(str(found["name"]), str(found["property"]))


def _service(value: Json, spot: Spot) -> EnvForm | None:
    before = len(spot.findings.problems)
    found = _FROM_SERVICE(value, spot)
    if len(spot.findings.problems) > before or not isinstance(found, dict):
        return None
    service, sort = str(found["name"]), SORTS[str(found["type"])]
    prop, key = str(found.get("property", "")), str(found.get("envVarKey", ""))
    if bool(prop) == bool(key):
        spot.problem("must have one of property and envVarKey", remedy="keep one" if prop else "add one")
    elif prop:
        known = KEY_VALUE_PROPERTIES if sort == "keyvalue" else () if sort in NETWORKLESS else SERVICE_PROPERTIES
        if not known:
            spot.at("property").problem(f"a {sort} has no address", shown(prop), "only envVarKey can stand here")
        elif prop not in known:
            spot.at("property").problem("is not a known property", shown(prop), nearest(prop, known))
    spot.findings.references.append(Reference(path=spot.path, name=service, sort=sort, env_var_key=key))
    return FromService(service, prop, key)
