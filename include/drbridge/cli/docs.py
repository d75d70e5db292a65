"""`drbridge docs`: writes the generated pages anew, or tells which are stale."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from click import Command, Context, Group, Option, Parameter
from typer.main import get_command

from drbridge.cli.contract_page import contracts_page
from drbridge.systems import DEFAULT_FILE, Flow, Store, load

ROOT = Path(__file__).resolve().parents[3]
NOTE = "<!-- Written by `make docs`. Change what it is made from, not this page. -->\n\n"


def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a page is stale.")] = False,
) -> None:
    """Writes docs/flows.md, docs/contracts.md and docs/cli.md from the DAGs, the contracts and this command line.

    Example: drbridge docs --check
    """
    stale = []
    for name, write in PAGES.items():
        page, text = ROOT / "docs" / name, NOTE + write()
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            page.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    if check and stale:
        print(f"Stale: {', '.join(stale)}. Run: make docs")
        raise typer.Exit(1)


def flows_page() -> str:
    """The page of all flows: what each DAG's own page says, and where systems.toml sends it."""
    systems = load(DEFAULT_FILE)
    parts = ["# The flows\n\nOne DAG each. The text is the one an operator sees in the Airflow UI.\n"]
    for path in sorted((ROOT / "dags").rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        parts.append(f"\n## `{path.stem}`\n\n{text.strip()}\n")
        if flow := systems.flows.get(path.stem):
            parts.append(_wiring(flow, systems.stores))
    return "".join(parts)


def _wiring(flow: Flow, stores: dict[str, Store]) -> str:
    to = ", ".join(f"`{name}`" + (f" ({stores[name].url})" if name in stores else "") for name in flow.deliver)
    prefixes = ", ".join(f"`{prefix}*` ({noun})" for prefix, noun in flow.prefixes.items())
    answer = f" · answers to `{flow.answer}`" if flow.answer else ""
    releases = ", ".join(sorted(flow.profiles))
    return f"\n*As shipped:* from `{flow.source}`, files {prefixes} · to {to}{answer} · releases {releases}\n"


def cli_page() -> str:
    """The page of the command line: every command, its options, its example."""
    from drbridge.cli import app  # the page describes the app that this command is part of

    command = get_command(app)
    parts = [f"# The command line\n\n{command.help}\n"]
    with Context(command, info_name="drbridge") as context:
        parts += _pages_of(command, context)
    return "".join(parts)


def _pages_of(command: Command, context: Context) -> list[str]:
    if not isinstance(command, Group):
        return [_page_of(command, context)]
    parts: list[str] = []
    for name in sorted(command.commands):
        child = command.commands[name]
        with Context(child, info_name=name, parent=context) as inner:
            parts += _pages_of(child, inner)
    return parts


def _page_of(command: Command, context: Context) -> str:
    text, _, example = (command.help or "").partition("Example: ")
    lines = [f"\n## `{context.command_path}`\n\n{' '.join(text.split())}\n"]
    if example:
        lines.append(f"\n```console\n$ {example.strip()}\n```\n")
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        lines.append("\n| argument or option | what it does |\n|---|---|\n" + "".join(rows))
    return "".join(lines)


def _row(parameter: Parameter) -> str:
    name = ", ".join(parameter.opts) if isinstance(parameter, Option) else (parameter.name or "").upper()
    return f"| `{name}` | {getattr(parameter, 'help', '') or ''} |\n"


PAGES: dict[str, Callable[[], str]] = {"flows.md": flows_page, "contracts.md": contracts_page, "cli.md": cli_page}
