"""Reads single values of the language into canonical form; which field stands where is not its business.

A reader answers None when it refused the value: the problem is in the findings then.
"""

import re
from collections.abc import Callable, Mapping

from reconciler.core.blueprint.spots import Spot, described, nearest
from reconciler.core.values import Json

Reader = Callable[[Json, Spot], Json]

INSTANCES_MAX = 100
TARGET_PERCENT_MAX = 90
"""Limits of scaling (Render API 3.7)."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
HOST_NAME = re.compile(r"(?=.{1,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
REPOSITORY = re.compile(r"(https?://[A-Za-z0-9.-]+(:\d+)?/|ssh://git@[A-Za-z0-9.-]+/|git@[A-Za-z0-9.-]+:)[\w./~%+-]+")
CIDR = re.compile(r"[0-9a-fA-F:.]+(/\d{1,3})?")
_CRON_FIELD = re.compile(r"[0-9A-Za-z*?/,#-]+")
_CRON_RANGES = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
FORBIDDEN_MOUNTS = frozenset(
    {
        "/",
        "/opt",
        "/opt/render",
        "/opt/render/project",
        "/opt/render/project/src",
        "/home",
        "/home/render",
        "/etc",
        "/etc/secrets",
    }
)
"""Paths a disk cannot be mounted at (Render API 3.8)."""


def is_expression(text: str) -> bool:
    """Say whether a text holds a `${...}` that is only known for a tenant, so that its form cannot be judged here."""
    return "${" in text


def text(value: Json, spot: Spot) -> Json:
    """Read a string."""
    if isinstance(value, str):
        return value
    return wrong(spot, "must be text", value, "put it in quotes" if isinstance(value, bool | int | float) else "")


def wrong(spot: Spot, message: str, value: Json, remedy: str = "") -> Json:
    """Refuse a value and answer nothing."""
    spot.problem(message, described(value), remedy)
    return None


def word(value: Json, spot: Spot) -> Json:
    """Read a string that must not be empty."""
    if isinstance(value, str) and not value.strip():
        return wrong(spot, "must not be empty", value, "give it a value or remove it")
    return text(value, spot)


def name(value: Json, spot: Spot) -> Json:
    """Read the name of a component."""
    if isinstance(value, str) and not NAME.fullmatch(value):
        remedy = "use at most 100 letters, digits, blanks, dots, dashes and underscores; begin with a letter or digit"
        return wrong(spot, "is not a name", value, remedy)
    return text(value, spot)


def boolean(value: Json, spot: Spot) -> Json:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    return wrong(spot, "must be true or false", value, "write true or false, without quotes")


def integer(low: int, high: int) -> Reader:
    """Read a whole number between two limits."""

    def read(value: Json, spot: Spot) -> Json:
        if not isinstance(value, int) or isinstance(value, bool):
            return wrong(spot, "must be a whole number", value, f"write a number from {low} to {high}")
        if not low <= value <= high:
            return wrong(spot, f"must lie between {low} and {high}", value)
        return value

    return read


def choice(*words: str, when_false: str = "") -> Reader:
    """Read one of several words; dashes and capitals fold. YAML 1.1 reads an unquoted `off` as false."""
    folded = {one.lower().replace("-", "_"): one for one in words}

    def read(value: Json, spot: Spot) -> Json:
        if value is False and when_false:
            return when_false
        if not isinstance(value, str):
            return wrong(spot, "must be a word", value, f"use one of: {', '.join(words)}")
        found = folded.get(value.lower().replace("-", "_"))
        return found or wrong(spot, "is not a known word here", value, nearest(value, words))

    return read


def listed(read: Reader) -> Reader:
    """Read a list of one sort of value."""

    def read_all(value: Json, spot: Spot) -> Json:
        if not isinstance(value, list):
            return wrong(spot, "must be a list", value, 'write each entry on a line of its own, after "- "')
        return [item for index, one in enumerate(value) if (item := read(one, spot.at(index))) is not None]

    return read_all


def mapping(table: Mapping[str, tuple[str, Reader]], *required: str) -> Reader:
    """Read a mapping whose keys `table` maps to (canonical name, reader); `required` names keys that must be there.

    In a patch nothing is required, and null asks for removal.
    """

    def read(value: Json, spot: Spot) -> Json:
        if not isinstance(value, dict):
            return wrong(spot, "must be a mapping", value, f"its keys are: {', '.join(table)}")
        result: dict[str, Json] = {}
        for key, one in value.items():
            if key not in table:
                spot.at(key).problem("unknown field", remedy=nearest(key, table))
            elif one is None:
                result |= {table[key][0]: None} if spot.patching else {}
            elif (item := table[key][1](one, spot.at(key))) is not None:
                result[table[key][0]] = item
        for key in required:
            if value.get(key) is None and not spot.patching:
                spot.at(key).problem("is required")
        return result

    return read


def entries(table: Mapping[str, tuple[str, Reader]], *required: str) -> Reader:
    """Read a list of mappings. Lists replace as a whole, so their entries are complete in a patch too."""
    read = mapping(table, *required)
    return listed(lambda value, spot: read(value, Spot(spot.path, spot.findings, spot.kind)))


def repository(value: Json, spot: Spot) -> Json:
    """Read the URL of a git repository."""
    if isinstance(value, str) and not is_expression(value) and not REPOSITORY.fullmatch(value):
        remedy = "write it like https://github.com/acme/shop, without a user, a password or a branch"
        return wrong(spot, "is not the URL of a git repository", value, remedy)
    return word(value, spot)


def host_name(value: Json, spot: Spot) -> Json:
    """Read a custom domain."""
    if isinstance(value, str) and not is_expression(value):
        lowered = value.strip().rstrip(".").lower()
        if not HOST_NAME.fullmatch(lowered):
            return wrong(
                spot, "is not a domain name", value, "write it like crm.example.com, without https:// or a path"
            )
        return lowered
    return text(value, spot)


def absolute_path(value: Json, spot: Spot) -> Json:
    """Read a path that begins with a slash."""
    if isinstance(value, str) and not value.startswith(("/", "${")):
        return wrong(spot, "must begin with /", value)
    return text(value, spot)


def mount_path(value: Json, spot: Spot) -> Json:
    """Read where a disk is mounted."""
    if isinstance(value, str) and (value.rstrip("/") or "/") in FORBIDDEN_MOUNTS:
        return wrong(spot, "a disk cannot be mounted here", value, "use a directory of its own, such as /var/data")
    return absolute_path(value, spot)


def cidr(value: Json, spot: Spot) -> Json:
    """Read an address range of an allow list."""
    if isinstance(value, str) and not is_expression(value) and not CIDR.fullmatch(value):
        return wrong(spot, "is not an address range", value, "write it like 203.0.113.0/24")
    return text(value, spot)


def disk_size(value: Json, spot: Spot) -> Json:
    """Read the size of a database's disk: 1 or a multiple of 5 (Render API 3.13.1)."""
    size = integer(1, 16384)(value, spot)
    if isinstance(size, int) and size != 1 and size % 5:
        return wrong(spot, "must be 1 or a multiple of 5", value, f"write {size - size % 5 + 5}")
    return size


def version(value: Json, spot: Spot) -> Json:
    """Read a PostgreSQL major version, written as a number or as text; the canonical form is text."""
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"1[1-9]|[2-9]\d", digits):
        return wrong(spot, "is not a PostgreSQL major version", value, 'write it like "17"; 11 is the oldest')
    return digits


def schedule(value: Json, spot: Spot) -> Json:
    """Read a cron schedule: five fields, UTC."""
    if not isinstance(value, str) or is_expression(value):
        return text(value, spot)
    fields = value.split()
    if len(fields) != len(_CRON_RANGES):
        return wrong(
            spot, "must have five fields", value, 'write it like "0 3 * * *": minute, hour, day, month, weekday'
        )
    for part, (label, low, high) in zip(fields, _CRON_RANGES, strict=True):
        numbers = [int(number) for number in re.findall(r"(?<![/#\d])\d+", part)]
        if not _CRON_FIELD.fullmatch(part) or any(not low <= number <= high for number in numbers):
            return wrong(spot, f"its {label} is wrong", part, f"write *, or numbers from {low} to {high}")
    return " ".join(fields)
