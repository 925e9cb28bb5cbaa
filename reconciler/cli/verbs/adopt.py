"""The verb `adopt`: shows what of a live stack would become a tenant's, and takes it on a person's word."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli import applying, output, planning, render_adopt, root, session
from reconciler.cli.exits import ExitCode, Failure
from reconciler.cli.output import Format
from reconciler.cli.render_adopt import Drawn
from reconciler.cli.verbs.apply import Settings
from reconciler.core.errors import NotFound
from reconciler.core.values import Json
from reconciler.daemon import adopting, proposing
from reconciler.daemon.adopting import Adopter, Request
from reconciler.daemon.proposing import Proposed
from reconciler.doors import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line said."""

    tenant: str
    blueprint: str
    settings: Sequence[str]
    chosen: dict[str, str]
    source: proposing.Source | None
    out: Path | None
    form: Format
    yes: bool
    allow_changes: bool


@root.app.command(
    "adopt",
    short_help="Take over a stack that runs at Render.",
    epilog=root.examples(
        "reconciler adopt acme --blueprint crm --tier starter     # what it would own, and what would differ",
        "reconciler adopt acme --blueprint crm --tier starter --yes",
        "reconciler adopt acme --blueprint crm --map backend=srv-d3kq0 --map db=old-database",
        "reconciler adopt acme                                    # of a tenant that stands: names that are taken",
        "reconciler adopt acme --from-project Acme --out specs/   # propose documents, to edit and apply",
        "reconciler adopt acme --from-project Acme --yes",
    ),
)
def adopt(
    *,
    tenant: root.Name,
    blueprint: Annotated[
        str,
        typer.Option("--blueprint", help="The Blueprint that describes the stack; of a proposal, its name."),
    ] = "",
    tier: Annotated[str, typer.Option("--tier", help="The tier of a new tenant.", show_default=False)] = "",
    settings: Settings = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COMPONENT=ID|NAME", help="Which live object a component is."),
    ] = None,
    project: Annotated[
        str,
        typer.Option("--from-project", metavar="PROJECT[/ENVIRONMENT]", help="Propose documents for what lies in it."),
    ] = "",
    resources: Annotated[
        list[str] | None,
        typer.Option("--resource", metavar="ID|NAME", help="Propose documents for these objects."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write proposed documents there.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show; the default without --yes.")] = False,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Take ownership although the next pass would change something.")
    ] = False,
    yes: root.Yes = False,
    form: root.Output = Format.TABLE,
) -> None:
    """Take over a stack that runs at Render already, as it is; nothing is written there.

    Without --yes it only shows: what would be owned, with its price, and what the next pass would do. With --yes the
    tenant's record and its inventory are written. Refused with code 6 if a pass would change anything.
    """
    if project and resources:
        raise Failure("--from-project and --resource exclude each other", remedy="choose one", code=ExitCode.USAGE)
    source = proposing.Source(project=project, resources=resources or ()) if project or resources else None
    if source is not None and (tier or settings or mapped):
        remedy = "write the documents with --out, edit them, apply them, then adopt"
        raise Failure("a proposal takes neither --tier, --set nor --map", remedy=remedy, code=ExitCode.USAGE)
    if out is not None and source is None:
        raise Failure("--out writes a proposal", remedy="add --from-project or --resource", code=ExitCode.USAGE)
    said = [f"blueprint={blueprint}"] if blueprint and source is None else []
    asked = Asked(
        tenant=tenant,
        blueprint=blueprint,
        settings=[*said, *([f"tier={tier}"] if tier else []), *(settings or [])],
        chosen=_chosen(mapped or []),
        source=source,
        out=out,
        form=form,
        yes=yes and not dry_run,
        allow_changes=allow_changes,
    )
    asyncio.run(_run(asked))


def _chosen(words: Sequence[str]) -> dict[str, str]:
    """Read `--map` words; `project` and `environment` stand for themselves."""
    chosen: dict[str, str] = {}
    for word in words:
        component, equals, object_ = word.partition("=")
        if not equals or not component or not object_:
            raise Failure(f'--map "{word}" cannot be read', remedy="write COMPONENT=ID", code=ExitCode.USAGE)
        chosen[f"@{component}" if component in ("project", "environment") else component] = object_
    return chosen


async def _run(asked: Asked) -> None:
    complete = planning.complete(root.INVOCATION.settings)
    async with adopting.opened(complete) as adopter:
        await adopter.look()
        made = await _proposal(adopter, asked) if asked.source is not None else None
        request = made.request if made is not None else await _request(adopter, asked)
        examined = await adopter.examine(request)
        drawn = Drawn(
            heading=_heading(request, examined.stack.blueprint if examined.stack else asked.blueprint),
            tenant=asked.tenant,
            examined=examined,
            price=adopter.usd,
            notes=made.notes if made is not None else (),
        )
        _show(drawn, made, asked)
        if made is not None and asked.out is not None:
            _write(made, asked)
        if asked.yes:
            _check(drawn, asked)
            await adopter.take(request, examined, Actor(name=session.user(), via="cli"))
            output.note(f"tenant/{asked.tenant} owns {render_adopt.total(drawn)}; nothing was written to Render")
        else:
            output.note(f"would own {render_adopt.total(drawn)}. Nothing was changed; add --yes to take ownership")


async def _proposal(adopter: Adopter, asked: Asked) -> Proposed:
    assert asked.source is not None, "asked for a proposal"
    name = asked.blueprint or asked.tenant
    registry = adopter.wiring.registry
    if await applying.known(registry, asked.tenant) is not None:
        raise Failure(
            f'there is a tenant "{asked.tenant}" already',
            remedy=f"reconciler adopt {asked.tenant}, or choose another name",
            code=ExitCode.CONFLICT,
        )
    made = await proposing.proposed(adopter, asked.tenant, name, asked.source)
    try:
        before = await registry.get_blueprint(name)
    except NotFound:
        return made
    if asked.yes and before.document != made.request.document:
        raise Failure(
            f'there is a Blueprint "{name}" already, and it says something else',
            remedy="give the proposal another name with --blueprint",
            code=ExitCode.CONFLICT,
        )
    return made


async def _request(adopter: Adopter, asked: Asked) -> Request:
    """Put the command line into a request; a tenant that stands needs none of it."""
    before = await applying.known(adopter.wiring.registry, asked.tenant)
    if before is None and not asked.blueprint:
        raise NotFound(
            f'there is no tenant "{asked.tenant}"; for a new one add --blueprint NAME of a Blueprint that describes '
            "the stack, or --from-project to propose one"
        )
    if not asked.settings:
        return Request(tenant=asked.tenant, chosen=asked.chosen)
    if before is not None and asked.blueprint not in ("", before.blueprint):
        raise Failure(
            f"{asked.tenant} stands on {before.blueprint}", remedy="leave --blueprint out", code=ExitCode.USAGE
        )
    columns = applying.changed(before, asked.tenant, asked.settings)
    await applying.check_columns(adopter.wiring.registry, columns)
    return Request(tenant=asked.tenant, columns=columns, chosen=asked.chosen)


def _heading(request: Request, blueprint: str) -> str:
    tier = str((request.columns or {}).get("tier") or "")
    return "  ".join(part for part in (request.tenant, blueprint, tier) if part)


def _show(drawn: Drawn, made: Proposed | None, asked: Asked) -> None:
    match asked.form:
        case Format.YAML if made is not None:
            output.print_yaml_documents([dict(made.blueprint), dict(made.tenant)])
            for line in render_adopt.lines(drawn):
                output.note(line.words)
        case Format.JSON | Format.YAML:
            said = render_adopt.document(drawn)
            assert isinstance(said, dict), "it is written as one"
            if made is not None:
                said |= {"documents": [dict(made.blueprint), dict(made.tenant)]}
            (output.print_json if asked.form is Format.JSON else output.print_yaml)(said)
        case Format.NAME:
            output.line(f"tenant/{asked.tenant}")
        case _:
            for line in render_adopt.lines(drawn):
                output.line(line.words, line.style)


def _write(made: Proposed, asked: Asked) -> None:
    """Write the proposed documents, one a file, and over nothing."""
    assert asked.out is not None, "asked for files"
    blueprint = asked.blueprint or asked.tenant
    files: list[tuple[Path, dict[str, Json]]] = [
        (asked.out / f"{blueprint}.blueprint.yaml", dict(made.blueprint)),
        (asked.out / f"{asked.tenant}.tenant.yaml", dict(made.tenant)),
    ]
    there = [str(path) for path, _ in files if path.exists()]
    if there:
        raise Failure(
            f"{', '.join(there)} exists already", remedy="remove it, or name another folder", code=ExitCode.CONFLICT
        )
    asked.out.mkdir(parents=True, exist_ok=True)
    for path, said in files:
        path.write_text(output.yaml_text(said), encoding="utf-8")
        output.note(f"wrote {path}")
    output.note(f"edit them, then: reconciler apply -f {asked.out} && reconciler adopt {asked.tenant} --yes")


def _check(drawn: Drawn, asked: Asked) -> None:
    """Refuse what should not be taken."""
    found = drawn.examined
    if found.invalid:
        raise Failure(f"the stack of {asked.tenant} cannot be compiled", remedy="mend what is said above")
    if not found.rows:
        raise Failure("nothing was found that could be taken over", remedy="see --map", code=ExitCode.NOT_FOUND)
    if not found.fits and not asked.allow_changes:
        raise Failure(
            "not taken: a pass would do what is said above",
            remedy="mend the spec until the plan is empty, or add --allow-changes",
            code=ExitCode.REFUSED,
        )
