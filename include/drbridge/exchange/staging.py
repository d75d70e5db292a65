"""Staging: what was taken in, kept as Parquet until it is delivered and for as long as it may be asked for again.

    <root>/<noun>/<sha256>/<verdict>/00000.parquet ...   parts, of one stretch or several, never changed
                                     00000.ids.parquet   the ids in it, sorted, so that few parts are read to find one
                                     excluded.parquet    rows that the end showed to be duplicates or contradictory
                                     superseded-*        rows that a newer file had settled, per destination and sending
                                     rejects.csv         every refused row: line, field, code, text, the row as it came
                                     manifest.json       written last: a folder with one is whole
    <root>/inbox/                                        files that came by REST, for the flows that take them
    <root>/tmp/                                          work under way, swept after a day

The same bytes may be judged twice: on another day, by other rules, for other destinations. The verdict is a hash of
what was accepted and kept, so that a delivery finds the rows that its own check staged (decision 0010). Rows are
numbered from 0 in the order of the file; parcels point at ranges of these numbers.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

import polars as pl

from drbridge.checks import CheckedBlock, FileReport
from drbridge.contracts import Contract
from drbridge.errors import Interrupted, Misconfigured
from drbridge.exchange import part_index
from drbridge.ledger.database import home

SWEEP_AFTER_SECONDS = 24 * 3600.0
PART_BYTES = 2_000_000  # in memory, at least: where only ids are staged, several stretches make a part


@dataclass(frozen=True)
class Need:
    """What the destinations of a noun need staged: the bytes of each line, the fields of each row, or only its ids.

    Ids (the contract's key and every column called ...Id) are always staged: `trace` finds rows by them.
    """

    raw: bool = False
    fields: bool = False

    def __or__(self, other: Need) -> Need:
        return Need(self.raw or other.raw, self.fields or other.fields)


@dataclass(frozen=True)
class Part:
    """One Parquet part: the staged rows [first_row, first_row + rows)."""

    name: str
    first_row: int
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What a staged folder holds."""

    noun: str
    sha256: str
    header: bytes
    rows: int
    parts: tuple[Part, ...]
    delimiter: str = ","
    verdict: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"header": base64.b64encode(self.header).decode()}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        data = json.loads(text)
        parts = tuple(Part(**part) for part in data.pop("parts"))
        return cls(**data | {"header": base64.b64decode(data["header"]), "parts": parts})


class Staging:
    """The staging area: DRBRIDGE_STAGING, a folder all workers see, by default under `home()`.

    Raises:
        Misconfigured: the address is not a `file://` folder.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or os.environ.get("DRBRIDGE_STAGING") or (home() / "staging").as_uri()
        address = urlsplit(self.url)
        if address.scheme != "file" or address.netloc or not address.path.startswith("/"):
            raise Misconfigured(
                f"DRBRIDGE_STAGING is {self.url}, which is no folder",
                fix="write it as file:///folder, with three slashes, on a disk that all workers share",
            )
        self.root = Path(unquote(address.path))

    @property
    def inbox(self) -> Path:
        """Where the inbox lays files that came by REST, until their flow has taken them."""
        return self.root / "inbox"

    def folder(self, noun: str, sha256: str, verdict: str) -> Path:
        return self.root / noun / sha256 / verdict

    def open(self, noun: str, sha256: str, verdict: str) -> StagedFile | None:
        """What a check staged of these bytes, or None when it is not there."""
        manifest = self.folder(noun, sha256, verdict) / "manifest.json"
        return StagedFile(manifest.parent) if manifest.exists() else None

    def found(self, noun: str, sha256: str, verdict: str, name: str) -> StagedFile:
        """What was staged of the file called `name`.

        Raises:
            Interrupted: it is not there (another machine's disk, or swept).
        """
        staged = self.open(noun, sha256, verdict)
        if staged is None:
            raise Interrupted(
                f"What was staged of {name} is not to be found",
                detail=str(self.folder(noun, sha256, verdict)),
                fix="make sure that all workers see the same DRBRIDGE_STAGING; where the file was settled more than "
                "staging_days ago (systems.toml), it is gone for good: have it sent anew with other content",
            )
        return staged

    def begin(self, contract: Contract, need: Need, delimiter: str = ",") -> StagingRun:
        """Starts staging one file in a working folder of its own; those that killed workers left are cleared away."""
        self.sweep()
        folder = self.root / "tmp" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return StagingRun(self, folder, contract, need, delimiter)

    def sweep(self) -> int:
        """Removes working folders that nobody has touched for a day; returns how many."""
        old = time.time() - SWEEP_AFTER_SECONDS
        work = self.root / "tmp"
        stale = [path for path in work.glob("*") if touched_at(path) < old]
        for path in stale:
            shutil.rmtree(path, ignore_errors=True)
        return len(stale)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns what the disk says into errors of ours."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:
        code = _code_of(error)
        if code is None:
            raise
        if code in (errno.ENOSPC, errno.EDQUOT):
            raise Interrupted(
                "The disk under the staging folder is full", str(folder), "make room; the work goes on by itself"
            ) from error
        raise Misconfigured(
            "The staging folder cannot be worked in",
            detail=f"{folder}: {error}",
            fix="see that DRBRIDGE_STAGING is a folder that every worker may write to, and that nothing of it is gone",
        ) from error


def _code_of(error: Exception) -> int | None:
    """The system's number for a failure; polars tells it in words only."""
    told = re.search(r"\(os error (\d+)\)", str(error))
    return getattr(error, "errno", None) or (int(told[1]) if told else None)


def touched_at(path: Path) -> float:
    """When a file or folder was last changed; never, for one that is gone meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


class StagingRun:
    """One file being staged; `publish` makes it whole and visible, `discard` leaves nothing.

    A part is written by a thread of its own while what comes after it is being checked.
    """

    def __init__(self, staging: Staging, folder: Path, contract: Contract, need: Need, delimiter: str) -> None:
        self.staging, self.folder, self.contract, self.need, self.delimiter = staging, folder, contract, need, delimiter
        self.parts: list[Part] = []
        self.rows = 0
        self._verdict = sha256(f"{need} {delimiter}".encode())
        self._waiting: list[pl.DataFrame] = []
        self._writer, self._last = ThreadPoolExecutor(1, "staging"), Future[None]()
        self._last.set_result(None)

    @property
    def check_folder(self) -> Path:
        """Where the check keeps what does not fit into memory."""
        return self.folder / "check"

    def write(self, block: CheckedBlock) -> None:
        """Adds rows; a failure is told at the next ones, or by `publish`."""
        self._last.result()
        self._last = self._writer.submit(self._add, block)

    def _add(self, block: CheckedBlock) -> None:
        self._verdict.update(block.frame["line"].to_numpy().tobytes())
        self._waiting.append(self._kept(block))
        if sum(each.estimated_size() for each in self._waiting) >= PART_BYTES:
            self._write_part()

    def _kept(self, block: CheckedBlock) -> pl.DataFrame:
        """What is staged of some rows."""
        frame = block.frame
        always = {*self.contract.key, *self.contract.kept, *self.contract.ids}
        ids = [name for name in frame.columns if name in always or name.endswith("Id")]
        kept = frame if self.need.fields else frame.select("line", *ids)
        return kept.with_columns(block.raw().alias("raw")) if self.need.raw else kept

    def _write_part(self) -> None:
        """Writes what waits as one part."""
        if not self._waiting:
            return
        rows, self._waiting = pl.concat(self._waiting), []
        part = Part(f"{len(self.parts):05d}.parquet", self.rows, rows.height)
        rows.write_parquet(self.folder / part.name, compression="zstd", compression_level=1)
        part_index.write(self.folder / part.name, rows, self.contract.ids)
        self.parts.append(part)
        self.rows += rows.height

    def publish(self, report: FileReport) -> StagedFile:
        """Names the folder by content and verdict, manifest last; a twin that was faster wins, with the same rows."""
        self._last.result()
        self._write_part()
        self._writer.shutdown()
        report.excluded.write_parquet(self.folder / "excluded.parquet")
        shutil.move(report.rejects_path, self.folder / "rejects.csv")
        shutil.rmtree(self.check_folder)
        verdict = self._verdict_with(report)
        noun, parts = self.contract.noun, tuple(self.parts)
        manifest = Manifest(noun, report.sha256, report.header, self.rows, parts, self.delimiter, verdict)
        (self.folder / "manifest.json").write_text(manifest.to_json())
        _sync_tree(self.folder)
        target = self.staging.folder(self.contract.noun, report.sha256, verdict)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.rename(target)
        except OSError:
            if not (target / "manifest.json").exists():
                raise
            target.touch()
            self.discard()
        return StagedFile(target)

    def _verdict_with(self, report: FileReport) -> str:
        whole = self._verdict.copy()
        whole.update(f"{self.contract.names_within(report.columns)}".encode())
        whole.update(report.excluded["line"].to_numpy().tobytes())
        whole.update(json.dumps(sorted(report.problem_counts.items())).encode())
        return whole.hexdigest()[:12]

    def discard(self) -> None:
        self._writer.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


def view_of(destination: str, generation: int) -> str:
    """What of a file is live at a destination, in its first sending or a later one: newer files overtake rows."""
    return f"{destination}.{generation}" if generation else destination


def _sync_tree(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class StagedFile:
    """A file in staging: its rows by number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def manifest(self) -> Manifest:
        return Manifest.from_json((self.folder / "manifest.json").read_text())

    @cached_property
    def excluded_lines(self) -> pl.Series:
        return pl.read_parquet(self.folder / "excluded.parquet")["line"]

    @property
    def part_paths(self) -> list[Path]:
        return [self.folder / part.name for part in self.manifest.parts]

    @property
    def rejects(self) -> Path:
        return self.folder / "rejects.csv"

    def superseded_lines(self, view: str) -> pl.Series:
        """Lines of this file that a newer one had already settled when its parcels for the view were cut."""
        path = self._superseded_path(view)
        return pl.read_parquet(path)["line"] if path.exists() else pl.Series("line", [], pl.UInt32)

    def supersede(self, view: str, lines: pl.Series) -> None:
        """Keeps which lines a newer file has overtaken; they are left out of every parcel of the view.

        Says it anew even when there are none: what a cut that was rolled back left here counts no more.
        """
        path = self._superseded_path(view)
        draft = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        with explained(self.folder):
            pl.DataFrame({"line": lines}).write_parquet(draft)
            draft.replace(path)

    def _superseded_path(self, view: str) -> Path:
        return self.folder / f"superseded-{view}.parquet"

    def frames(
        self, view: str, first: int = 0, last: int | None = None, columns: list[str] | None = None
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        """The live rows in [first, last], part by part: the number of the part's first row, and a frame with `row`."""
        last = self.manifest.rows - 1 if last is None else last
        overtaken = self.superseded_lines(view)
        for part in self.manifest.parts:
            if part.first_row > last or part.first_row + part.rows <= first:
                continue
            frame = self._part(part, columns).with_row_index("row", offset=part.first_row)
            frame = frame.filter(pl.col("row").is_between(first, last))
            if self.excluded_lines.len():
                frame = frame.filter(~pl.col("line").is_in(self.excluded_lines.implode()))
            if overtaken.len():
                frame = frame.filter(~pl.col("line").is_in(overtaken.implode()))
            yield part.first_row, frame

    def _part(self, part: Part, columns: list[str] | None) -> pl.DataFrame:
        wanted = None if columns is None else list(dict.fromkeys(["line", *columns]))
        with explained(self.folder):
            return pl.read_parquet(self.folder / part.name, columns=wanted)

    def bytes_between(self, view: str, first: int, last: int) -> int:
        """How many bytes `content` gives: the header and the live lines."""
        frames = self.frames(view, first, last, ["raw"])
        return len(self.manifest.header) + sum(int(frame["raw"].bin.size().sum()) for _, frame in frames)

    def content(self, view: str, first: int, last: int) -> Iterator[bytes]:
        """The header and the live lines of [first, last], bytes as they came."""
        yield self.manifest.header
        for _, frame in self.frames(view, first, last, ["raw"]):
            yield b"".join(frame["raw"].to_list())
