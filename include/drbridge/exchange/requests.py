"""Building the request of a parcel from what was staged or sealed: the same bytes each time it is built."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from threading import Lock

from drbridge.contracts import Message
from drbridge.exchange.acks import acknowledgement, what_became
from drbridge.exchange.desk import Desk
from drbridge.exchange.envelopes import envelope_of, find_envelope, waits_for_stage
from drbridge.exchange.operation import Address, Fields
from drbridge.exchange.operations import operation_of
from drbridge.exchange.outcomes import STAGE_IS_MISSING, judge_unbuilt
from drbridge.exchange.seal import opened
from drbridge.exchange.staging import StagedFile, view_of
from drbridge.ledger.parcels import Claim, Outcome
from drbridge.ports import Call, FilePart, JsonValue
from drbridge.systems import Endpoint

READ_AHEAD_ROWS = 10_000

_Where = tuple[int, int, int]


class Requests:
    """Builds the requests of one endpoint."""

    def __init__(self, desk: Desk, endpoint: Endpoint) -> None:
        self.desk, self.endpoint, self.operation = desk, endpoint, operation_of(endpoint)
        self._lock = Lock()
        self._window: tuple[_Where, int, dict[int, Fields]] | None = None
        self._found = lru_cache(maxsize=8)(desk.staging.found)

    def staged(self, claim: Claim) -> StagedFile:
        """What was staged of the parcel's file.

        Raises:
            Interrupted: it is not there.
        """
        return self._found(claim.noun, claim.sha256, claim.verdict, claim.file_name)

    async def built(self, claim: Claim) -> Call | Outcome:
        """The request of a parcel; or, since nothing was sent, an outcome that keeps one from stopping the others."""
        is_small = claim.sealed or self.operation.shape == "row"
        call = self._tried(claim) if is_small else await asyncio.to_thread(self._tried, claim)
        if isinstance(call, Outcome) or not self.operation.enveloped:
            return call
        is_early = waits_for_stage(self.desk, claim.file_name, claim.at - claim.opened_at)
        return STAGE_IS_MISSING if is_early else call

    def _tried(self, claim: Claim) -> Call | Outcome:
        try:
            call = self.build(claim)
            _ = call.content  # made here, not while the wire is held
            return call
        except Exception as error:
            return judge_unbuilt(error, claim)

    def build(self, claim: Claim) -> Call:
        """The request of a parcel; called from many threads."""
        match self.operation.shape:
            case "answer":
                return self._call(claim, self._answer(claim))
            case "message":
                return self._call(claim, self._of_message(claim))
            case "file":
                return Call(self.endpoint.method, self.endpoint.path, claim.key, file=self._attachment(claim))
        with self._lock:
            rows = self._rows(claim)
        return self._call(claim, Address(self._body(claim, rows), names=rows[0]))

    def question(self, claim: Claim) -> Call:
        """Asks whether the other side has had a parcel's request."""
        assert self.operation.asking is not None
        suffix = self.operation.asking.suffix(self._message(claim), claim.first_row, self.desk.systems.site)
        return Call("GET", self.endpoint.path + suffix, claim.key)

    def _call(self, claim: Claim, to: Address) -> Call:
        path = self.operation.path(self.endpoint.path + to.suffix, to.names)
        return Call(self.endpoint.method, path, claim.key, json=to.body)

    def health_check(self, claim: Claim) -> Call:
        """Asks whether the other side can work at all."""
        return Call("GET", self.operation.health, claim.key)

    def _body(self, claim: Claim, rows: list[Fields]) -> JsonValue:
        if self.operation.enveloped is not None:
            message = envelope_of(self.desk, claim.file_name)
            return self.operation.enveloped(message, rows, self.desk.systems.site)
        assert self.operation.body is not None
        return self.operation.body(rows, self.desk.systems.site)

    def _of_message(self, claim: Claim) -> Address:
        assert self.operation.message is not None
        return self.operation.message(self._message(claim), claim.first_row, self.desk.systems.site)

    def _message(self, claim: Claim) -> Message:
        return opened(self.desk.seal, claim.noun, claim.sealed)

    def preview(self, claim: Claim) -> dict[str, object]:
        """What would be sent, in words a person can read."""
        call = self.build(claim)
        return {
            "method": call.method, "path": call.path, "connection": self.endpoint.connection, "key": call.key,
            "file": claim.file_name, "first_row": claim.first_row, "last_row": claim.last_row, "rows": claim.rows,
            "bytes": call.file.size if call.file else None,
        }  # fmt: skip

    def _attachment(self, claim: Claim) -> FilePart:
        view = view_of(claim.destination, claim.generation)
        staged, where = self.staged(claim), (view, claim.first_row, claim.last_row)
        name = claim.file_name.removesuffix(".gz").removesuffix(".zip")
        return FilePart(name, staged.bytes_between(*where), lambda: staged.content(*where))

    def _answer(self, claim: Claim) -> Address:
        message = self._message(claim) if claim.sealed else find_envelope(self.desk, claim.file_name)
        with self.desk.ledger.read() as tx:
            told = what_became(tx, claim.intake_id, claim.delivery_id, message)
        if self.operation.answer is None:
            return Address(acknowledgement(told))
        return self.operation.answer(told, self.desk.systems.site)

    def _rows(self, claim: Claim) -> list[Fields]:
        """The fields of the parcel's live rows; a window ahead is kept, for the next parcels will ask for it."""
        kept = self._window
        if kept is None or kept[0] != _where(claim) or claim.last_row > kept[1]:
            kept = self._window = self._read_window(claim)
        rows = kept[2]
        return [rows[row] for row in range(claim.first_row, claim.last_row + 1) if row in rows]

    def _read_window(self, claim: Claim) -> tuple[_Where, int, dict[int, Fields]]:
        staged, where = self.staged(claim), _where(claim)
        first = where[2] * READ_AHEAD_ROWS
        last = max(first + READ_AHEAD_ROWS - 1, claim.last_row)
        rows: dict[int, Fields] = {}
        for _, frame in staged.frames(view_of(claim.destination, claim.generation), first, last):
            numbers = frame["row"].to_list()
            rows.update(zip(numbers, frame.drop("row", "line", "raw", strict=False).to_dicts(), strict=True))
        return where, last, rows


def _where(claim: Claim) -> _Where:
    """Delivery, sending and window of a parcel: what is live may differ from one sending to the next."""
    return claim.delivery_id, claim.generation, claim.first_row // READ_AHEAD_ROWS
