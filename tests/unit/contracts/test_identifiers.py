"""What a person may ask for: every contract's and message's ids, and nothing that stands in every row."""

from __future__ import annotations

import pytest

from drbridge.contracts import CONTRACTS
from drbridge.contracts.identifiers import identifiers
from tests.unit.contracts.messages import NOUNS, good

COLUMNS = {
    "device_score": "deviceId nicId programSubscriptionId servicePointId",
    "enrollment_sync": "syncRequestId programSubscriptionId cisPersonId cisAccountId externalMeteredServiceId "
    "servicePointId cisServicePointId cisPremiseId",
    "enrollment_ack": "syncRequestId programSubscriptionId",
    "device_reservation": "recordId nicId",
    "event_outcome": "recordId eventId stageId servicePointId nicId",
    "load_forecast": "SPId",
    "kwh_avoided": "EventId SPId",
    "kw_drop": "EventId SPId",
    "network_location": "externalServicePointId transformerId feederId substationId",
    "customer_contact": "externalReferenceId externalId",
    "customer_service_point": "externalReferenceId externalId externalPremiseId",
    "customer_service_agreement": "externalReferenceId externalId externalContactId externalAccountId",
    "settlement_request": "externalSettlementRequestId externalContactId externalAccountId externalMeteredServiceId",
    "settlement_credit": "externalAccountId externalMeteredServiceId customerSettlementId eventId",
}
MEMBERS = {
    "enrollment_request": "messageId requests.0.assetInfo.assetList.0.badgeNo requests.0.assetInfo.assetList.0.nicId "
    "requests.0.assetInfo.assetList.0.serialNo requests.0.assetInfo.assetList.1.nicId "
    "requests.0.customerInfo.cisAccountId requests.0.customerInfo.cisPersonId "
    "requests.0.locationInfo.cisPremiseId requests.0.locationInfo.cisServicePointId "
    "requests.0.locationInfo.locationId requests.0.programInfo.cisServiceAgreementId",
    "enrollment_change": "contactInfo.contactId locationInfo.cisPremiseId locationInfo.cisServicePointId "
    "locationInfo.controllableDevices.0.badgeNo locationInfo.controllableDevices.0.deviceId "
    "locationInfo.controllableDevices.0.nicId locationInfo.controllableDevices.0.serialNo "
    "locationInfo.servicePointId replacedDevices.0.deviceId replacedDevices.0.nicId "
    "subscriptionInfo.cisAccountId subscriptionInfo.subscriptionId syncRequestId",
    "enrollment_ack_message": "responses.response.0.dacsMessageId responses.response.0.id "
    "responses.response.1.dacsMessageId responses.response.1.id "
    "responses.response.2.dacsMessageId responses.response.2.id",
    "device_status_check": "communicationId deviceInfo.nicid",
    "device_status_ack": "dacsMessageId messageId responses.1.dacsMessageId",
    "event_status": "eventId messageId stageId",
    "device_reservation_message": "eventId messageId stageId",
    "program_rules": "rules.0.ruleId rules.1.ruleId syncRequestId",
    "program_rules_ack": "dacsMessageId",
    "aggregator": "aggregatorId contact.contactId externalReferenceId syncRequestId",
    "aggregator_ack": "dacsMessageId",
    "event_opt_out": "deviceId eventId messageId nicId programSubscriptionId stageId",
    "unavailability": "deviceId messageId nicId",
    "customers_ack": "dacsMessageId",
}


@pytest.mark.parametrize("noun", CONTRACTS)
def test_the_columns_of_a_file_that_are_asked_for(noun: str) -> None:
    assert " ".join(CONTRACTS[noun].ids) == COLUMNS[noun]


@pytest.mark.parametrize("noun", NOUNS)
def test_the_members_of_a_message_that_are_asked_for(noun: str) -> None:
    assert " ".join(sorted({path for path, _ in identifiers(good(noun))})) == MEMBERS[noun]


def test_the_stages_of_a_cancelled_event_are_found_and_what_is_empty_is_not() -> None:
    told = {"stages": ["1315", "1316"], "eventId": "", "deviceId": None, "nicId": 7, "reason": "1315"}
    assert list(identifiers(told)) == [("stages.0", "1315"), ("stages.1", "1316")]
