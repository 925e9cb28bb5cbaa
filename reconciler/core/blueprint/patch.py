"""Lays a patch in render.yaml words over a normalised component, with the folding and checks of a template."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.core.blueprint import component
from reconciler.core.blueprint.fields import MERGED
from reconciler.core.blueprint.spots import Findings, Spot, capped, described, is_mapping
from reconciler.core.errors import Invalid
from reconciler.core.template import Component
from reconciler.core.values import Json


def patch_component(one: Component, patch: Mapping[str, Json], path: str) -> Component:
    """Answer the component with a JSON merge patch applied: mappings merge by key, lists replace, null removes.

    `envVars` merges by key and may be a list, or a mapping `KEY: value`; `fromGroup` adds a group. `path` is
    where the patch stands, for messages. Raises Invalid with every problem.
    """
    findings = Findings()
    spot = Spot(path, findings, one.kind, patching=True)
    if not is_mapping(patch):
        spot.problem("must be a mapping", described(patch), "write the fields to change, such as `plan: standard`")
        raise Invalid(capped(findings.problems))
    folded = component.fold(patch, spot)
    fields = {key: dict(value) if isinstance(value, dict) else value for key, value in one.fields.items()}
    for key, value in folded.fields.items():
        _merge(fields, key, value)
    fields = component.settle(fields, spot)
    if findings.problems:
        raise Invalid(capped(findings.problems))
    forms = {} if folded.clears_variables else dict(one.env)
    for key, form in folded.variables.forms.items():
        if form is None:
            forms.pop(key, None)
        else:
            forms[key] = form
    groups = () if folded.clears_variables else one.groups
    return replace(one, fields=fields, env=forms, groups=tuple(dict.fromkeys((*groups, *folded.variables.groups))))


def _merge(fields: dict[str, Json], key: str, value: Json) -> None:
    """Set, merge or remove one canonical field."""
    before = fields.get(key)
    if value is None:
        fields.pop(key, None)
    elif key in MERGED and isinstance(value, dict):
        merged = {**before, **value} if isinstance(before, dict) else value
        fields[key] = {name: one for name, one in merged.items() if one is not None}
    else:
        fields[key] = value
