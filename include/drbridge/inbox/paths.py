"""Under which paths the inbox takes what.

The published paths are those that DERMS and DACS already call (their parameters hold them); the short ones are ours,
as are the published ones of messages whose path no guide names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PUBLISHED_PREFIX = "/ic/api/integration/v2/flows/oracleutilities/project/OUTL-BA-DACS_DERMS"
SHORT_PREFIX = "/drbridge"

Shape = Literal["json", "json and file", "file"]


@dataclass(frozen=True, slots=True)
class Door:
    """One kind of message and where it comes in.

    Attributes:
        noun: of the message, or of the file's contract where it is only a file.
        shape: what the request carries; a file comes as multipart/form-data part `file`, a message beside it as part
            `message`.
        folder: of the inbox, where its files are laid for the flow that takes them.
        answers_at_once: existing callers of the published path expect the result in the same call.
    """

    noun: str
    published: str
    short: str
    shape: Shape = "json"
    folder: str = ""
    answers_at_once: bool = False


DOORS = (
    Door("enrollment_request", "OUTL-BA-DRMS_DACS_ENROLLRQ/1.0/enroll-to-dacs", "enrollment-requests",
         answers_at_once=True),
    Door("enrollment_change", "OUTL-BA-DACS_DRMS/enrollmentSync", "enrollment-syncs"),
    Door("enrollment_ack_message", "OUTL-BA-DRMS_DACS_SYNC_ACK/1.0/sendEnrollAck", "enrollment-acks"),
    Door("device_status_check", "OUTL-BA-DACS_DRMS/deviceStatusCheck", "device-status-checks"),
    Door("device_status_ack", "OUTL-BA-DRMS_DACS_DEV_STAT_ACK/1.0/status-check-ack-to-dacs", "device-status-acks"),
    Door("event_status", "OUTL-BA-DRMS_DACS_STAGE_STATUS/1.0/stageStatusChange", "event-statuses"),
    Door("device_reservation_message", "OUTL_BA_DRMS_DACS_EVT_DVCRESV/1.0/reserveDevice", "device-reservations",
         "json and file", "device_reservations"),
    Door("event_outcome", "OUTL-BA-DRMS_DACS_EVT_OUTC_TRNFR/1.0/eventOutcome", "event-outcomes",
         "file", "event_outcomes"),
    Door("network_location", "OUTL-BA-DRMS_DACS_MODEL_EXPORT/1.0/modelExport", "network-locations",
         "file", "network_locations"),
    Door("program_rules", "OUTL-BA-DACS_DRMS/programRules", "program-rules"),
    Door("program_rules_ack", "OUTL-BA-DRMS_DACS_PRGRULE_ACK/1.0/sendProgramRuleAck", "program-rules-acks"),
    Door("aggregator", "OUTL-BA-DACS_DRMS/aggregators", "aggregators"),
    Door("aggregator_ack", "OUTL-BA-DRMS_DACS_AGGR_ACK/1.0/sendAggregatorAck", "aggregator-acks"),
    Door("event_opt_out", "OUTL-BA-DACS_DRMS/eventOptOut", "event-opt-outs"),
    Door("unavailability", "OUTL-BA-DACS_DRMS/unavailability", "unavailabilities"),
    Door("customers_ack", "OUTL-BA-DACS_CCS/customersAck", "customers-acks"),
)  # fmt: skip
