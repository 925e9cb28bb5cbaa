"""The page about the command line says what the program does: every verb, every setting with its default and reason."""

from pathlib import Path

import pytest

from reconciler import settings
from reconciler.cli import root
from reconciler.cli.exits import ExitCode

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("verb", root.ORDER)
def test_every_verb_is_on_the_page(verb):
    assert f"`{verb}`" in PAGE


@pytest.mark.parametrize("name", settings.Settings.model_fields)
def test_every_setting_is_on_the_page_as_it_is(name):
    field = settings.Settings.model_fields[name]
    reason = " ".join((field.description or "").split())
    shown = settings.is_secret(field) or field.default in ("", None)
    default = "" if shown else f"`{field.default}`"
    assert f"| `{settings.variable(name)}` | {default} | {reason} |" in PAGE


@pytest.mark.parametrize("code", [code for code in ExitCode if code < ExitCode.INTERRUPTED])
def test_every_exit_code_is_on_the_page(code):
    assert f"| {code.value} | " in PAGE
