"""Turns checked documents into what the store keeps, and stored tenants back into documents."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel

from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.values import Json
from reconciler.manifest.documents import Document, keeps_text, locate
from reconciler.manifest.models import API_VERSION, BlueprintFile, TenantFile
from reconciler.manifest.validation import validate
from reconciler.manifest.yaml_text import parse_all

M = TypeVar("M", bound=BaseModel)

COLUMNS = {
    "externalId": "external_id",
    "displayName": "display_name",
    "blueprint": "blueprint",
    "tier": "tier",
    "region": "region",
    "state": "state",
    "priority": "priority",
    "params": "params",
}
"""Fields of a tenant's spec that have a column of their own; all others lie in the column `details`."""
DETAILS = ("env", "domains", "names", "plugins", "overrides", "pin", "environment", "allowDataLoss")


def checked(doc: Document, model: type[M]) -> M:
    """Check a document against its model; raises Invalid with located problems."""
    try:
        return validate(model, dict(doc.data))
    except Invalid as wrong:
        raise Invalid(sorted(locate(doc, wrong.problems), key=lambda one: one.line)) from None


def dumped(model: BaseModel) -> dict[str, Json]:
    """Write a model as plain JSON in the document's own words, only what was said."""
    found: dict[str, Json] = model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return found


def tenant_columns(doc: Document) -> dict[str, Json]:
    """Answer the columns of a Tenant document; raises Invalid with located problems.

    `labels`, `params` and `details` are whole: what the document leaves out of them is gone. Of the other columns
    only those the document names are there, so that applying it again does not undo a `suspend` or a sign-up.
    """
    file = checked(doc, TenantFile)
    said = dumped(file.spec)
    columns: dict[str, Json] = {COLUMNS[word]: value for word, value in said.items() if word in COLUMNS}
    details: dict[str, Json] = {word: said[word] for word in DETAILS if said.get(word)}
    labels: dict[str, Json] = dict(file.metadata.labels)
    return {"params": {}, **columns, "name": file.metadata.name, "labels": labels, "details": details}


def tenant_document(columns: Mapping[str, Json]) -> dict[str, Json]:
    """Write a tenant's columns as the document that `apply` would take; columns without a value are left out."""
    spec: dict[str, Json] = {}
    for word, column in COLUMNS.items():
        value = columns.get(column)
        if value is not None and value not in ("", {}):
            spec[word] = value
    details = columns.get("details")
    spec |= details if isinstance(details, dict) else {}
    metadata: dict[str, Json] = {"name": columns.get("name")}
    if columns.get("labels"):
        metadata["labels"] = columns["labels"]
    return {"apiVersion": API_VERSION, "kind": "Tenant", "metadata": metadata, "spec": spec}


def blueprint_spec_object(doc: Document) -> dict[str, Json]:
    """Answer a Blueprint document's `spec` object as stored; `admission.blueprint_document` also judges it."""
    if isinstance(doc.data.get("spec"), dict) and "templateFile" in dict_of(doc.data["spec"]):
        problem = Problem(
            path="spec.templateFile",
            message="names a file that is not here",
            remedy="send its content as spec.template; `reconciler apply` does that",
        )
        raise Invalid(locate(doc, [problem]))
    spec = checked(doc, BlueprintFile).spec
    said = dumped(spec)
    if spec.params:
        # The SQL trigger reads these: every parameter says its type there.
        said["params"] = {name: {"type": one.type.value, **dumped(one)} for name, one in spec.params.items()}
    return said


def blueprint_yaml(name: str, document: Mapping[str, Json]) -> dict[str, Json]:
    """Write a stored revision as the document that `apply` would take."""
    return {"apiVersion": API_VERSION, "kind": "Blueprint", "metadata": {"name": name}, "spec": dict(document)}


def dict_of(value: Json) -> dict[str, Json]:
    """Answer a mapping as it is, and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def with_settings(columns: Mapping[str, Json], settings: Sequence[str]) -> dict[str, Json]:
    """Answer a tenant's columns after `--set` words such as `tier=pro`, `params.seats=25`, `env.worker.DEBUG=1`.

    Paths are those below `spec`, and `labels`; the value is read as YAML, an empty one removes the field.
    Raises Invalid.
    """
    data = tenant_document(columns)
    for setting in settings:
        path, equals, text = setting.partition("=")
        steps = [one for one in path.strip().split(".") if one]
        if not equals or not steps:
            raise Invalid(
                [Problem(path="--set", message="cannot be read", value=shown(setting), remedy="write PATH=VALUE")]
            )
        _set(data, ["metadata" if steps[0] == "labels" else "spec", *steps], text)
    doc = Document(kind="Tenant", name=str(columns.get("name")), data=data)
    removed: dict[str, Json] = {column: None for column in ("display_name", "region") if column in columns}
    return {**columns, **removed, **tenant_columns(doc)}


def _set(data: dict[str, Json], steps: list[str], text: str) -> None:
    """Set or remove the field at a path, making the mappings on the way."""
    here = data
    for step in steps[:-1]:
        # A copy of each mapping on the way: the caller's columns stay as they are.
        inner = dict(dict_of(here.get(step)))
        here[step] = inner
        here = inner
    is_text = keeps_text(tuple(steps)) or steps[:2] == ["metadata", "labels"]
    parsed = parse_all(text, file="--set", verbatim=lambda path: is_text)
    here.pop(steps[-1], None)
    if parsed:
        here[steps[-1]] = parsed[0].value
