"""What import-linter cannot say: the core does no I/O and has no clock, and no file outgrows its reader."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "reconciler"
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

IMPURE_MODULES = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "select", "selectors", "signal", "threading"),
    *("http", "smtplib", "socket", "socketserver", "ssl", "urllib.request", "xmlrpc"),
    *("fileinput", "glob", "importlib", "io", "logging", "os", "pathlib", "shutil", "sqlite3", "subprocess"),
    *("sys", "tempfile"),
    *("getpass", "locale", "platform", "random", "secrets", "time"),
}
IMPURE_CALLS = {
    *("open", "input", "print", "exec", "eval", "breakpoint", "__import__"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4"),
}


def python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def names_with_parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}


def called_names(tree: ast.AST) -> Iterator[str]:
    """Each call's name, with its last qualifier alone too: `datetime.datetime.now` is also `datetime.now`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            words = ast.unparse(node.func).split(".")
            yield ".".join(words)
            yield ".".join(words[-2:])


def impurities(source: str) -> set[str]:
    tree = ast.parse(source)
    found = {
        f"imports {module}"
        for module in imported_modules(tree)
        if names_with_parents(module) & IMPURE_MODULES
        or (module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("reconciler"))
    }
    found |= {f"calls {name}()" for name in called_names(tree) if name in IMPURE_CALLS}
    return found | {"is async" for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)}


@pytest.mark.parametrize("path", python_files(PACKAGE / "core"), ids=lambda path: path.name)
def test_the_core_does_no_io_and_knows_no_clock_and_no_chance(path: Path) -> None:
    assert impurities(path.read_text()) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import asyncio", {"imports asyncio"}),
        ("from urllib import request", {"imports urllib.request"}),
        ("from urllib import parse", set()),
        ("import httpx", {"imports httpx"}),
        ("import datetime\ndatetime.datetime.now()", {"calls datetime.now()"}),
        ("from datetime import datetime\ndatetime.now()", {"calls datetime.now()"}),
        ("open('x')", {"calls open()"}),
        ("async def f(): ...", {"is async"}),
        ("from reconciler.core import diff\nimport dataclasses", set()),
    ],
)
def test_the_check_of_the_core_sees_what_it_should(source: str, found: set[str]) -> None:
    assert impurities(source) == found


@pytest.mark.parametrize("path", python_files(PACKAGE), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_fits_its_reader_and_says_what_it_does(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first sentence says what the module does and must not know"
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = {f.name: lines for f in functions if (lines := (f.end_lineno or 0) - f.lineno + 1) > FUNCTION_LINES_MAX}
    assert long == {}
