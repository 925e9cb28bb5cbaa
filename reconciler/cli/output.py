"""Prints results in the form asked for: aligned table, JSON, YAML or names; it knows not where they come from."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.cli import text
from reconciler.core.values import Json

GAP = "  "


class Format(StrEnum):
    """How a result is printed; table and wide are for people, the others stay stable for programs."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title; `wide` ones are shown only with -o wide, `right` ones are aligned to the right."""

    title: str
    wide: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A result in all its forms: `rows` for tables, `documents` for JSON and YAML, `names` for -o name.

    `single` prints one document instead of a list. `styles` gives a row's colour by row number, on terminals only.
    """

    what: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    documents: Sequence[Json]
    names: Sequence[str] = ()
    single: bool = False
    styles: Mapping[tuple[int, int], str] = field(default_factory=dict)


def show(listing: Listing, form: Format) -> None:
    """Print a listing to standard output."""
    match form:
        case Format.JSON:
            print_json(_whole(listing))
        case Format.YAML:
            print_yaml(_whole(listing))
        case Format.NAME:
            for name in listing.names:
                line(name)
        case Format.TABLE | Format.WIDE:
            if not listing.rows:
                note(f"no {listing.what}")
                return
            table(listing, wide=form is Format.WIDE)


def _whole(listing: Listing) -> Json:
    if listing.single and len(listing.documents) == 1:
        return listing.documents[0]
    return {"apiVersion": "reconciler/v1", "kind": "List", "items": list(listing.documents)}


def table(listing: Listing, *, wide: bool = False, headings: bool = True) -> None:
    """Print a table: coloured and fitted to a terminal, plain full-length columns anywhere else."""
    chosen = [place for place, column in enumerate(listing.columns) if wide or not column.wide]
    if is_terminal():
        _print_rich(listing, chosen, headings=headings)
        return
    columns = [listing.columns[place] for place in chosen]
    rows = [[text.safe(row[place]) for place in chosen] for row in listing.rows]
    for written in aligned(columns, rows, headings=headings):
        line(written)


def aligned(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, headings: bool = True) -> list[str]:
    """Lay cells out in columns two spaces apart; the last column is never padded."""
    shown = [[column.title for column in columns], *rows] if headings else list(rows)
    widths = [max((cell_len(row[place]) for row in shown), default=0) for place in range(len(columns))]
    return [
        GAP.join(
            _padded(cell, width, right=column.right) for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in shown
    ]


def _padded(cell: str, width: int, *, right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if right else cell + blank


def _print_rich(listing: Listing, chosen: Sequence[int], *, headings: bool) -> None:
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=headings, header_style="bold")
    for place in chosen:
        column = listing.columns[place]
        last = place == chosen[-1]
        drawn.add_column(column.title, justify="right" if column.right else "left", no_wrap=not last, overflow="fold")
    for place, row in enumerate(listing.rows):
        drawn.add_row(*(Text(text.safe(row[cell]), style=listing.styles.get((place, cell), "")) for cell in chosen))
    console().print(drawn)


def console(file: TextIO | None = None) -> Console:
    """Make a console on standard output that interprets nothing in what it prints; NO_COLOR is respected."""
    return Console(file=file or sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)


def is_terminal() -> bool:
    """Say whether a person reads standard output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def line(words: str = "", style: str = "") -> None:
    """Print one line, escape codes made harmless; the style is shown on terminals only."""
    harmless = text.safe(words)
    if style and is_terminal():
        console().print(Text(harmless, style=style), soft_wrap=True)
    else:
        sys.stdout.write(harmless + "\n")


def flush() -> None:
    """Send what was printed on its way: a reader at the other end of a pipe waits for it."""
    sys.stdout.flush()


def lines(words: str) -> None:
    """Print a text of several lines, escape codes made harmless."""
    for part in words.splitlines():
        line(part)


def note(words: str) -> None:
    """Say something beside the result, on standard error."""
    sys.stderr.write(text.safe(words, lines=True) + "\n")


def print_json(value: Json) -> None:
    """Print JSON with what a terminal could obey escaped, which it may be inside JSON strings."""
    written = json.dumps(value, indent=2, ensure_ascii=False)
    sys.stdout.write("".join(c if c.isprintable() or c == "\n" else _json_escaped(c) for c in written) + "\n")


def _json_escaped(character: str) -> str:
    return json.dumps(character, ensure_ascii=True)[1:-1] if ord(character) != 0x7F else "\\u007f"  # noqa: PLR2004


def print_yaml(value: Json) -> None:
    """Print YAML; documents that hold what a terminal could obey are written in ASCII with escapes."""
    sys.stdout.write(yaml_text(value))


def print_yaml_documents(values: Sequence[Json]) -> None:
    """Print several YAML documents, as `apply -f -` takes them."""
    sys.stdout.write("---\n".join(yaml_text(value) for value in values))


def yaml_text(value: Json) -> str:
    """Write YAML in the order of the keys."""
    written: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    if all(c.isprintable() or c == "\n" for c in written):
        return written
    escaped: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=120)
    return escaped
