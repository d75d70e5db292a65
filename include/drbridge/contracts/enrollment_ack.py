"""Enrollment acknowledgements: what OUAI made of each row of an enrollment file, from OUAI to DACS."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import polars as pl

from drbridge.contracts.contract import Contract, Dated, stamp_in
from drbridge.contracts.kinds import Code, Digits, Instant, Integer, Parts, Text
from drbridge.contracts.problems import Flaw
from drbridge.contracts.rows import Row, column

LARGEST = 99_999


class EnrollmentAck(Row):
    """What became of one sync request."""

    sync_request_id: Annotated[str, Digits(14)] = column(
        "syncRequestId", "the request that is answered", rule="unique in the file"
    )
    program_subscription_id: Annotated[str, Text(14)] | None = column(
        "programSubscriptionId", "the enrollment", required=False
    )
    status: Annotated[str, Code("SUCCESS", "ERROR")] = column("ackStatus", "whether OUAI took it")
    message_category: Annotated[int, Integer(-LARGEST, LARGEST)] | None = column(
        "messageCategory", "group of the message", rule="for ERROR, when empty, the configured default is sent",
        required=False,
    )  # fmt: skip
    message_number: Annotated[int, Integer(-LARGEST, LARGEST)] | None = column(
        "messageNumber", "number of the message", rule="required for ERROR", required=False
    )
    message_text: Annotated[str, Text(254)] | None = column("messageText", "why it was refused", required=False)
    message_parameters: Annotated[tuple[str, ...], Parts(2000)] | None = column(
        "messageParameters", "values that the message speaks of", required=False
    )
    processed_at: Annotated[datetime, Instant()] = column("processedDateTime", "when OUAI worked on it")
    source_file_name: Annotated[str, Text(255)] | None = column(
        "sourceFileName", "the enrollment file it came in", required=False
    )

    def flaws(self, now: datetime) -> Iterator[Flaw]:
        if self.status == "ERROR" and self.message_number is None:
            yield Flaw("messageNumber", "missing", "ERROR needs a message number")

    @classmethod
    def sure_rules(cls, present: Collection[str], now: datetime) -> list[pl.Expr]:
        succeeded = pl.col("ackStatus") == "SUCCESS"
        return [succeeded | pl.col("messageNumber").is_not_null() if "messageNumber" in present else succeeded]


def to_update_sync_request(fields: Mapping[str, str | None], default_category: int) -> dict[str, Any]:
    """The body of Update Sync Request for an accepted row.

    Args:
        default_category: the message category of an error that names none.
    """
    body: dict[str, Any] = {"syncRequestId": fields["syncRequestId"], "hasError": fields["ackStatus"] == "ERROR"}
    if not body["hasError"]:
        return body
    category = fields.get("messageCategory")
    exception: dict[str, Any] = {
        "sequence": 1,
        "messageCategory": default_category if category is None else int(category),
        "messageNumber": int(fields["messageNumber"] or 0),
    }
    if text := fields.get("messageText"):
        exception["comments"] = text
    if parameters := fields.get("messageParameters"):
        exception["messageParameters"] = [
            {"parameterSequence": number, "messageParameterValue": value}
            for number, value in enumerate(parameters.split("|"), 1)
        ]
    return {**body, "exceptionInfo": [exception]}


CONTRACT = Contract(
    noun="enrollment_ack",
    title="Enrollment acknowledgements",
    prefixes=("ENROLL_ACK",),
    model=EnrollmentAck,
    key=("syncRequestId",),
    dated=Dated("processedDateTime", "latest"),
    date_in_name=stamp_in,
)
