"""One good row per noun, as a person would write it; tests change one thing at a time."""

from __future__ import annotations

GOOD: dict[str, dict[str, str]] = {
    "device_score": {
        "deviceId": "100200300401", "nicId": "44:61:32:aa:01", "headEndSystem": "ECOBEE",
        "programSubscriptionId": "20000000000001", "programCode": "SUMMER-TSTAT", "servicePointId": "1122334455",
        "calculationDateTime": "2026-07-13T02:10:00Z", "deviceScore": "0.874000", "availabilityFlag": "Y",
        "activationCost": "1.50", "burnRate": "0.25", "successfulParticipations": "3", "participationLimit": "10",
        "daysSinceLastEvent": "4", "daysInCycle": "30",
    },
    "enrollment_sync": {
        "syncRequestId": "15449036987849", "action": "ENROLL", "programSubscriptionId": "20000000000001",
        "programSubscriptionType": "SMART_THERMOSTAT", "programId": "1234512345", "programCode": "SUMMER-TSTAT",
        "cisPersonId": "0012345678", "cisAccountId": "0098765432", "externalMeteredServiceId": "EXTMS2",
        "servicePointId": "1122334455", "cisServicePointId": "998877665544", "cisPremiseId": "12345678901234",
        "startDateTime": "2026-07-14T00:00:00-05:00", "endDateTime": "2027-07-14T00:00:00-05:00", "status": "ACTIVE",
        "changeDateTime": "2026-07-14T03:59:00Z", "initialLoadFlag": "F1IC",
    },
    "enrollment_ack": {
        "syncRequestId": "15449036987850", "programSubscriptionId": "20000000000002", "ackStatus": "ERROR",
        "messageCategory": "90000", "messageNumber": "1001", "messageText": "Unknown service point",
        "messageParameters": "SP 9|X", "processedDateTime": "2026-07-14T05:58:11Z",
        "sourceFileName": "ENROLL_SYNC_20260714T040000Z_0042.csv",
    },
    "device_reservation": {
        "recordId": "1", "nicId": "44:61:32:aa:01", "headEndSystemId": "ECOBEE",
        "reservationStartDateTime": "2026-07-14T18:00:00Z", "reservationEndDateTime": "2026-07-14T20:00:00Z",
    },
    "event_outcome": {
        "recordId": "1", "eventId": "9001", "stageId": "1315", "programId": "1234512345",
        "servicePointId": "1122334455", "nicId": "44:61:32:aa:01", "headEndSystemId": "ECOBEE", "outcome": "SUCCESS",
        "participationStartDateTime": "2026-07-14T18:00:00Z", "participationEndDateTime": "2026-07-14T20:00:00Z",
        "errorMessage": "",
    },
    "load_forecast": {
        "ProgramId": "1234512345", "SPId": "1122334455", "ForecastRunTime": "2026-07-13T03:00:00-05:00",
        "ForecastStartTime": "2026-07-14T14:00:00-05:00", "ForecastEndTime": "2026-07-14T18:00:00-05:00",
        "IntervalSize(Seconds)": "3600", "TotalKwReductionAvg": "0.9000", "KwReduction1": "1.8000",
        "KwReduction2": "1.6000", "KwReduction3": "0.9000", "KwReduction4": "-0.7000", "KwReduction5": "",
    },
    "kwh_avoided": {
        "EventId": "4011", "EventType": "Economic", "ProgramId": "1234512345", "SPId": "1122334455",
        "ActualStartTime": "2022-12-13T14:30:00-05:00", "ActualEndTime": "2022-12-13T16:30:00-05:00",
        "IntervalSize(Seconds)": "900", "TotalKwh": "75.00", "TotalKwhSavedForPeriod": "33.00", "KwhSaved1": "5.00",
        "KwhSaved2": "3.00", "KwhSaved3": "2.00", "KwhSaved4": "2.00", "KwhSaved5": "3.00", "KwhSaved6": "8.00",
        "KwhSaved7": "6.00", "KwhSaved8": "4.00", "KwhSaved9": "",
    },
    "kw_drop": {
        "EventId": "5011", "ProgramId": "1234512345", "SPId": "1122334455",
        "ActualStartTime": "2022-12-13T14:30:00-05:00", "ActualEndTime": "2022-12-13T16:30:00-05:00",
        "IntervalSize(Seconds)": "900", "MaxKwDrop": "20.00", "KwDrop1": "5.00", "KwDrop2": "3.00", "KwDrop3": "20.00",
        "KwDrop4": "2.00", "KwDrop5": "", "KwDrop6": "8.00", "KwDrop7": "", "KwDrop8": "",
    },
    "network_location": {
        "externalServicePointId": "998877665544", "transformerId": "XFMR-0042", "feederId": "FDR-12",
        "substationId": "SUB-3", "phase": "AB", "effectiveStartDateTime": "2026-01-01T00:00:00-05:00",
        "effectiveEndDateTime": "2026-07-01T00:00:00-05:00", "initialLoadFlag": "F1IC", "changeAction": "U",
        "changeDateTime": "2026-07-13T03:59:00Z",
    },
    "customer_contact": {
        "externalReferenceId": "77001", "changeDateTime": "2026-07-13T03:59:00Z", "initialLoadSyncFlag": "F1IC",
        "externalId": "0012345678", "contactType": "C1PE", "name": "MARIA SAMPLE", "homePhone": "555-0100",
        "mobilePhone": "555-0101", "phone": "555-0102", "email": "maria@example.org",
        "lifeSupportSensitiveLoad": "true", "lifeSupportSensitiveLoadDescription": "Oxygen", "purged": "false",
    },
    "customer_service_point": {
        "externalReferenceId": "77002", "changeDateTime": "2026-07-13T03:59:00Z", "initialLoadSyncFlag": "F1IC",
        "externalId": "998877665544", "meteredServicePointType": "E-RES", "sourceStatus": "D1CN",
        "division": "NORTH", "externalPremiseId": "12345678901234", "timeZone": "US/Eastern", "country": "USA",
        "postal": "00123", "address1": "1 Example Street",
    },
    "customer_service_agreement": {
        "externalReferenceId": "77003", "changeDateTime": "2026-07-13T03:59:00Z", "initialLoadSyncFlag": "F1IC",
        "externalId": "EXTMS2", "meteredServiceType": "E-RES", "externalContactId": "0012345678",
        "externalAccountId": "0098765432", "startDateTime": "2020-01-01T00:00:00-05:00",
        "endDateTime": "2026-07-01T00:00:00-05:00", "division": "NORTH", "status": "20",
    },
    "settlement_request": {
        "externalSettlementRequestId": "4400001", "externalContactId": "0012345678",
        "externalAccountId": "0098765432", "externalMeteredServiceId": "EXTMS2", "programCode": "SUMMER-TSTAT",
        "startDate": "2025-07-01", "endDate": "2026-06-30", "requestType": "PERIODIC",
    },
    "settlement_credit": {
        "startDate": "2025-07-01", "endDate": "2026-06-30", "externalAccountId": "0098765432",
        "externalMeteredServiceId": "EXTMS2", "customerSettlementId": "88000001", "description": "Summer savings",
        "lineSequence": "1", "lineType": "KWH_AVOIDED", "eventId": "4011", "quantity": "33.000000", "uom": "KWH",
        "unitPrice": "0.350000", "amount": "-11.55", "currency": "USD",
    },
}  # fmt: skip


def csv_of(noun: str, *changes: dict[str, str | None]) -> bytes:
    """A file with one row per change of the good row; a column whose first change is None is left out."""
    good = GOOD[noun]
    names = [name for name in good if not changes or changes[0].get(name, "") is not None]
    lines = [",".join(names)]
    lines += [",".join(change.get(name, good[name]) or "" for name in names) for change in changes]
    return ("\n".join(lines) + "\n").encode()
