"""DER aggregators: companies that bring many devices; DACS keeps them and tells the DERMS, but not of deletions."""

from __future__ import annotations

from typing import Any, Literal

from drbridge_sandbox.rest.bodies import IsoDate, Strict, Text24, Text30, Text60, Text254, UtcTime, parsed
from drbridge_sandbox.rest.memory import Effect, Tx
from drbridge_sandbox.rest.msg_ack import Verdict
from drbridge_sandbox.rest.records import Records

KIND = "aggregator"


class Contact(Strict):
    """Whom to ask at the aggregator."""

    contact_id: Text30 | None = None
    name: Text254 | None = None
    email: Text254 | None = None
    phone: Text24 | None = None


class ProgramOffering(Strict):
    """A program the aggregator takes part in."""

    program_code: Text30
    start_date: IsoDate | UtcTime | None = None
    end_date: IsoDate | UtcTime | None = None


class Certification(Strict):
    """What the aggregator was certified for."""

    type: Text60 | None = None
    number: Text60 | None = None
    expiry_date: IsoDate | UtcTime | None = None


class Aggregator(Strict):
    """An aggregator as it is now; one that was deleted comes INACTIVE and with little else."""

    dacs_message_id: Text60
    aggregator_id: Text30
    external_reference_id: Text60
    external_system: Text60 | None = None
    our_name_in_their_system: Text254 | None = None
    service_provider_type: Text60 | None = None
    status: Literal["ACTIVE", "INACTIVE"]
    start_date: IsoDate | UtcTime | None = None
    end_date: IsoDate | UtcTime | None = None
    contact: Contact | None = None
    program_offerings: list[ProgramOffering] | None = None
    certification: Certification | None = None
    protocol: Literal["IEEE2030.5", "OPENADR", "OTHER"] | None = None


def take(tx: Tx, body: bytes, refused: frozenset[str]) -> Verdict:
    """Puts an aggregator in the place of what was known of it."""
    aggregator = parsed(Aggregator, body)
    id_ = aggregator.aggregator_id
    if not refused.isdisjoint((aggregator.dacs_message_id, id_)):
        return Verdict(aggregator.dacs_message_id, f"Aggregator {id_} is refused")
    before = tx.records.get(KIND, id_) if aggregator.status == "INACTIVE" else None
    tx.records.keep(KIND, id_, (before or {}) | aggregator.record)
    tx.effects(KIND, [Effect(aggregator.dacs_message_id, id_, aggregator.status)])
    return Verdict(aggregator.dacs_message_id)


def list_of(records: Records) -> dict[str, Any]:
    """The aggregators that are known; those planted by hand may lack a reference and count as active."""
    return {"aggregators": [
        {"aggregatorId": id_, "externalReferenceId": each.get("externalReferenceId", id_),
         "status": each.get("status", "ACTIVE")}
        for id_, each in records.all(KIND).items()
    ]}  # fmt: skip
