"""systems.toml: what it says is checked before anything moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from drbridge import systems
from drbridge.errors import Misconfigured
from drbridge.exchange.operations import operation_of

SHIPPED = systems.DEFAULT_FILE.read_text(encoding="utf-8")


def loaded(tmp_path: Path, text: str) -> systems.Systems:
    file = tmp_path / "systems.toml"
    file.write_text(text, encoding="utf-8")
    return systems.load(file)


def test_the_shipped_file_is_good() -> None:
    shipped = systems.load(systems.DEFAULT_FILE)
    assert len(shipped.flows) == 26
    for endpoint in shipped.endpoints.values():
        operation_of(endpoint)


@pytest.mark.parametrize(("profile", "on"), [("23C", 19), ("26.4", 21), ("all", 26)])
def test_a_profile_switches_flows_by_release(monkeypatch: pytest.MonkeyPatch, profile: str, on: int) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", profile)
    found = systems.load(systems.DEFAULT_FILE)
    assert sum(found.is_on(flow) for flow in found.flows.values()) == on


@pytest.mark.parametrize(
    ("profile", "operation", "method"),
    [("all", "post_acknowledgement", "POST"), ("26.4", "post_acknowledgement", "POST"),
     ("23C", "update_sync_request_message", "PATCH")],
)  # fmt: skip
def test_an_endpoint_is_what_it_is_in_the_installations_release(
    monkeypatch: pytest.MonkeyPatch, profile: str, operation: str, method: str
) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", profile)
    endpoint = systems.load(systems.DEFAULT_FILE).endpoints["dacs_acknowledgement"]
    assert (endpoint.operation, endpoint.method) == (operation, method)
    assert endpoint.path.endswith("{syncRequestId}") == (profile == "23C")
    assert endpoint.connection == "dacs_rest", "what the release does not say stays"


def test_one_outcome_file_belongs_to_two_flows() -> None:
    shipped = systems.load(systems.DEFAULT_FILE)
    sharing = shipped.flows_sharing("sftp://derms_files/outgoing/outcome inbox://event_outcomes", "event_outcome")
    assert [flow.name for flow in sharing] == ["derms_dacs_event_outcome", "derms_ouai_event_outcome"]


def test_a_flow_that_is_off_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", "26.4")
    found = systems.load(systems.DEFAULT_FILE)
    sharing = found.flows_sharing("sftp://derms_files/outgoing/outcome inbox://event_outcomes", "event_outcome")
    assert [flow.name for flow in sharing] == ["derms_dacs_event_outcome"]


@pytest.mark.parametrize(
    "name", ["Sent-SDCSE_1.csv", "Error-SDCSE_1.csv", "SDCSE_1.csv.done", "SDCSE_1.csv.rejects.csv", "OTHER.csv"]
)
def test_what_was_dealt_with_or_belongs_to_others_is_left_alone(name: str) -> None:
    shipped = systems.load(systems.DEFAULT_FILE)
    assert not shipped.takes(shipped.flow("dacs_derms_device_score"), name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('unknown = "resend"\nreason', 'reason'),
        ('reason = "an acknowledgement is keyed by message id"', 'reason = "so"'),
        ('deliver = ["derms_device_score"]', 'deliver = ["nowhere"]'),
        ('answer = "derms_acks"', 'answer = "ouai_outcome"'),
        ('SDCSE = "device_score"', 'SDCSE = "no_such_noun"'),
        ('profile = "all"', 'profile = "27"'),
        ("[site]", "[site"),
        ('title = "Device scores', 'tittle = "Device scores'),
        ('.release."23C"]', '.release."22C"]'),
        ('message = "event_status"', 'message = "event_statuses"'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(tmp_path: Path, old: str, new: str) -> None:
    assert old in SHIPPED
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, SHIPPED.replace(old, new))
    assert refused.value.fix


def test_what_is_wrong_is_told_with_its_place_and_without_the_words_of_programmers(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, SHIPPED.replace('answer = "derms_acks"', 'answer = "ouai_outcome"'))
    assert "an answer goes to an endpoint" in refused.value.detail
    assert "Value error" not in refused.value.detail
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, SHIPPED.replace("in_flight = 16", "in_flight = 0"))
    assert refused.value.detail.startswith("endpoints.dacs_sync_request.in_flight: ")


def test_a_release_that_is_none_is_told_by_the_name_of_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRBRIDGE_PROFILE", "27")
    with pytest.raises(Misconfigured, match="DRBRIDGE_PROFILE is 27") as refused:
        systems.load(systems.DEFAULT_FILE)
    assert "23C, 26.4, all" in refused.value.fix


def test_an_endpoint_that_cannot_be_asked_is_not_configured_to_be() -> None:
    endpoint = systems.load(systems.DEFAULT_FILE).endpoints["derms_acks"].model_copy(update={"unknown": "query"})
    with pytest.raises(Misconfigured):
        operation_of(endpoint)


@pytest.mark.parametrize(("after", "why"), [
    ('{ C1-DSPIL = "C1-NONE" }', "'C1-NONE' is not one of its prefixes"),
    ('{ C1-DSPIL = "C1-DCTIL", C1-DCTIL = "C1-DSPIL" }', "would have to wait for itself"),
])  # fmt: skip
def test_an_order_of_files_is_of_its_files_and_has_a_beginning(tmp_path: Path, after: str, why: str) -> None:
    line = next(each for each in SHIPPED.splitlines() if each.startswith("after = "))
    with pytest.raises(Misconfigured) as told:
        loaded(tmp_path, SHIPPED.replace(line, f"after = {after}", 1))
    assert why in told.value.detail


def test_a_file_goes_after_all_kinds_before_it() -> None:
    flow = systems.load(systems.DEFAULT_FILE).flow("ccs_dacs_customers")
    assert flow.goes_after("C1-DMSEX_0033_00.csv.zip") == ("C1-DSPEX", "C1-DCTEX")
    assert flow.goes_after("C1-DCTIL_0033_00.csv") == flow.goes_after("other.csv") == ()
