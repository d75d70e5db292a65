"""`drbridge docs`: writes the generated pages anew, or tells which are stale."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

import typer
from typer.models import OptionInfo, ParameterInfo

from drbridge.cli.contract_page import contracts_page
from drbridge.cli.performance_page import performance_page
from drbridge.cli.settings_page import settings_page
from drbridge.systems import DEFAULT_FILE, Flow, Store, load

ROOT = Path(__file__).resolve().parents[3]
NOTE = "<!-- Written by `make docs`. Change what it is made from, not this page. -->\n\n"


def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a page is stale.")] = False,
) -> None:
    """Writes the generated pages in docs/: flows, contracts, settings, figures and this command line.

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
    what = f"from `{flow.source}`, files {prefixes}" if flow.source else f"messages `{flow.message}` of the inbox"
    answer = f" · answers to `{flow.answer}`" if flow.answer else ""
    releases = ", ".join(sorted(flow.profiles))
    return f"\n*As shipped:* {what} · to {to}{answer} · releases {releases}\n"


def cli_page() -> str:
    """The page of the command line: every command, its arguments and options, its example."""
    from drbridge.cli import app  # the page describes the app that this command is part of

    parts = [f"# The command line\n\n{app.info.help}\n"]
    return "".join(parts + [command.page() for command in commands_of(app, "drbridge")])


@dataclass(frozen=True)
class CommandDocs:
    """One command, as its page shows it.

    Attributes:
        what: what it does, in words.
        example: how it is called.
        parameters: each argument and option, and what it does.
    """

    name: str
    what: str
    example: str
    parameters: tuple[tuple[str, str], ...]

    def page(self) -> str:
        """Its part of the page."""
        rows = "".join(f"| `{name}` | {text} |\n" for name, text in self.parameters)
        table = f"\n| argument or option | what it does |\n|---|---|\n{rows}" if rows else ""
        return f"\n## `{self.name}`\n\n{self.what}\n\n```console\n$ {self.example}\n```\n{table}"


def commands_of(app: typer.Typer, path: str) -> list[CommandDocs]:
    """All commands of an app and of the groups in it, by name."""
    found = []
    for command in app.registered_commands:
        assert command.callback is not None
        if not command.hidden:
            name = command.name or command.callback.__name__.replace("_", "-")
            found.append(_documented(f"{path} {name}", command.callback))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found += commands_of(group.typer_instance, f"{path} {group.name}")
    return sorted(found, key=lambda each: each.name)


def _documented(name: str, callback: Callable[..., object]) -> CommandDocs:
    what, _, example = (inspect.getdoc(callback) or "").partition("Example:")
    hints = get_type_hints(callback, include_extras=True)
    told = tuple(
        (_written(parameter, info), info.help or "")
        for parameter, hint in hints.items()
        for info in getattr(hint, "__metadata__", ())
        if isinstance(info, ParameterInfo)
    )
    return CommandDocs(name, " ".join(what.split()), example.strip(), told)


def _written(parameter: str, info: ParameterInfo) -> str:
    if isinstance(info, OptionInfo):
        # In an annotation, typer keeps the first spelling where a default would stand.
        spelled = [info.default] if isinstance(info.default, str) and info.default.startswith("-") else []
        return ", ".join([*spelled, *(info.param_decls or [])]) or f"--{parameter.replace('_', '-')}"
    return parameter.upper()


PAGES: dict[str, Callable[[], str]] = {
    "flows.md": flows_page, "contracts.md": contracts_page, "cli.md": cli_page, "settings.md": settings_page,
    "performance.md": performance_page,
}  # fmt: skip
