"""Reads fields of a request body and refuses, naming the field, what the API would refuse."""

from collections.abc import Collection

from reconciler.simulator.wire import Json, invalid


def text(body: Json, name: str, default: str | None = None) -> str:
    """Read a non-empty string; without a default it is required."""
    value = body.get(name)
    if value is None or value == "":
        if default is None:
            raise invalid(f"{name} is required")
        return default
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value


def optional_text(body: Json, name: str) -> str | None:
    """Read a string that may be absent or empty; null counts as absent."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value


def choice(body: Json, name: str, allowed: Collection[str], default: str | None = None) -> str:
    """Read one of some words."""
    value = text(body, name, default)
    if value not in allowed:
        raise invalid(f"invalid {name}: {value}")
    return value


def whole(body: Json, name: str, bounds: tuple[int, int], default: int | None = None) -> int:
    """Read a whole number within bounds."""
    value = body.get(name)
    if value is None:
        if default is None:
            raise invalid(f"{name} is required")
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(f"{name} must be an integer")
    if not bounds[0] <= value <= bounds[1]:
        raise invalid(f"{name} must be between {bounds[0]} and {bounds[1]}")
    return value


def flag(body: Json, name: str, default: bool = False) -> bool:
    """Read a boolean."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid(f"{name} must be a boolean")
    return value


def section(body: Json, name: str) -> Json:
    """Read a nested object; absent and null are empty."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def rows(body: Json, name: str) -> list[Json]:
    """Read a list of objects; absent and null are empty."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(f"{name} must be an array of objects")
    return value


def texts(body: Json, name: str) -> list[str]:
    """Read a list of strings; absent and null are empty."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(f"{name} must be an array of strings")
    return value


def allow_list(body: Json, name: str = "ipAllowList") -> list[Json]:
    """Read an IP allow list."""
    return [
        {"cidrBlock": text(item, "cidrBlock"), "description": optional_text(item, "description") or ""}
        for item in rows(body, name)
    ]
