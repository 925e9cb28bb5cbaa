"""Help: every command says what it does and shows examples that its own parser accepts."""

import shlex

import pytest
import typer

from reconciler.cli import app, root
from tests.cli.conftest import Cli

TOP = typer.main.get_command(root.app)


def walk(command, path=()):
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*path, name))


COMMANDS = [" ".join(path) for path, _ in walk(TOP)]
EXAMPLES = [
    (" ".join(path), line.strip().removeprefix("$ "))
    for path, command in walk(TOP)
    for line in (command.epilog or "").splitlines()
    if line.strip().startswith("$ ")
]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_explains_itself_with_examples(path: str, cli: Cli):
    ran = cli(*path.split(), "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out and f"reconciler {path}".strip() in ran.out


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_every_example_is_accepted_by_the_parser(path: str, example: str):
    words = shlex.split(example.partition(" # ")[0], comments=True)
    for word in ("|", "<", ">", "&&"):
        words = words[: words.index(word)] if word in words and "reconciler" in words[: words.index(word)] else words
    if "reconciler" not in words:
        assert "reconciler" in example  # within quotes or a pipe, as in psql "$(reconciler url signup)"
        return
    arguments = words[words.index("reconciler") + 1 :]
    command, context = TOP, None
    while arguments and hasattr(command, "commands"):
        name = next((word for word in arguments if word in command.commands), None)
        if name is None:
            break
        context = command.make_context(command.name, [*arguments[: arguments.index(name)], name], parent=context)
        arguments = arguments[arguments.index(name) + 1 :]
        command = command.commands[name]
    assert command is not TOP or not arguments, f"{example} names no command"
    command.make_context(command.name, arguments, parent=context)


def test_without_arguments_help_is_shown_and_nothing_is_done(cli: Cli):
    ran = cli()
    assert ran.code == 2 and "Commands:" in ran.out + ran.err


def test_the_version_is_that_of_the_package(cli: Cli):
    assert cli("--version").out == cli("version").out == "reconciler 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["get"], ["brake", "half"], ["plan", "--frob"], ["key", "create"]]
)
def test_usage_errors_exit_with_2(arguments, cli: Cli):
    ran = cli(*arguments)
    assert ran.code == 2 and "Error" in ran.err


def test_usage_errors_of_a_plan_with_detailed_exit_codes_exit_with_1(cli: Cli):
    assert cli("plan", "--detailed-exitcode", "--frob").code == 1


def test_completion_can_be_printed(cli: Cli, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    ran = cli("--show-completion", "bash")
    assert "_RECONCILER_COMPLETE=complete_bash" in ran.out


def test_the_verbs_of_the_program_are_all_in_the_list_that_orders_them():
    assert set(TOP.commands) == set(root.ORDER)


def test_main_leaves_with_the_code_of_the_run(monkeypatch):
    from reconciler import cli as package

    monkeypatch.setattr("sys.argv", ["reconciler", "frobnicate"])
    with pytest.raises(SystemExit) as stop:
        package.main()
    assert stop.value.code == 2
    assert app.run(["version"]) == 0
