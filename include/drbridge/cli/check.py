"""`drbridge check`: what would become of a file, without any server."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from polars.exceptions import PanicException
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from typer.core import TyperCommand

from drbridge.checks import FileCheck, FileReport, Limits
from drbridge.contracts import CONTRACTS, Contract, Problem
from drbridge.errors import DrBridgeError
from drbridge.spans import OpenFile, Spans, read_some
from drbridge.systems import load

EXIT_CODES = {"accepted": 0, "accepted_with_rejects": 1, "refused": 2}
NO_VERDICT = 3
USAGE_EXIT_CODE = 2  # what Typer says by itself
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
SHOWN_PROBLEMS = 20
CHUNK = 1 << 20


class CheckCommand(TyperCommand):
    """A command that says wrong usage with exit code 3, for 0, 1 and 2 are verdicts."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except Exception as error:
            if getattr(error, "exit_code", None) == USAGE_EXIT_CODE:
                vars(error)["exit_code"] = NO_VERDICT
            raise


class PipeConsole(Console):
    """A console that leaves a closed pipe to us; rich would exit with 1, which is a verdict."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def check(
    flow: Annotated[str, typer.Argument(help=f"What the file holds: {', '.join(CONTRACTS)}.")],
    file: Annotated[Path, typer.Argument(help="The file; it may be gzip or zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")] = False,
) -> None:
    """Checks a file as a flow would, and says what is wrong with it, line by line. No server is needed.

    Exit code 0: accepted. 1: some rows are refused. 2: refused. 3: there is no verdict, and one line says why.

    Example: drbridge check device_score SDCSE_0042_00.csv
    """
    with _verdict_or_reason(file):
        contract = CONTRACTS.get(flow)
        if contract is None:
            raise _no_verdict(f"{flow!r} is not known. Say one of: {', '.join(CONTRACTS)}.")
        if not file.is_file():
            raise _no_verdict(f"{shown(file)} is not a file.")
        with tempfile.TemporaryDirectory(prefix="drbridge-check-") as workdir:
            checked = _file_check(contract, Path(workdir))
            _read(checked, file)
            report = checked.report()
            with _written_out():
                _print_json(flow, file, report) if as_json else _print_for_people(flow, file, report)
    raise typer.Exit(EXIT_CODES[report.verdict])


def shown(file: Path) -> str:
    """A file's name on one line: what cannot be printed is spelled out."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(file))


@contextmanager
def _verdict_or_reason(file: Path) -> Iterator[None]:
    """Says in one line why there is no verdict; a traceback would end with 1, which is a verdict.

    SIGTERM unwinds the check as Ctrl-C does, so that its work folder goes.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt as error:
        raise _no_verdict("Stopped before the end.") from error
    except DrBridgeError as error:
        raise _no_verdict(str(error)) from error
    except OSError as error:
        raise _no_verdict(_reason(file, error)) from error
    except (Exception, PanicException) as error:
        raise _no_verdict(f"{shown(file)} cannot be checked, by a fault of drbridge: {error!r}") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def _reason(file: Path, error: OSError) -> str:
    if error.errno in DISK_IS_FULL:
        return f"No room is left in {tempfile.gettempdir()}: free some, or set TMPDIR to a folder that has it."
    return f"{shown(file)} cannot be checked: {error.strerror or error}."


def _no_verdict(text: str) -> typer.Exit:
    print(" ".join(text.split()), file=sys.stderr)
    return typer.Exit(NO_VERDICT)


@contextmanager
def _written_out() -> Iterator[None]:
    """Has what is printed arrive, or says that it did not; a reader who has gone away needs no words."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries again at its end
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(NO_VERDICT) from error
        raise _no_verdict(f"The result cannot be written: {error.strerror or error}.") from error


def _file_check(contract: Contract, workdir: Path) -> FileCheck:
    """A check with the limits and the delimiter that systems.toml sets."""
    systems = load()
    site, noun = systems.site, contract.noun
    delimiter = next((flow.delimiter for flow in systems.flows.values() if noun in flow.prefixes.values()), ",")
    limits = Limits(max_bytes=site.max_file_bytes, max_unpacked_bytes=site.max_unpacked_bytes)
    return FileCheck(contract, workdir=workdir, now=datetime.now(UTC), delimiter=delimiter, limits=limits)


def _read(checked: FileCheck, file: Path) -> None:
    """Reads the file to its end; on a terminal a bar shows how far it is."""
    console = Console(stderr=True)
    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("checking", total=file.stat().st_size)
        for _ in checked.blocks(_opener(file, lambda size: progress.advance(task, size))):
            pass


def _opener(file: Path, on_read: Callable[[int], None]) -> OpenFile:
    @contextmanager
    def open_file(spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        with file.open("rb") as source:
            yield chunks(source) if spans is None else read_some(source, spans, CHUNK)

    def chunks(source: BinaryIO) -> Iterator[bytes]:
        while data := source.read(CHUNK):
            on_read(len(data))
            yield data

    return open_file


def _problems(report: FileReport) -> Iterator[Problem]:
    """Why the file is refused whole, if it is, and then what is wrong with its rows."""
    if report.refusal is not None:
        yield Problem(report.refusal.line or 0, "", report.refusal.code, str(report.refusal))
    yield from report.problems()


def _print_json(flow: str, file: Path, report: FileReport) -> None:
    """One object; problems are written as they are read, however many there are."""
    head = {
        "flow": flow, "file": str(file), "sha256": report.sha256, "bytes": report.bytes, "rows": report.rows,
        "accepted": report.accepted, "rejected": report.rejected, "duplicate": report.duplicate,
        "verdict": report.verdict,
    }  # fmt: skip
    out = sys.stdout
    out.write(json.dumps(head)[:-1])
    for name, found in (("problems", _problems(report)), ("warnings", report.warnings())):
        out.write(f', "{name}": [')
        for number, each in enumerate(found):
            told = {"line": each.line, "field": each.field, "code": each.code, "text": each.text}
            out.write((", " if number else "") + json.dumps(told))
        out.write("]")
    out.write("}\n")


def _print_for_people(flow: str, file: Path, report: FileReport) -> None:
    console = PipeConsole()
    colour = {"accepted": "green", "accepted_with_rejects": "yellow", "refused": "red"}[report.verdict]
    console.print(f"[bold {colour}]{report.verdict.replace('_', ' ')}[/]  {escape(shown(file))}  ({flow})")
    if report.refusal is not None:
        console.print(f"[red]{escape(str(report.refusal))}[/]")
    console.print(
        f"{report.rows:,} rows: {report.accepted:,} accepted, {report.rejected:,} refused, "
        f"{report.duplicate:,} repeated; {report.bytes:,} bytes, sha256 {report.sha256}"
    )
    _print_table(console, "What is wrong", report.problems(), sum(report.problem_counts.values()))
    _print_table(console, "Worth knowing", report.warnings(), sum(report.warning_counts.values()))


def _print_table(console: Console, title: str, found: Iterator[Problem], total: int) -> None:
    if not total:
        return
    shown = f" (the first {SHOWN_PROBLEMS} of {total:,})" if total > SHOWN_PROBLEMS else ""
    table = Table("line", "field", "code", "text", title=title + shown, title_justify="left")
    for each in islice(found, SHOWN_PROBLEMS):
        table.add_row(str(each.line), escape(each.field), each.code, escape(each.text))
    console.print(table)


__all__ = ["CheckCommand", "check"]
