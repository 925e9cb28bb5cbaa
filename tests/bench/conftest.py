"""Where measurements go: printed as tables while they run, and all together into one JSON file."""

import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

FILE = Path("build") / "bench.json"
"""Beside the other things that `make clean` takes away, under pytest's root folder."""
Cell = str | int | float | None


@dataclass(slots=True)
class Bench:
    """The tables of this run."""

    terminal: pytest.TerminalReporter
    tables: list[dict[str, object]] = field(default_factory=list)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Print a table and keep it for the file; headings carry the units, numbers stand right."""
        self.tables.append({"title": title, "rows": [dict(zip(columns, row, strict=True)) for row in rows]})
        right = [any(isinstance(row[at], int | float) for row in rows) for at in range(len(columns))]
        lines = [list(columns), *([_shown(cell) for cell in row] for row in rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
        self.terminal.write_line(f"\n\n{title}")
        for line in lines:
            cells = zip(line, widths, right, strict=True)
            shown = "  ".join(cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in cells)
            self.terminal.write_line(f"  {shown}".rstrip())


def _shown(cell: Cell) -> str:
    """Write a number the way people read it: three figures are as many as a measurement has."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Take measurements in; what was measured is in the file at the end, whatever failed on the way."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    assert isinstance(terminal, pytest.TerminalReporter)
    made = Bench(terminal)
    yield made
    machine = {"python": sys.version.split()[0], "machine": platform.machine(), "cores": os.cpu_count()}
    said = {"measured_at": datetime.now(UTC).isoformat(timespec="seconds"), **machine, "tables": made.tables}
    path = request.config.rootpath / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(said, indent=1) + "\n")
    terminal.write_line(f"\n\nas JSON: {FILE}")
