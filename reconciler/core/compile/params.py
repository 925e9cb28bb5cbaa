"""Checks what a tenant says against the parameters its Blueprint declares, and fills in defaults."""

from collections.abc import Mapping
from typing import assert_never

from reconciler.core.errors import Problem, shown
from reconciler.core.spec import BlueprintSpec, Param, ParamType, TenantSpec
from reconciler.core.values import Json

SAMPLES: Mapping[ParamType, Json] = {
    ParamType.STRING: "sample",
    ParamType.INTEGER: 1,
    ParamType.NUMBER: 1,
    ParamType.BOOLEAN: True,
}


def fits(param: Param, value: Json) -> bool:
    """Say whether a value has the parameter's type (a boolean is not a number here)."""
    match param.type:
        case ParamType.STRING:
            return isinstance(value, str)
        case ParamType.BOOLEAN:
            return isinstance(value, bool)
        case ParamType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case ParamType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            assert_never(param.type)


def effective(blueprint: BlueprintSpec, tenant: TenantSpec, problems: list[Problem]) -> dict[str, Json]:
    """Answer every declared parameter's value; what is unknown, missing or wrong becomes a problem."""
    values: dict[str, Json] = {}
    for name in tenant.params:
        if name not in blueprint.params:
            has = ", ".join(blueprint.params) or "none"
            message = f"{blueprint.name} has no such parameter"
            problems.append(Problem(path=f"spec.params.{name}", message=message, remedy=f"it has: {has}"))
    for name, param in blueprint.params.items():
        path = f"spec.params.{name}"
        value = tenant.params.get(name, param.default)
        values[name] = value
        if name not in tenant.params:
            if param.required:
                problems.append(
                    Problem(path=path, message=f"is required by {blueprint.name}", remedy="give it a value")
                )
        elif not fits(param, value):
            problems.append(Problem(path=path, value=shown(value), message=f"is not of type {param.type}"))
        elif param.enum and value not in param.enum:
            allowed = ", ".join(str(one) for one in param.enum)
            problems.append(
                Problem(path=path, value=shown(value), message="is not allowed", remedy=f"use one of: {allowed}")
            )
    return values


def samples(blueprint: BlueprintSpec) -> dict[str, Json]:
    """Answer a value for every required parameter, for checking a Blueprint without a tenant."""
    return {
        name: param.enum[0] if param.enum else SAMPLES[param.type]
        for name, param in blueprint.params.items()
        if param.required
    }
