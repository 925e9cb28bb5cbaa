"""Turns files into documents that know the line of every field; what a document says is not looked at yet."""

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from reconciler.core.blueprint.spots import at, described, nearest, parent
from reconciler.core.errors import Invalid, Problem, shown
from reconciler.core.values import Json
from reconciler.manifest.models import API_VERSION, FILES
from reconciler.manifest.yaml_text import Path, parse_all, unfit

_TEXT_FIELDS = frozenset({"ref", "commit", "branch"})
_VALUE_FIELDS = frozenset({"value", "previewValue"})
TEMPLATE = "spec.template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document as read: plain JSON, and where each field stands; `template_file` is the inlined file, if any."""

    kind: str
    name: str
    data: Mapping[str, Json]
    file: str = ""
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)
    template_file: str = ""
    template_lines: Mapping[str, int] = field(default_factory=dict)


def keeps_text(path: Path) -> bool:
    """Say which fields stay text as written: env values (`DEBUG: off`, `VERSION: 1.10`), branches and commits."""
    match path:
        case (*_, "envVars", int(), last):
            return last in _VALUE_FIELDS
        case (*_, "envVars", str()) | ("spec", "env", str(), str()):
            return True
        case (*_, last):
            return last in _TEXT_FIELDS
        case _:
            return False


def load_documents(text: str, *, file: str) -> list[Document]:
    """Read every document of a YAML text. Raises Invalid with file and line: YAML errors, unknown kinds, no name.

    Fields are not checked yet: `tenant_columns` and `blueprint_document` do that, one document at a time.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    for parsed in parse_all(text, file=file, verbatim=keeps_text):
        found = list(_head(parsed.value))
        located = [replace(one, file=file, line=_line(one.path, parsed.lines, parsed.line)) for one in found]
        problems.extend(located)
        if not found:
            documents.append(_document(parsed.value, file, parsed.line, _with_variables(parsed.value, parsed.lines)))
    ordered = sorted(documents, key=lambda one: (one.kind, one.name, one.line))
    for first, second in pairwise(ordered):
        if (first.kind, first.name) == (second.kind, second.name):
            message = f"{first.kind} {first.name} stands in this file twice, the first begins at line {first.line}"
            line = second.lines.get("metadata.name", second.line)
            problems.append(Problem(path="metadata.name", message=message, remedy="keep one", file=file, line=line))
    if problems:
        raise Invalid(problems)
    return documents


def document(data: Json) -> Document:
    """Take a document that arrived as JSON, over HTTP say. Raises Invalid as `load_documents` does, without lines."""
    problems = list(unfit(data)) or list(_head(data))
    if problems:
        raise Invalid(problems)
    return _document(data, "", 0, {})


def _document(value: Json, file: str, line: int, lines: Mapping[str, int]) -> Document:
    data = value if isinstance(value, dict) else {}
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    return Document(kind=str(data.get("kind")), name=str(name), data=data, file=file, line=line, lines=lines)


def _head(value: Json) -> Iterable[Problem]:
    """Check what makes a mapping one of our documents."""
    if not isinstance(value, dict):
        remedy = "begin with `apiVersion: reconciler/v1`"
        yield Problem(path="document", message="must be a mapping", value=described(value), remedy=remedy)
        return
    if "services" in value and "kind" not in value:
        message = "this is a render.yaml, not a document"
        yield Problem(path="document", message=message, remedy="name it as spec.templateFile of a Blueprint")
        return
    version, kind, metadata = value.get("apiVersion"), value.get("kind"), value.get("metadata")
    if version != API_VERSION:
        yield Problem(
            path="apiVersion", message="is not known", value=described(version), remedy=f"write {API_VERSION}"
        )
    if not isinstance(kind, str) or kind not in FILES:
        remedy = nearest(str(kind), FILES)
        if kind == "Secret":
            remedy = "secrets are no documents: reconciler secret set TENANT KEY"
        yield Problem(path="kind", message="is not a kind of document", value=described(kind), remedy=remedy)
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        yield Problem(path="metadata.name", message="is required", remedy="give it a name")


def _with_variables(value: Json, lines: dict[str, int], path: str = "") -> dict[str, int]:
    """Let variables and groups in a list be found by name too.

    The compiler knows them as `services[0].envVars.KEY` and `services[0].envVars.fromGroup.NAME`.
    """
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        here = at(path, step)
        if path.endswith("envVars") and isinstance(inner, dict):
            for word, below in (("key", path), ("fromGroup", at(path, "fromGroup"))):
                if isinstance(inner.get(word), str):
                    lines.setdefault(at(below, str(inner[word])), lines.get(here, 0))
        _with_variables(inner, lines, here)
    return lines


def inline_template(doc: Document, read_file: Callable[[str], str]) -> Document:
    """Replace `templateFile` by the file's content. `read_file` gets its path, seen from where the spec's file is.

    Documents without a templateFile come back as they are. Raises Invalid: unreadable, or not one YAML document.
    """
    spec = doc.data.get("spec")
    name = spec.get("templateFile") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(name, str) or "template" in spec:
        return doc
    file = posixpath.normpath(posixpath.join(posixpath.dirname(doc.file), name))
    try:
        text = read_file(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        problem = Problem(
            path="spec.templateFile",
            message=f"cannot be read: {reason}",
            value=shown(file),
            remedy="name a file relative to this one",
        )
        raise Invalid(locate(doc, [problem])) from None
    parsed = parse_all(text, file=file, verbatim=keeps_text)
    if len(parsed) != 1 or not isinstance(parsed[0].value, dict):
        message = "must hold one mapping" if parsed else "is empty"
        found, line = ("", 1) if len(parsed) != 1 else (described(parsed[0].value), parsed[0].line)
        remedy = "begin with `services:` and list the services below it"
        raise Invalid([Problem(path="template", message=message, value=found, file=file, line=line, remedy=remedy)])
    inlined = {key: one for key, one in spec.items() if key != "templateFile"} | {"template": parsed[0].value}
    return replace(
        doc,
        data={**doc.data, "spec": inlined},
        template_file=file,
        template_lines=_with_variables(parsed[0].value, parsed[0].lines),
    )


def locate(doc: Document, problems: Iterable[Problem]) -> list[Problem]:
    """Add file and line to problems of a document; those inside an inlined template name the template's file."""
    return [one if one.file else _located(doc, one) for one in problems]


def _located(doc: Document, problem: Problem) -> Problem:
    if doc.template_file and problem.path.startswith(TEMPLATE):
        inner = problem.path.removeprefix(TEMPLATE).lstrip(".")
        return replace(problem, file=doc.template_file, line=_line(inner, doc.template_lines, 1))
    return replace(problem, file=doc.file, line=_line(problem.path, doc.lines, doc.line))


def _line(path: str, lines: Mapping[str, int], default: int) -> int:
    """Find the line of a field, or of the nearest one around it that the file has."""
    while path and path not in lines:
        shorter = parent(path)
        path = shorter if shorter != path else ""
    return lines.get(path, default)
