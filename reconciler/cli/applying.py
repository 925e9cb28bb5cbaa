"""Applies documents through the door, each independent of the others, Blueprints first; it prints nothing."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from reconciler import manifest
from reconciler.api import views
from reconciler.cli import text
from reconciler.cli.exits import ExitCode, Failure
from reconciler.core.errors import Invalid, NotFound, Problem
from reconciler.core.values import Json
from reconciler.doors import Actor, Applied, Registry, Taken, TenantRow
from reconciler.manifest import Document

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "-"
LOCAL_SECRETS = "local-secrets.yaml"
"""File of a folder that holds made-up secrets for rehearsals; only the daemon of a local run reads it."""
READ_MAX = 20 * 1024 * 1024
"""Bytes read of one file; a little more than the language allows, so that it can say so itself."""
PATH_OF_TAKEN = {
    "name": "metadata.name",
    "external_id": "spec.externalId",
    "display_name": "spec.displayName",
    "generation": "metadata.generation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one document, or of a whole file that cannot be read: `outcome` or `problems`."""

    kind: str
    name: str
    file: str = ""
    outcome: str = ""
    applied: Applied | None = None
    problems: tuple[Problem, ...] = ()
    code: ExitCode = ExitCode.OK
    state: str = "running"

    @property
    def failed(self) -> bool:
        """Say whether the document was refused."""
        return self.code is not ExitCode.OK


def files(paths: Sequence[str], *, recursive: bool) -> list[str]:
    """Answer the files that are meant, in order; Failure for a path that is not there or a folder without documents."""
    found: list[str] = []
    for path in paths:
        if path == STDIN:
            found.append(path)
            continue
        place = Path(path)
        if place.is_dir():
            inside = sorted(_inside(place, recursive=recursive))
            if not inside:
                raise Failure(
                    f"{path} holds no {', '.join(SUFFIXES)} file",
                    remedy="" if recursive else "add -R to look into its folders too",
                    code=ExitCode.NOT_FOUND,
                )
            found += inside
        elif place.exists():
            found.append(path)
        else:
            raise Failure(f"{path} does not exist", code=ExitCode.NOT_FOUND)
    return list(dict.fromkeys(found))


def _inside(folder: Path, *, recursive: bool) -> Iterator[str]:
    """Answer what looks like a document: templates and made-up secrets lie in the same folders."""
    for path in folder.rglob("*") if recursive else folder.iterdir():
        beside = path.name == LOCAL_SECRETS or path.stem == "render" or path.stem.endswith(".render")
        if path.suffix in SUFFIXES and not beside and path.is_file():
            yield str(path)


def read(path: str) -> str:
    """Read a file or standard input as text; Invalid when it is none."""
    name = "standard input" if path == STDIN else path
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(READ_MAX)
        else:
            with Path(path).open("rb") as source:
                data = source.read(READ_MAX)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = Problem(path="document", message="is no UTF-8 text", file=name, line=line, remedy="save it as UTF-8")
        raise Invalid([problem]) from error
    except OSError as error:
        problem = Problem(path="document", message=f"cannot be read: {error.strerror}", file=name)
        raise Invalid([problem]) from error


def load(paths: Sequence[str]) -> tuple[list[Document], list[Result]]:
    """Read all files; answers the documents in order of application, and the files that cannot be read."""
    found: list[Document] = []
    refused: list[Result] = []
    for path in paths:
        written = ""
        try:
            written = read(path)
            for doc in manifest.load_documents(written, file="standard input" if path == STDIN else path):
                found.append(_inlined(doc, path))
        except Invalid as wrong:
            kind, name = _guess(written, path)
            refused.append(_refused(kind, name, path, wrong.problems))
    return sorted(found, key=lambda doc: doc.kind != "Blueprint"), refused


def _inlined(doc: Document, path: str) -> Document:
    if path == STDIN:
        # What comes from a pipe lies in the present folder, as far as templates are concerned.
        here = manifest.inline_template(replace(doc, file=""), _read_template)
        return replace(here, file=doc.file)
    return manifest.inline_template(doc, _read_template)


def _read_template(path: str) -> str:
    with Path(path).open("rb") as source:
        return source.read(READ_MAX).decode("utf-8-sig")


def _guess(written: str, path: str) -> tuple[str, str]:
    """Guess whom a broken file is about, so that the list of tenants can show it until it is put right."""
    kind = re.search(r"^kind:\s*[\"']?(Blueprint|Tenant)\b", written, re.MULTILINE)
    name = re.search(r"^\s*(?:metadata:\s*\{\s*)?name:\s*[\"']?([a-z][a-z0-9-]{0,38})", written, re.MULTILINE)
    stem = re.sub(r"[^a-z0-9-]+", "-", Path(path).stem.lower()).strip("-") or "stdin"
    return kind.group(1) if kind else "Tenant", name.group(1) if name else stem


def _refused(kind: str, name: str, file: str, problems: Sequence[Problem], code: ExitCode = ExitCode.FAILED) -> Result:
    return Result(kind=kind, name=name, file=file, outcome="refused", problems=tuple(problems), code=code)


async def apply(registry: Registry, actor: Actor, paths: Sequence[str]) -> list[Result]:
    """Apply every document of these files; refused ones are remembered, so that lists show them."""
    found, results = load(paths)
    for doc in found:
        results.append(await apply_document(registry, actor, doc))
    for result in results:
        if result.failed:
            await registry.reject(result.kind, result.name, result.problems, actor)
    return results


async def apply_document(registry: Registry, actor: Actor, doc: Document) -> Result:
    """Apply one document; what is wrong with it is in the answer, what is wrong with the database is raised."""
    try:
        if doc.kind == "Blueprint":
            document = manifest.blueprint_document(doc)
            applied = await registry.put_blueprint(doc.name, document, actor)
            warned = tuple(str(one) for one in manifest.locate(doc, manifest.warnings(document)))
            # Over HTTP the other side has warned already, only without files and lines.
            return _done(doc, applied, warnings=warned or applied.warnings)
        columns = manifest.tenant_columns(doc)
        merged = await _merged(registry, doc.name, columns)
        await check_columns(registry, merged)
        applied = await registry.put_tenant(columns, actor)
        return _done(doc, applied, state=str(merged.get("state") or "running"), warnings=applied.warnings)
    except (Invalid, NotFound, Taken) as error:
        return _wrong(doc, error)


def _done(doc: Document, applied: Applied, *, state: str = "running", warnings: Sequence[str] = ()) -> Result:
    return Result(
        kind=doc.kind,
        name=doc.name,
        file=doc.file,
        outcome=applied.outcome,
        applied=replace(applied, warnings=tuple(dict.fromkeys(warnings))),
        state=state,
    )


async def change(
    registry: Registry, actor: Actor, name: str, settings: Sequence[str], *, dry_run: bool = False
) -> Result:
    """Change a tenant by `--set` words, unless somebody else changes it at the same time; raises what is wrong."""
    before = await known(registry, name)
    columns = changed(before, name, settings)
    await check_columns(registry, columns)
    same = before is not None and views.columns(before) == columns
    state = str(columns.get("state") or "running")
    if dry_run:
        outcome = "created" if before is None else "unchanged" if same else "changed"
        return Result(kind="Tenant", name=name, outcome=outcome, state=state)
    generation = before.generation if before is not None else None
    applied = await registry.put_tenant(columns, actor, create_only=before is None, generation=generation)
    return Result(kind="Tenant", name=name, outcome=applied.outcome, applied=applied, state=state)


def changed(before: TenantRow | None, name: str, settings: Sequence[str]) -> dict[str, Json]:
    """Answer a tenant's columns after `--set` words; a tenant that is not there yet needs its Blueprint set."""
    if before is None and not any(word.startswith("blueprint=") for word in settings):
        raise NotFound(f'there is no tenant "{name}"; to make one, add --set blueprint=NAME')
    return manifest.with_settings(views.columns(before) if before is not None else {"name": name}, settings)


async def known(registry: Registry, name: str) -> TenantRow | None:
    """Find a tenant, or nothing."""
    try:
        return await registry.get_tenant(name)
    except NotFound:
        return None


async def _merged(registry: Registry, name: str, columns: dict[str, Json]) -> dict[str, Json]:
    """Answer the columns as they will stand: what the document leaves out stays as it is."""
    before = await known(registry, name)
    return {**(views.columns(before) if before is not None else {}), **columns}


def _wrong(doc: Document, error: Invalid | NotFound | Taken) -> Result:
    match error:
        case Invalid():
            problems = error.problems
        case Taken():
            problems = (Problem(path=PATH_OF_TAKEN.get(error.field, "metadata.name"), message=str(error)),)
        case NotFound():
            problems = (Problem(path="spec.blueprint", message=str(error), remedy="apply the Blueprint first"),)
    code = ExitCode.CONFLICT if isinstance(error, Taken) else ExitCode.FAILED
    return _refused(doc.kind, doc.name, doc.file, manifest.locate(doc, problems), code)


async def check(registry: Registry, paths: Sequence[str]) -> list[Result]:
    """Say what applying these files would do, without writing anything."""
    found, results = load(paths)
    batch: dict[str, dict[str, Json]] = {}
    for doc in found:
        try:
            if doc.kind == "Blueprint":
                batch[doc.name] = manifest.blueprint_document(doc)
                outcome = await _blueprint_fate(registry, doc.name, batch[doc.name])
            else:
                outcome = await _tenant_fate(registry, doc, batch)
            results.append(Result(kind=doc.kind, name=doc.name, file=doc.file, outcome=outcome))
        except (Invalid, NotFound, Taken) as error:
            results.append(_wrong(doc, error))
    return results


async def _tenant_fate(registry: Registry, doc: Document, batch: Mapping[str, Mapping[str, Json]]) -> str:
    columns = manifest.tenant_columns(doc)
    before = await known(registry, doc.name)
    old = views.columns(before) if before is not None else {}
    merged = {**old, **columns}
    await check_columns(registry, merged, batch)
    return "created" if before is None else "unchanged" if old == merged else "changed"


async def _blueprint_fate(registry: Registry, name: str, document: Mapping[str, Json]) -> str:
    try:
        before = await registry.get_blueprint(name)
    except NotFound:
        return "created"
    return "unchanged" if before.document == document else "changed"


async def check_columns(
    registry: Registry, columns: Mapping[str, Json], batch: Mapping[str, Mapping[str, Json]] = MappingProxyType({})
) -> None:
    """Check a tenant against its Blueprint, one of this batch or the stored one; Invalid says what is wrong."""
    name = str(columns.get("blueprint") or "")
    document = batch.get(name) or (await registry.get_blueprint(name)).document
    problems = manifest.check_tenant_against(columns, document)
    if problems:
        raise Invalid(problems)


async def apply_folder(registry: Registry, actor: Actor, folder: Path) -> list[str]:
    """Apply a folder at the start of a daemon; answers a line of what was applied, and one for each refusal."""
    results = await apply(registry, actor, files([str(folder)], recursive=True))
    good = [result.kind for result in results if not result.failed]
    counted = ", ".join(
        text.count(good.count(kind), kind.lower()) for kind in ("Blueprint", "Tenant") if good.count(kind)
    )
    refused = [line_of(result) for result in results if result.failed]
    return [f"applied {counted or 'nothing'} from {folder}/", *refused]


def line_of(result: Result, *, dry_run: bool = False) -> str:
    """Say what became of a document."""
    subject = f"{result.kind.lower()}/{result.name}"
    if result.failed:
        return f"{subject} refused: {'; '.join(str(problem) for problem in result.problems)}"
    which = ""
    if result.applied is not None:
        revision, generation = result.applied.revision, result.applied.generation
        which = f" (r{revision})" if result.kind == "Blueprint" else f" (generation {generation})"
    said = f"would be {result.outcome}" if dry_run and result.outcome != "unchanged" else result.outcome
    return f"{subject} {said}{which}"


def document_of(result: Result) -> Json:
    """Write what became of a document as JSON."""
    return {
        "kind": result.kind,
        "name": result.name,
        "file": result.file,
        "outcome": result.outcome,
        "generation": result.applied.generation if result.applied is not None else None,
        "revision": result.applied.revision if result.applied is not None else None,
        "warnings": list(result.applied.warnings) if result.applied is not None else [],
        "problems": [str(problem) for problem in result.problems],
    }
