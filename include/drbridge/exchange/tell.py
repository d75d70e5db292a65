"""Telling people what the ledger has written down for them: files of one flow in one message, each thing once.

A message that cannot go out now waits for the next round, a day at most. A worker that dies between sending and noting
it sends it once more, under the same number.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import Row

from drbridge.errors import DrBridgeError, RetryLater
from drbridge.exchange.desk import Desk
from drbridge.exchange.lanes import working_on
from drbridge.ledger import leases, notices
from drbridge.ledger.leases import Fenced, Lease
from drbridge.settings import NoticeKind

GIVEN_UP_AFTER_SECONDS = 86_400.0
MOST_MESSAGES_OF_A_ROUND = 20
MOST_SUBJECTS = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """One message: what happened, to which files or messages, why, what to do next, and where to look.

    Attributes:
        number: the same for the same message sent twice.
        title: the flow's.
        subjects: names of files or numbers of messages, at most 20.
        more: how many others there are.
        link: the page in Airflow's UI.
    """

    number: str
    kind: NoticeKind
    flow: str
    title: str
    what: str
    subjects: tuple[str, ...]
    more: int
    why: str
    fix: str
    link: str

    @property
    def heading(self) -> str:
        return f"[drbridge] {self.title}: {self.what}"

    @property
    def text(self) -> str:
        """The message as plain text; a line that would be empty is left out."""
        which = [*self.subjects, *([f"and {self.more} more"] if self.more else [])]
        lines = {
            "What": f"{self.title}: {self.what}", "Which": "\n       ".join(which),
            "Why": self.why, "Next": self.fix, "Link": self.link,
        }  # fmt: skip
        return "".join(f"{name + ':':6} {line}\n" for name, line in lines.items() if line)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Messenger(Protocol):
    """One way of telling."""

    def send(self, notice: Notice, recipients: Sequence[str]) -> None:
        """Sends one message.

        Raises:
            RetryLater: nothing can be sent this way now.
            DrBridgeError: this message cannot be sent.
        """
        ...


def tell(desk: Desk, messengers: Mapping[str, Messenger], base_url: str = "") -> int:
    """Sends what waits, by each way; returns how many messages went out. One worker at a time does it."""
    with desk.ledger.read() as tx:
        if not notices.any_untold(tx):
            return 0
    with working_on(desk, "notices") as lease:
        if lease is None:
            return 0
        _give_up_old_ones(desk)
        return sum(_tell_by(desk, channel, each, base_url, lease) for channel, each in messengers.items())


def _tell_by(desk: Desk, channel: str, messenger: Messenger, base_url: str, lease: Lease) -> int:
    with desk.ledger.read() as tx:
        groups = _grouped(notices.untold(tx, channel))
    sent = 0
    for rows in groups[:MOST_MESSAGES_OF_A_ROUND]:
        notice = _notice(desk, rows, base_url)
        try:
            messenger.send(notice, desk.systems.notify.recipients(notice.kind, notice.flow))
            with desk.ledger.write() as tx:
                leases.keep(tx, lease)
                notices.told(tx, [row.id for row in rows])
            sent += 1
        except Fenced:
            return sent
        except DrBridgeError as error:
            log.warning("Not told by %s yet: %s. %s", channel, notice.heading, error)
            if isinstance(error, RetryLater):
                return sent
    return sent


def _give_up_old_ones(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        late = notices.drop_older(tx, GIVEN_UP_AFTER_SECONDS)
    for row in late:
        log.error("Never told by %s: %s %s %s", row.channel, row.flow, row.what or row.kind, row.subject)


def _grouped(rows: Iterable[Row[Any]]) -> list[list[Row[Any]]]:
    """What belongs into one message: the files of a flow's runs; errors that are the same but for the file."""
    groups: dict[tuple[str, ...], list[Row[Any]]] = {}
    for row in rows:
        same = (row.what, row.why, row.fix) if row.kind in ("error", "no_file") else ()
        groups.setdefault((row.flow, *same), []).append(row)
    return list(groups.values())


def _notice(desk: Desk, rows: list[Row[Any]], base_url: str) -> Notice:
    first, flow = rows[0], desk.systems.flows.get(rows[0].flow)
    subjects = [row.subject for row in rows if row.subject]
    base = (desk.systems.notify.base_url or base_url).rstrip("/")
    notice = Notice(
        number=sha256("\n".join(row.key for row in rows).encode()).hexdigest()[:32], kind=first.kind, flow=first.flow,
        title=flow.title if flow else first.flow, what=first.what, subjects=tuple(subjects[:MOST_SUBJECTS]),
        more=len(subjects[MOST_SUBJECTS:]), why=first.why, fix=first.fix, link=f"{base}/{first.link}",
    )  # fmt: skip
    return notice if first.kind in ("error", "no_file") else _with_results(notice, rows)


def _with_results(notice: Notice, rows: list[Row[Any]]) -> Notice:
    """The message about files that came to their end: those not wholly delivered stand first."""
    in_part = [row for row in rows if row.kind == "partial"]
    names = list(_listed(rows, in_part))
    what = f"files delivered: {len(rows)} of {len(rows)}"
    if in_part:
        what = f"files delivered: {len(rows) - len(in_part)} of {len(rows)}, in part or not at all: {len(in_part)}"
    return replace(
        notice, kind="partial" if in_part else "complete", what=what, subjects=tuple(names[:MOST_SUBJECTS]),
        more=len(names[MOST_SUBJECTS:]), why=in_part[0].why if in_part else "",
        fix=in_part[0].fix if in_part else "nothing",
    )  # fmt: skip


def _listed(rows: list[Row[Any]], in_part: list[Row[Any]]) -> Iterator[str]:
    """Each file with its counts, and why not all of it went."""
    yield from (f"not whole: {row.subject}: {row.why}" for row in in_part)
    yield from (f"delivered: {row.subject}" for row in rows if row.kind == "complete")
