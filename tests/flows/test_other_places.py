"""Every source and every store may be a folder or a bucket: the same flows with their places exchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from drbridge.exchange.desk import Desk
from drbridge.systems import Systems
from drbridge_sandbox.sandbox import Sandbox
from tests.flows.chain import run
from tests.flows.conftest import SAMPLES, desk_of

EXCHANGED = [
    ("dacs_derms_device_score", "s3://dacs_objects/dacs/outgoing/scores", "device_score/SDCSE_0042_00.csv"),
    (
        "dacs_ouai_enrollment_sync", "s3://dacs_objects/dacs/outgoing/enrollment",
        "enrollment_sync/ENROLL_SYNC_20260714T040000Z_0042.csv",
    ),
    (
        "derms_ouai_event_outcome", "s3://derms_objects/derms/outgoing/outcome",
        "event_outcome/EVENT_OUTCOME_20260714T210000Z_4711.csv",
    ),
    (
        "ouai_derms_load_forecast", "sftp://ouai_files/outgoing/forecast",
        "load_forecast/LOAD_FORECAST_20260714_20260713T030000Z.csv",
    ),
    ("ouai_dacs_kwh_avoided", "sftp://ouai_files/outgoing/energy", "kwh_avoided/KWH_AVOIDED_20260715T040000Z_1.csv"),
    (
        "derms_dacs_network_location", "s3://derms_objects/derms/outgoing/network",
        "network_location/SP_NETWORK_LOCATION_DELTA_20260714T020000Z.csv",
    ),
    (
        "ccs_dacs_customers", "s3://cis_objects/cis/outgoing/customers",
        "customer_service_point/C1-DSPEX_0033_00.csv",
    ),
    (
        "ccs_dacs_settlement_requests", "s3://cis_objects/cis/outgoing/settlement",
        "settlement_request/SETTLEMENT_REQUEST_20260714T050000Z.csv",
    ),
]  # fmt: skip
STORES = {
    "ouai_enrollment": "sftp://ouai_files/incoming/enrollment",
    "ouai_outcome": "sftp://ouai_files/incoming/outcome",
    "ouai_forecast": "sftp://ouai_files/incoming/forecast",
    "dacs_energy": "sftp://dacs_files/incoming/energy",
    "dacs_network": "sftp://dacs_files/incoming/network",
    "dacs_customers": "sftp://dacs_files/incoming/customers",
    "dacs_settlement": "sftp://dacs_files/incoming/settlement",
}


def exchanged(systems: Systems, flow_name: str, source: str) -> Systems:
    flow = systems.flow(flow_name).model_copy(update={"source": source})
    stores = {name: systems.stores[name].model_copy(update={"url": url}) for name, url in STORES.items()}
    return systems.model_copy(update={"flows": {flow_name: flow}, "stores": stores})


@pytest.mark.parametrize(("flow", "source", "sample"), EXCHANGED, ids=[row[0] for row in EXCHANGED])
def test_a_flow_works_from_and_to_the_other_kind_of_place(
    box: Sandbox, systems: Systems, tmp_path: Path, flow: str, source: str, sample: str
) -> None:
    desk: Desk = desk_of(box, exchanged(systems, flow, source), tmp_path)
    file = SAMPLES / sample
    targets = [desk.systems.stores[name].url for name in desk.systems.flow(flow).deliver if name in STORES]
    for url in (source, *targets):
        for name in box.place(url).names():
            box.place(url).remove(name)
    box.drop(source, file.name, file)
    verdicts = run(desk, flow)
    assert verdicts[file.name].state == "settled", verdicts[file.name].text
    assert list(box.files(source)) == [f"Sent-{file.name}"]
    for url in targets:
        assert box.files(url) == {file.name: file.read_bytes()}
    desk.ledger.close()
