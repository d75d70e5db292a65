"""The flows that take the exam: a new file flow is one more line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One flow at one destination.

    Attributes:
        sample: the hand-written sample file, under tests/samples.
        far: the REST system that holds the effects, or None when the destination is a folder or bucket.
        answers: whether the flow owes its sender an acknowledgement.
    """

    flow: str
    destination: str
    sample: str
    far: str | None = None
    answers: bool = False

    def __str__(self) -> str:
        return f"{self.flow}-{self.destination}"


CANDIDATES = [
    Candidate("dacs_derms_device_score", "derms_device_score", "device_score/SDCSE_0042_00.csv", "derms"),
    Candidate("dacs_ouai_enrollment_sync", "ouai_enrollment", "enrollment_sync/ENROLL_SYNC_20260714T040000Z_0042.csv"),
    Candidate(
        "ouai_dacs_enrollment_ack", "dacs_sync_request", "enrollment_ack/ENROLL_ACK_20260714T060000Z_1.csv", "dacs"
    ),
    Candidate(
        "derms_dacs_event_outcome", "dacs_event_outcome", "event_outcome/EVENT_OUTCOME_20260714T210000Z_4711.csv",
        "dacs", answers=True,
    ),
    Candidate("derms_ouai_event_outcome", "ouai_outcome", "event_outcome/EVENT_OUTCOME_20260714T210000Z_4711.csv"),
    Candidate(
        "ouai_derms_load_forecast", "ouai_forecast", "load_forecast/LOAD_FORECAST_20260714_20260713T030000Z.csv"
    ),
    Candidate(
        "ouai_derms_load_forecast", "derms_load_forecast",
        "load_forecast/LOAD_FORECAST_20260714_20260713T030000Z.csv", "derms",
    ),
    Candidate("ouai_dacs_kwh_avoided", "dacs_energy", "kwh_avoided/KWH_AVOIDED_20260715T040000Z_1.csv"),
    Candidate("ouai_dacs_kwh_avoided", "dacs_energy", "kw_drop/KW_DROP_20260715T040000Z_1.csv"),
    Candidate(
        "derms_dacs_network_location", "dacs_network", "network_location/SP_NETWORK_LOCATION_DELTA_20260714T020000Z.csv"
    ),
    Candidate("ccs_dacs_customers", "dacs_customers", "customer_contact/C1-DCTEX_0033_00.csv"),
    Candidate("ccs_dacs_customers", "dacs_customers", "customer_service_point/C1-DSPEX_0033_00.csv"),
    Candidate("ccs_dacs_customers", "dacs_customers", "customer_service_agreement/C1-DMSEX_0033_00.csv"),
    Candidate("ccs_derms_customers", "derms_customers", "customer_contact/C1-DCTEX_0033_00.csv", "derms"),
    Candidate("ccs_derms_customers", "derms_customers", "customer_service_point/C1-DSPEX_0033_00.csv", "derms"),
    Candidate("ccs_derms_customers", "derms_customers", "customer_service_agreement/C1-DMSEX_0033_00.csv", "derms"),
    Candidate(
        "ccs_dacs_settlement_requests", "dacs_settlement",
        "settlement_request/SETTLEMENT_REQUEST_20260714T050000Z.csv",
    ),
    Candidate(
        "dacs_ccs_settlement_credits", "cis_settlement", "settlement_credit/CUST_SETTLEMENT_20260715T060000Z.csv"
    ),
]  # fmt: skip
