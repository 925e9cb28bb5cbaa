"""Writes a live object's fields in the words of render.yaml, the opposite of `core.blueprint`; notes what has none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.blueprint.plans import PLANS, REGIONS
from reconciler.core.kinds import COMPUTE, Kind
from reconciler.core.observed import Observed
from reconciler.core.values import Json

TYPES = {
    Kind.WEB: "web",
    Kind.STATIC: "web",
    Kind.PRIVATE: "pserv",
    Kind.WORKER: "worker",
    Kind.CRON: "cron",
    Kind.KEY_VALUE: "keyvalue",
}
SAME = (
    *("branch", "rootDir", "buildCommand", "startCommand", "dockerCommand", "dockerContext", "dockerfilePath"),
    *("preDeployCommand", "healthCheckPath", "schedule", "autoDeployTrigger"),
)
"""Fields that bear the same name in both, and are said where they hold something."""
UNSAID: Mapping[str, Json] = {
    "maxShutdownDelaySeconds": 30,
    "renderSubdomainPolicy": "enabled",
    "dockerContext": ".",
    "dockerfilePath": "./Dockerfile",
}
"""Values that a Blueprint need not say: Render's own."""
EVERYWHERE: tuple[Json, ...] = ([], [{"cidrBlock": "0.0.0.0/0", "description": "everywhere"}])
_OURS = re.compile(r"(?<=\$)\$\{|\$\{(?=(?:tenant|params|host|url|secrets)\.)")


@dataclass(slots=True)
class Notes:
    """What could not be expressed, each with what to do about it."""

    lines: list[str] = field(default_factory=list)

    def add(self, subject: str, what: str, remedy: str) -> None:
        """Note one thing."""
        self.lines.append(f"{subject}: {what}; {remedy}")


def escaped(text: str) -> str:
    """Write a text so that nothing in it is taken for an expression of ours."""
    return _OURS.sub("$${", text)


def plan_word(one: Observed, notes: Notes) -> str:
    """Write a plan as the language has it; nothing (and a note) for one that it does not know."""
    plan = str(one.fields.get("plan") or "")
    named = plan in PLANS.get(one.kind, ()) or (one.kind is Kind.POSTGRES and plan[:1].isdigit())
    if plan and not named:
        notes.add(one.name, f"its plan {plan} is none that a Blueprint can name", "it is left as it is")
        return ""
    if one.kind is Kind.POSTGRES:
        return plan.replace("_", "-")
    return plan if plan[:1].isdigit() else plan.replace("_", " ")


def region_word(one: Observed, notes: Notes) -> str:
    """Write a region; nothing (and a note) for one that the language does not know."""
    region = str(one.fields.get("region") or "")
    if region and region not in REGIONS:
        notes.add(one.name, f"its region {region} is none that a Blueprint can name", "it is left as it is")
        return ""
    return region


def _ranges(value: Json) -> list[Json]:
    """Write an allow list in the language's words."""
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    names = {"cidrBlock": "source", "description": "description"}
    return [{names[name]: entry[name] for name in names if entry.get(name)} for entry in entries]


def service_words(key: str, one: Observed, fields: Mapping[str, Json], notes: Notes) -> dict[str, Json]:
    """Write a service but for its region, repository and variables."""
    words: dict[str, Json] = {"type": TYPES[one.kind], "name": key}
    words["runtime"] = "static" if one.kind is Kind.STATIC else fields.get("runtime")
    plan = plan_word(one, notes) if one.kind is not Kind.STATIC else ""
    words |= {"plan": plan} if plan else {}
    words |= _source_words(fields)
    words |= {
        name: escaped(str(fields[name])) for name in SAME if fields.get(name) and fields[name] != UNSAID.get(name)
    }
    if one.kind is Kind.STATIC:
        words["staticPublishPath"] = escaped(str(fields.get("publishPath") or ""))
    for name in ("maxShutdownDelaySeconds", "renderSubdomainPolicy"):
        if fields.get(name) not in (None, "", UNSAID[name]):
            words[name] = fields[name]
    mode, only = fields.get("maintenanceMode"), fields.get("buildFilter")
    if isinstance(mode, dict) and (mode.get("enabled") or mode.get("uri")):
        words["maintenanceMode"] = {name: value for name, value in mode.items() if value not in (None, "")}
    if isinstance(only, dict):
        words["buildFilter"] = {name: value for name, value in only.items() if value}
    if one.kind in (Kind.WEB, Kind.STATIC) and fields.get("ipAllowList") not in (None, *EVERYWHERE):
        words["ipAllowList"] = _ranges(fields["ipAllowList"])
    return words | (_size_words(one, fields, notes) if one.kind in COMPUTE else {})


def _source_words(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Write what a service is built from: an image, or a repository (which may need a credential for its base)."""
    credential = fields.get("registryCredential")
    named: Json = {"fromRegistryCreds": {"name": credential}} if credential else None
    if fields.get("imagePath"):
        image: dict[str, Json] = {"url": fields["imagePath"]}
        return {"image": image | ({"creds": named} if named else {})}
    words: dict[str, Json] = {"repo": fields["repo"]} if fields.get("repo") else {}
    return words | ({"registryCredential": named} if named else {})


def _size_words(one: Observed, fields: Mapping[str, Json], notes: Notes) -> dict[str, Json]:
    """Write instances, autoscaling and disk."""
    words: dict[str, Json] = {}
    scaling, count, disk = fields.get("autoscaling"), fields.get("numInstances"), fields.get("disk")
    if isinstance(scaling, dict):
        targets = {
            word: scaling[name]
            for name, word in (("cpu", "targetCPUPercent"), ("memory", "targetMemoryPercent"))
            if scaling.get(name) is not None
        }
        if targets:
            words["scaling"] = {"minInstances": scaling["min"], "maxInstances": scaling["max"], **targets}
        else:
            notes.add(one.name, "it scales without a target", "its autoscaling is left as it is")
    elif isinstance(count, int) and count > 1:
        words["numInstances"] = count
    if isinstance(disk, dict):
        words["disk"] = {name: disk.get(name) for name in ("name", "mountPath", "sizeGB")}
    return words


def database_words(key: str, one: Observed, fields: Mapping[str, Json], notes: Notes) -> dict[str, Json]:
    """Write a Postgres but for its region. What it calls its database and user is unsaid: Render makes that up."""
    words: dict[str, Json] = {"name": key}
    plan = plan_word(one, notes)
    words |= {"plan": plan} if plan else {}
    words["postgresMajorVersion"] = fields.get("version")
    words["diskSizeGB"] = fields.get("diskSizeGB")
    if fields.get("diskAutoscalingEnabled"):
        words["storageAutoscalingEnabled"] = True
    if fields.get("highAvailabilityEnabled"):
        words["highAvailability"] = {"enabled": True}
    replicas = fields.get("readReplicas")
    if isinstance(replicas, list) and replicas:
        words["readReplicas"] = [{"name": name} for name in replicas]
    if fields.get("connectionPool") not in (None, "", "none"):
        words["connectionPool"] = fields["connectionPool"]
    if fields.get("parameterOverrides"):
        notes.add(one.name, "it has parameter overrides, which a Blueprint cannot say", "they are left as they are")
    words["ipAllowList"] = _ranges(fields.get("ipAllowList"))
    return {name: value for name, value in words.items() if value is not None}


def key_value_words(key: str, one: Observed, fields: Mapping[str, Json], notes: Notes) -> dict[str, Json]:
    """Write a Key Value but for its region."""
    words: dict[str, Json] = {"type": TYPES[one.kind], "name": key}
    plan = plan_word(one, notes)
    words |= {"plan": plan} if plan else {}
    words |= {name: fields[name] for name in ("maxmemoryPolicy", "persistenceMode") if fields.get(name)}
    words["ipAllowList"] = _ranges(fields.get("ipAllowList"))
    return words
