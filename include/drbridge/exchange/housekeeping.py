"""Housekeeping: what was settled long enough ago is forgotten, its content sooner than the facts."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from drbridge.contracts import FILES
from drbridge.exchange import uploads
from drbridge.exchange.desk import Desk
from drbridge.exchange.findings import Finding
from drbridge.exchange.staging import SWEEP_AFTER_SECONDS, touched_at
from drbridge.ledger import audit, retention
from drbridge.ledger.database import Ledger, Tx

DAY_SECONDS = 86_400.0
WHO = "housekeeping"
OURS = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Swept:
    """What was deleted.

    Attributes:
        contents: of messages, sealed.
        folders: of staged rows.
        posted: files of the inbox that had their verdict, and lists of their refused rows.
        facts: files and messages of which nothing is known any more.
        standings: what other systems have of things that nothing speaks of any more.
        looks: notes of looks at sources, of what runs were given, and of leases.
        uploads: lost ones, each with its parts or its hidden file.
        unreached: places that lost uploads could not be looked for at.
    """

    contents: int = 0
    folders: int = 0
    posted: int = 0
    facts: int = 0
    standings: int = 0
    looks: int = 0
    uploads: int = 0
    unreached: tuple[Finding, ...] = ()

    @property
    def in_words(self) -> str:
        """For a person; empty when nothing was deleted."""
        counts = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "unreached"}
        return ", ".join(f"{name}: {count}" for name, count in counts.items() if count)


def sweep(desk: Desk) -> Swept:
    """Deletes what may go, in small steps: whoever works on the ledger meanwhile waits for none of them for long.

    Nothing goes that is open, parked or held, or of which an answer is owed.
    """
    keep, now = desk.systems.keep, desk.clock.now().timestamp()
    facts, contents, staged = (
        now - days * DAY_SECONDS for days in (keep.facts_days, keep.payload_days, keep.staging_days)
    )
    cleared = uploads.clear(desk)
    done = Swept(
        contents=_by_steps(desk.ledger, lambda tx: retention.empty_messages(tx, contents)),
        folders=_sweep_staging(desk, staged),
        posted=_sweep_inbox(desk, staged),
        facts=_by_steps(desk.ledger, lambda tx: retention.forget_intakes(tx, facts)),
        standings=_by_steps(desk.ledger, lambda tx: retention.forget_standings(tx, facts)),
        looks=_once(desk.ledger, lambda tx: retention.forget_looks(tx, staged)),
        uploads=cleared.uploads,
        unreached=cleared.unreached,
    )
    if done.in_words:
        kept = f"kept: facts {keep.facts_days}, contents {keep.payload_days}, staged rows {keep.staging_days} days"
        with desk.ledger.write() as tx:
            audit.note(tx, WHO, "delete", done.in_words, kept)
    return done


def _once(ledger: Ledger, step: Callable[[Tx], int]) -> int:
    with ledger.write() as tx:
        return step(tx)


def _by_steps(ledger: Ledger, step: Callable[[Tx], int]) -> int:
    """Each step is a transaction of its own; the first that finds nothing is the last."""
    return sum(iter(lambda: _once(ledger, step), 0))


def _sweep_staging(desk: Desk, before: float) -> int:
    """Removes what was staged of settled files, and what a day later belongs to no file that is known."""
    desk.staging.sweep()
    swept = 0
    for noun, folders in _staged(desk):
        with desk.ledger.read() as tx:
            known, kept = retention.staged(tx, noun.name, before)
        for folder in folders:
            is_over = folder.name in known - kept
            if is_over or (folder.name not in known and _is_stale(folder)):
                shutil.rmtree(folder, ignore_errors=True)
                swept += 1
    return swept


def _staged(desk: Desk) -> Iterator[tuple[Path, list[Path]]]:
    """The folders of each noun that are there now; whatever else lies under the root is not ours."""
    for noun in FILES:
        place = desk.staging.root / noun
        yield place, [folder for folder in place.glob("*") if OURS.fullmatch(folder.name)]


def _is_stale(folder: Path) -> bool:
    newest = max(touched_at(path) for path in (folder, *folder.iterdir()))
    return newest < time.time() - SWEEP_AFTER_SECONDS


def _sweep_inbox(desk: Desk, before: float) -> int:
    """Removes posted files that have had their verdict, and the lists of their refused rows."""
    files = [path for path in desk.staging.inbox.rglob("*") if path.is_file() and touched_at(path) < before]
    over = [path for path in files if desk.systems.is_marked(path.name) or path.parent.name == "rejects"]
    for path in over:
        path.unlink(missing_ok=True)
    return len(over)
