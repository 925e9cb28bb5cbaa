"""Defines the checked scalar types of the two documents, each with its JSON Schema; it knows no document's shape."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.core.blueprint import env, readers
from reconciler.core.blueprint.env import written
from reconciler.core.blueprint.plans import REGIONS
from reconciler.core.blueprint.spots import nearest

SLUG = r"[a-z][a-z0-9-]{0,37}[a-z0-9]"
"""What a tenant or a Blueprint may be called: the SQL constraint name_is_a_dns_label says the same."""
DURATION_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_STEP = re.compile(r"(\d{1,3})%|(\d{1,6})")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_URL_TEXT = re.compile(r"[A-Za-z0-9:/@._~%+-]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_TIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")
_PARAM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
TEXT_MAX = 200


def refuse(message: str, remedy: str = "") -> PydanticCustomError:
    """Make the error of a field: what is wrong, and what to write instead."""
    return PydanticCustomError("refused", "{message}", {"message": message, "remedy": remedy})


def matching(pattern: re.Pattern[str], message: str, remedy: str) -> AfterValidator:
    """Check a text against a pattern as a whole."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise refuse(message, remedy)
        return value

    return AfterValidator(check)


def _one_line(value: str) -> str:
    if not value.strip() or len(value) > TEXT_MAX or not value.isprintable():
        raise refuse(
            f"must be one line of 1 to {TEXT_MAX} printable characters", "remove line breaks and control codes"
        )
    return value


def _env_text(value: object) -> object:
    """Take numbers and booleans as YAML would write them."""
    return written(value) if isinstance(value, bool | int | float) else value


def seconds(duration: str) -> int:
    """Read a duration such as `15m` or `7d`, in seconds."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise refuse("is not a duration", "write a number and s, m, h, d or w, such as 15m or 7d")
    return int(match[1]) * DURATION_S[match[2]]


def _duration(value: str) -> str:
    seconds(value)
    return value


def step(value: str) -> tuple[float, int]:
    """Read the step of a rollout: (share 0..1, 0) of a percentage, (0, count) of a number."""
    match = _STEP.fullmatch(value)
    share, count = (int(match[1] or 0), int(match[2] or 0)) if match else (0, 0)
    if share > 100 or not (share or count):  # noqa: PLR2004 - per cent
        raise refuse("is not a step", "write a share from 1% to 100%, or a number of tenants from 1")
    return share / 100, count


def _step_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _step(value: str) -> str:
    step(value)
    return value


def git_url(value: str) -> str:
    """Check the URL of a git repository: https or ssh, no credentials, nothing a shell could act on."""
    remedy = "write it like https://github.com/acme/plugins or ssh://git@github.com/acme/plugins"
    if value.startswith("-") or not _URL_TEXT.fullmatch(value):
        raise refuse("holds characters that no repository's URL needs", remedy)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refuse("is not a URL", remedy) from None
    if parts.scheme not in ("https", "ssh"):
        raise refuse("must begin with https:// or ssh://", remedy)
    if (
        parts.password is not None
        or (parts.username or "git") != "git"
        or (parts.scheme, parts.username) == ("https", "git")
    ):
        raise refuse("must not hold credentials", "remove what stands before the @; give the service a deploy key")
    if not _HOST.fullmatch(parts.hostname or "") or port == 0 or len(parts.path) < 2 or ".." in parts.path:  # noqa: PLR2004
        raise refuse("names no repository", remedy)
    return value


def _git_ref(value: str) -> str:
    if not _REF.fullmatch(value) or ".." in value or value.endswith(("/", ".lock", ".")) or "//" in value:
        raise refuse("is not a branch, tag or commit", "write it like v1.2, main or a commit id")
    return value


def _folder(value: str) -> str:
    if not _FOLDER.fullmatch(value) or ".." in value.split("/"):
        raise refuse("is not a path inside the repository", "write it like plugins/acme, without .. or a leading /")
    return value


def _domain(value: str) -> str:
    if not readers.HOST_NAME.fullmatch(value):
        raise refuse(
            "is not a domain name", "write it in small letters like crm.example.com, without https:// or a path"
        )
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        raise refuse("is not a region", nearest(value, REGIONS))
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or " " in value:
        raise refuse("is not the path of a URL", "write it like /health")
    return value


def _naming(value: str) -> str:
    rest = value.replace("{component}", "").replace("{tenant}", "")
    if (
        rest.count("{")
        or "{component}" not in value
        or "{tenant}" not in value
        or not re.fullmatch(r"[a-z0-9-]*", rest)
    ):
        raise refuse(
            "must hold {component} and {tenant}, and else only a-z, 0-9 and -", "write it like {component}-{tenant}"
        )
    return value


_SLUG_REMEDY = "use 2 to 39 of a-z, 0-9 and -; begin with a letter, end with a letter or digit"
Slug = Annotated[
    str,
    matching(re.compile(SLUG), "is not a name", _SLUG_REMEDY),
    WithJsonSchema({"type": "string", "pattern": f"^{SLUG}$"}),
]
ComponentName = Annotated[
    str, matching(readers.NAME, "is not the name of a component", "use the name it has in the template")
]
Target = Annotated[
    str,
    matching(
        re.compile(rf"\*|{readers.NAME.pattern}"), "is not the name of a component", 'use a component, or "*" for all'
    ),
]
EnvKey = Annotated[
    str,
    matching(
        env.KEY,
        "is not the name of a variable",
        "use letters, digits, underscores, dots and dashes; do not begin with a digit",
    ),
]
EnvText = Annotated[str, BeforeValidator(_env_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
EnvLayer = dict[Target, dict[EnvKey, EnvText]]
Line = Annotated[str, AfterValidator(_one_line), WithJsonSchema({"type": "string", "maxLength": TEXT_MAX})]
Duration = Annotated[
    str, AfterValidator(_duration), WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"})
]
Step = Annotated[
    str,
    BeforeValidator(_step_text),
    AfterValidator(_step),
    WithJsonSchema({"type": ["string", "integer"], "pattern": f"^({_STEP.pattern})$"}),
]
GitUrl = Annotated[str, AfterValidator(git_url), WithJsonSchema({"type": "string", "format": "uri"})]
GitRef = Annotated[str, AfterValidator(_git_ref)]
Commit = Annotated[
    str,
    matching(_COMMIT, "is not a commit id", "write 7 to 40 of 0-9 and a-f"),
    WithJsonSchema({"type": "string", "pattern": f"^{_COMMIT.pattern}$"}),
]
Folder = Annotated[str, AfterValidator(_folder)]
Domain = Annotated[str, AfterValidator(_domain), WithJsonSchema({"type": "string", "format": "hostname"})]
Region = Annotated[str, AfterValidator(_region), WithJsonSchema({"type": "string", "enum": list(REGIONS)})]
UrlPath = Annotated[str, AfterValidator(_absolute), WithJsonSchema({"type": "string", "pattern": "^/"})]
Naming = Annotated[str, AfterValidator(_naming)]
LabelKey = Annotated[str, matching(_LABEL_KEY, "is not a label's name", "use letters, digits, -, _ and .")]
LabelValue = Annotated[
    str,
    matching(
        _LABEL_VALUE, "is not a label's value", "use at most 63 letters, digits, -, _ and .; put numbers in quotes"
    ),
]
TierName = Annotated[
    str, matching(_TIER, "is not a tier's name", "use a-z, 0-9, - and _; begin with a letter or digit")
]
ParamName = Annotated[str, matching(_PARAM_NAME, "is not a parameter's name", "use letters, digits and _")]
