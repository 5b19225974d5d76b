"""Every command of the documents can be run: parsed by the command line itself, or a module that is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from tests.docs.pages import PAGES, ROOT, blocks, prose, tables, words

from interlock.cli.main import app

TREE = typer.main.get_command(app)
SHELL = [
    (block.page, line)
    for page in PAGES
    for block in blocks(page, "sh")
    for part in block.body.splitlines()
    for line in part.split(" && ")
    if line.strip()
]


def _walk(command: click.Command, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """Every command that does something, by its words."""
    children = getattr(command, "commands", None)
    if children is None:
        return {path: command}
    return {name: leaf for word, child in children.items() for name, leaf in _walk(child, (*path, word)).items()}


COMMANDS = _walk(TREE)


def _parse(arguments: list[str]) -> None:
    """Parse without running. Raises click's UsageError for what does not exist."""
    context = click.Context(TREE)
    command: click.Command = TREE
    while (children := getattr(command, "commands", None)) is not None:
        if not arguments or arguments[0].startswith("-"):
            assert all(option in [*command.get_help_option_names(context), "--version"] for option in arguments)
            return
        assert arguments[0] in children, f"{arguments[0]} is not a command"
        command, arguments = children[arguments[0]], arguments[1:]
    command.make_context(command.name, list(arguments), parent=context, resilient_parsing=False)


@pytest.mark.parametrize(("page", "line"), SHELL, ids=[f"{page}-{line[:40]}" for page, line in SHELL])
def test_shell_lines(page: Path, line: str) -> None:
    parts = shlex.split(line, comments=True)
    program = Path(parts[0]).name
    if program == "interlock":
        _parse(parts[1:])
    elif program.startswith("python"):
        assert parts[1] == "-m"
        # pip is the machine's: the environment that the README makes has none.
        assert parts[2] == "pip" or importlib.util.find_spec(parts[2]) is not None, parts[2]
    elif program == "pip":
        assert parts[1] == "install"
    else:
        assert parts[0] in (".", "export"), f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_in_sentences(page: Path) -> None:
    for code in words(prose(page)):
        parts = shlex.split(code) if re.match(r"(\.venv/bin/)?interlock ", code) else []
        command: click.Command = TREE
        for word in parts[1:]:
            children = getattr(command, "commands", None)
            if children is None or word.startswith("-"):
                options = {option for parameter in command.params for option in parameter.opts}
                assert not word.startswith("--") or word in options, f"{page}: {code}"
            else:
                assert word in children, f"{page}: {code}"
                command = children[word]


def test_every_command_is_documented_and_no_other() -> None:
    rows = tables("docs/operators.md")["Commands"][1:]
    documented = {tuple(code.split()[1:]) for row in rows for code in words(row[0])}
    assert documented == set(COMMANDS)


def test_options_of_the_table_exist() -> None:
    for row in tables("docs/operators.md")["Commands"][1:]:
        for code in words(row[0]):
            options = {option for parameter in COMMANDS[tuple(code.split()[1:])].params for option in parameter.opts}
            for option in words(row[1]):
                assert not option.startswith("--") or option in options, f"{code} {option}"


def test_every_command_explains_itself() -> None:
    for path, command in COMMANDS.items():
        assert command.help, path
        for parameter in command.params:
            shown = getattr(parameter, "help", None)
            assert shown or parameter.name == "state", f"{' '.join(path)} {parameter.name}"


def test_every_variable_of_the_environment_is_documented() -> None:
    found = {
        variable
        for command in COMMANDS.values()
        for parameter in command.params
        for variable in ([parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ())
    }
    documented = {words(row[0])[0] for row in tables("docs/configuration.md")["The environment"][1:]}
    assert documented == found
    in_code = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"\"(INTERLOCK_[A-Z]+)\"", path.read_text(encoding="utf-8"))
    }
    assert in_code == documented
