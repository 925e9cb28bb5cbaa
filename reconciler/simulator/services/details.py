"""Decides what serviceDetails come back for the serviceDetails that were sent, on create and on change.

Render API: normalisation of services; recorded in backgroundworker/background_worker, staticsite/static_site,
privateservice/disks and webservice/web_service.
"""

from reconciler.simulator import checks, cron, plans
from reconciler.simulator.plans import NATIVE_RUNTIMES, PLANS_OF, REGIONS, RUNTIMES
from reconciler.simulator.wire import ApiError, Json, invalid

MAX_INSTANCES = 100
MAX_TARGET_PERCENT = 90
SCALABLE = frozenset({"web_service", "private_service", "background_worker"})
PUBLIC = frozenset({"web_service", "static_site"})
CACHE_PROFILES = ("no-cache", "origin-controlled", "origin-controlled-all")
MAX_SHUTDOWN_DELAY_S = 300


def canonical_image(path: str) -> str:
    """Spell an image reference in full: nginx is docker.io/library/nginx:latest."""
    name, at, digest = path.partition("@")
    head, slash, last = name.rpartition("/")
    first = head.split("/", 1)[0]
    if not slash:
        head = "docker.io/library"
    elif "." not in first and ":" not in first and first != "localhost":
        head = f"docker.io/{head}"
    if at:
        return f"{head}/{last}@{digest}"
    return f"{head}/{last}" if ":" in last else f"{head}/{last}:latest"


def blank(kind: str, given: Json) -> Json:
    """Build the details of a new service of a kind."""
    details: Json = {"buildPlan": "starter"}
    if kind == "static_site":
        details |= {"buildCommand": "", "publishPath": "public", "previews": {"generation": "off"}}
        details["pullRequestPreviewsEnabled"] = "no"
        change(kind, details, given, changing=False)
        return details
    runtime = checks.choice(given, "runtime" if given.get("runtime") else "env", RUNTIMES) if (
        given.get("runtime") or given.get("env")
    ) else checks.choice(given, "runtime", RUNTIMES)  # fmt: skip
    details |= {"env": runtime, "runtime": runtime, "envSpecificDetails": _blank_commands(runtime)}
    details["plan"] = "starter"
    details["region"] = checks.choice(given, "region", REGIONS, "oregon")
    if kind in SCALABLE:
        details["numInstances"] = checks.whole(given, "numInstances", (1, MAX_INSTANCES), 1)
        details |= {"previews": {"generation": "off"}, "pullRequestPreviewsEnabled": "no"}
    if kind == "web_service":
        details |= {"healthCheckPath": "", "maintenanceMode": {"enabled": False, "uri": ""}}
    if kind == "cron_job":
        checks.text(given, "schedule")
    change(kind, details, given, changing=False)
    return details


def _blank_commands(runtime: str) -> Json:
    if runtime in NATIVE_RUNTIMES:
        return {"buildCommand": "", "startCommand": ""}
    if runtime == "docker":
        return {"dockerCommand": "", "dockerContext": ".", "dockerfilePath": "./Dockerfile"}
    return {"dockerCommand": "", "dockerContext": "", "dockerfilePath": ""}


def change(kind: str, details: Json, given: Json, *, changing: bool = True) -> None:
    """Merge given serviceDetails into those of a service; fields that the kind lacks are passed over."""
    if kind == "static_site":
        for name in ("buildCommand", "publishPath"):
            value = checks.optional_text(given, name)
            if value is not None:
                details[name] = value or ("public" if name == "publishPath" else "")
    else:
        _change_runtime(kind, details, given, changing=changing)
    if kind == "cron_job":
        if given.get("schedule") is not None:
            details["schedule"] = cron.checked(checks.text(given, "schedule"))
        return
    _change_previews(details, given)
    if kind in PUBLIC:
        _change_edge(details, given)
    if kind == "web_service":
        _change_web(details, given)
    if kind in SCALABLE and given.get("maxShutdownDelaySeconds") is not None:
        delay = checks.whole(given, "maxShutdownDelaySeconds", (1, MAX_SHUTDOWN_DELAY_S))
        details["maxShutdownDelaySeconds"] = delay


def _change_runtime(kind: str, details: Json, given: Json, *, changing: bool) -> None:
    runtime = given.get("runtime") or given.get("env")
    if runtime and runtime != details["runtime"]:
        _switch_runtime(details, checks.choice({"runtime": runtime}, "runtime", RUNTIMES))
    if given.get("plan"):
        plan = checks.text(given, "plan")
        # Legacy names are read-only in Render's enums: a service that has one may keep it.
        if plan not in PLANS_OF[kind] and plan != details["plan"]:
            raise invalid(f"invalid plan: {plan}")
        details["plan"] = plans.kept(details["plan"], plan, plans.COMPUTE_ALIASES) if changing else plan
    commands = details["envSpecificDetails"]
    sent = checks.section(given, "envSpecificDetails")
    for name in [name for name in commands if name != "preDeployCommand"]:
        value = checks.optional_text(sent, name)
        if value is not None:
            commands[name] = value
    if kind in SCALABLE:
        command = checks.optional_text(given, "preDeployCommand")
        if command or (command == "" and "preDeployCommand" in commands):
            commands["preDeployCommand"] = command


def _switch_runtime(details: Json, runtime: str) -> None:
    old, new = details["envSpecificDetails"], _blank_commands(runtime)
    new |= {name: value for name, value in old.items() if name in new and value}
    if "preDeployCommand" in old:
        new["preDeployCommand"] = old["preDeployCommand"]
    details |= {"env": runtime, "runtime": runtime, "envSpecificDetails": new}


def _change_previews(details: Json, given: Json) -> None:
    """Take the preview setting; the deprecated twin is derived from it and ignored when both are sent."""
    previews = checks.section(given, "previews")
    generation = previews.get("generation")
    if generation is None and "previews" not in given:
        generation = {"yes": "automatic", "no": "off"}.get(str(given.get("pullRequestPreviewsEnabled")))
    if generation is not None:
        checks.choice({"previews.generation": generation}, "previews.generation", ("off", "manual", "automatic"))
        details["previews"] = {"generation": generation}
    enabled = details["previews"]["generation"] == "automatic"
    details["pullRequestPreviewsEnabled"] = "yes" if enabled else "no"


def _change_edge(details: Json, given: Json) -> None:
    if given.get("renderSubdomainPolicy") is not None:
        policy = checks.choice(given, "renderSubdomainPolicy", ("enabled", "disabled"))
        details["renderSubdomainPolicy"] = policy
    if given.get("ipAllowList") is not None:
        details["ipAllowList"] = checks.allow_list(given)


def _change_web(details: Json, given: Json) -> None:
    path = checks.optional_text(given, "healthCheckPath")
    if path is not None:
        details["healthCheckPath"] = path
    if given.get("maintenanceMode") is not None:
        mode = checks.section(given, "maintenanceMode")
        uri = checks.optional_text(mode, "uri") or ""
        details["maintenanceMode"] = {"enabled": checks.flag(mode, "enabled"), "uri": uri}
    if given.get("cache") is not None:
        profile = checks.choice(checks.section(given, "cache"), "profile", CACHE_PROFILES)
        details["cache"] = {"profile": profile}


def autoscaling(given: Json) -> Json:
    """Read an autoscaling setting the way it is echoed."""
    low = checks.whole(given, "min", (1, MAX_INSTANCES))
    high = checks.whole(given, "max", (1, MAX_INSTANCES))
    if low > high:
        raise invalid("min must not be greater than max")
    criteria = checks.section(given, "criteria")
    read: Json = {}
    for name in ("cpu", "memory"):
        one = checks.section(criteria, name)
        on = checks.flag(one, "enabled")
        bounds = (1, MAX_TARGET_PERCENT) if on else (0, 100)
        try:
            percentage = checks.whole(one, "percentage", bounds, None if on else 0)
        except ApiError as error:
            raise invalid(f"criteria.{name}.{error.message}") from error
        read[name] = {"enabled": on, "percentage": percentage}
    enabled = checks.flag(given, "enabled", True)
    if enabled and not any(one["enabled"] for one in read.values()):
        raise invalid("criteria: at least one of cpu and memory must be enabled")
    return {"criteria": read, "enabled": enabled, "max": high, "min": low}
