"""What is worth telling people: written down in the ledger beside the work, sent from there by `tell`.

Technical errors are for the owners, results of files for the business users (guide 23C, notification properties). No
notice holds a row's values or another system's words: it has names of files, counts, codes and sentences of our own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from drbridge.contracts.problems import CODES
from drbridge.errors import DrBridgeError
from drbridge.exchange.desk import Desk
from drbridge.ledger import intakes, parcels, targets
from drbridge.ledger import notices as kept
from drbridge.ledger.database import Tx
from drbridge.ledger.deliveries import Balance
from drbridge.ledger.states import ParcelState
from drbridge.settings import NoticeKind
from drbridge.systems import Endpoint, Flow, Systems

DAY_SECONDS = 86_400.0
LONGEST_LINE = 500
MOST_CODES = 3
IN_PART = "correct the rows in `rejects/` beside the source at their origin, and have them sent in a new file"
NOT_AT_ALL = "correct the file at its origin, and have it sent again"
A_MESSAGE, AN_ANSWER = "a message did not go through", "the answer to a message did not go through"
READ_THE_LOG = "open the link and read the end of the log; if it says nothing to you, show it to whoever runs Airflow"
CODES_OF_DELIVERIES = {
    "over_threshold": "more rows are refused than the threshold allows",
    "refused": "refused by the other side",
}


@dataclass(frozen=True)
class Seen:
    """A file at its verdict: its name, its intake, and its deliveries by one flow.

    Attributes:
        generation: grows when a person has it sent again, which is told again.
        balances: by destination.
    """

    name: str
    intake: Row[Any]
    deliveries: Sequence[int]
    generation: int
    balances: Mapping[str, Balance]


@dataclass(frozen=True)
class Failure:
    """A task that gave up.

    Attributes:
        task: its name in the flow.
        file: the file it worked on, if it works on one.
        link: its page, after Airflow's address.
        calls_targets: it sends to REST targets, so that their outages are its failures.
    """

    flow: str
    task: str
    error: BaseException | None
    file: str = ""
    link: str = ""
    calls_targets: bool = False


def of_file(desk: Desk, flow: Flow, seen: Seen, state: str, fix: str) -> None:
    """A file has its verdict: the business users learn what became of it, the owners if something must be done."""
    if not desk.systems.notify.is_on or state not in ("settled", "refused", "needs_person"):
        return
    counts = "; ".join(f"{to}: {balance.in_words}" for to, balance in seen.balances.items())
    once = (flow.name, str(seen.intake.id), str(seen.generation), state)
    with desk.ledger.write() as tx:
        facts = {"subject": f"{seen.name} ({counts})", "why": _why(tx, seen), "link": f"dags/{flow.name}"}
        if state != "settled":
            what = "a file was refused" if state == "refused" else "a file waits for a person"
            _add(tx, desk.systems, "error", flow.name, once, what=what, fix=fix, **facts)
        if state == "settled" and not any(each.rejected for each in seen.balances.values()):
            _add(tx, desk.systems, "complete", flow.name, once, what="", fix="", **facts | {"why": ""})
        elif state != "needs_person":
            fix = IN_PART if state == "settled" else NOT_AT_ALL
            _add(tx, desk.systems, "partial", flow.name, once, what="", fix=fix, **facts)


def of_nothing(desk: Desk, flow_name: str) -> None:
    """The clock's run found nothing: told once for a day in which no file of the flow was seen."""
    if not desk.systems.notify.is_on:
        return
    flow, today = desk.systems.flow(flow_name), desk.clock.now().date().isoformat()
    with desk.ledger.write() as tx:
        if any(flow.noun_of(name) for name in intakes.names_seen(tx, flow.source, DAY_SECONDS)):
            return
        _add(
            tx, desk.systems, "no_file", flow.name, (flow.name, today), what="no file came within a day", subject="",
            why=f"nothing whose name begins with {', '.join(flow.prefixes)} was seen in {flow.source} for 24 hours",
            fix="ask the sender whether one was due; it is taken as soon as it comes", link=f"dags/{flow.name}",
        )  # fmt: skip


def of_message(desk: Desk, tx: Tx, flow: str, number: str, code: str, fix: str, what: str = A_MESSAGE) -> None:
    """A message, or the answer to it, was refused or waits for a person: the owners are told, once for each code.

    Args:
        tx: the transaction in which that is written down.
        number: what its sender was told it is called; never the sender's own, nor anything of what it says.
        code: why, as the ledger keeps it.
    """
    if not desk.systems.notify.is_on:
        return
    _add(
        tx, desk.systems, "error", flow, (flow, what, number, code), what=what, subject=number,
        why=_meaning(code), fix=fix, link=f"dags/{flow}",
    )  # fmt: skip


def of_failure(desk: Desk, failure: Failure) -> bool:
    """A task gave up: the owners are told of the first failure of an outage; says whether this is the first."""
    if not desk.systems.notify.is_on:
        return False
    ours = failure.error if isinstance(failure.error, DrBridgeError) else None
    fix = (ours.fix if ours else "") or READ_THE_LOG
    with desk.ledger.write() as tx:
        if down := _target_down(tx, desk.systems, failure):
            name, why = down
            once, what = ("target", name), f"{name} cannot be worked with"
            kept.forget(tx, _key("error", *once), until=targets.last_success(tx, name))
        else:
            once, what = (failure.flow, f"{failure.task} {failure.file}"), f"the task `{failure.task}` failed"
            why = ours.what if ours else f"it ended unexpectedly ({_kind(failure.error)})"
        return _add(
            tx, desk.systems, "error", failure.flow, once,
            what=what, subject=failure.file, why=why, fix=fix, link=failure.link,
        )  # fmt: skip


def works_again(desk: Desk, flow: str, task: str, file: str = "") -> None:
    """A task came through: the next time it fails is told again."""
    key = _key("error", flow, f"{task} {file}")
    with desk.ledger.read() as tx:
        if not kept.is_known(tx, key):
            return
    with desk.ledger.write() as tx:
        kept.forget(tx, key)


def printable(text: str, longest: int = LONGEST_LINE) -> str:
    """One line of text, whatever a file is called: line ends and other control characters become question marks."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _target_down(tx: Tx, systems: Systems, failure: Failure) -> tuple[str, str] | None:
    """The connection of the flow that does not work, with the reason that the ledger keeps."""
    flow = systems.flows.get(failure.flow)
    if flow is None or not failure.calls_targets:
        return None
    for name in flow.destinations:
        if isinstance(endpoint := systems.destination(name), Endpoint):
            health = targets.health(tx, endpoint.connection)
            if health.failures or health.stopped:
                return endpoint.connection, health.last_error or "it does not answer as agreed"
    return None


def _why(tx: Tx, seen: Seen) -> str:
    """The commonest codes of what was refused, in our own words."""
    if seen.intake.refusal_code:
        return _meaning(seen.intake.refusal_code)
    found = Counter(intakes.codes(tx, seen.intake.id))
    found.update(parcels.codes(tx, seen.deliveries, ParcelState.REJECTED, ParcelState.PARKED))
    refused = [(code, count) for code, count in found.most_common() if not _is_warning(code)]
    return "; ".join(f"{_meaning(code)} (rows: {count})" for code, count in refused[:MOST_CODES])


def _is_warning(code: str) -> bool:
    return code in CODES and CODES[code].about == "warning"


def _meaning(code: str) -> str:
    if known := CODES.get(code):
        return known.meaning
    if code.startswith("http_"):
        return f"the other side answered HTTP {code.removeprefix('http_')}"
    return CODES_OF_DELIVERIES.get(code) or code.replace("_", " ")


def _kind(error: BaseException | None) -> str:
    return "its process was ended" if error is None else type(error).__name__


def _key(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _add(tx: Tx, systems: Systems, kind: NoticeKind, flow: str, once: Iterable[str], **facts: str) -> bool:
    channels = systems.notify.channels(kind, flow)
    lines = {name: printable(text) for name, text in facts.items()}
    return kept.add(tx, _key(kind, *once), channels, kind=kind, flow=flow, **lines)
