"""Enrollments as messages: requests that the DERMS has gathered, and changes that DACS tells of."""

from __future__ import annotations

from datetime import date
from typing import Any

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.acts import Act, Body

NEW_DEVICE = 1_000_000


def requests_message(message_id: str, requests: list[Body]) -> Body:
    """Requests of several customers in one message."""
    return {"messageId": message_id, "drmsInstanceId": "DERMS-EAST", "requests": requests}


def request(day: date, number: int, person: str = "") -> Body:
    """One customer's request, with a device of the customer's own.

    Args:
        person: who asks, if not the customer of this number.
    """
    return {
        "customerInfo": {"cisPersonId": person or f"P{number:09d}", "cisAccountId": f"00{number:08d}",
                         "name": f"MARIA SAMPLE {number}", "email": f"customer{number}@example.org"},
        "programInfo": {"cisServiceAgreementId": f"EXTMS{number}", "programCode": ids.program(number)[1],
                        "startDateTimeISO": f"{day}T00:00:00-05:00"},
        "locationInfo": {"division": "EAST", "cisPremiseId": f"{number:014d}", "timeZone": "US/Central",
                         "cisServicePointId": ids.service_point(number), "address1": f"{number} Example Street",
                         "country": "USA", "postal": f"{number % 100_000:05d}"},
        "assetInfo": {"installationMethod": "X1SI", "assetOwnership": "W1CO", "assetList": [
            {"sequence": 1, "specification": "EB5-SMART", "assetType": "THERMOSTAT", "nicId": ids.nic(number),
             "headEndSystem": ids.head_end(number)}]},
    }  # fmt: skip


class Changes:
    """Writes changes of enrollments into acts, each with a sync request of its own, and what must come of it."""

    def __init__(self, day: date) -> None:
        self.day, self._number = day, 0

    def post(
        self, act: Act, number: int, action: str, hour: int, *, ends: str = "acked", late: bool = False
    ) -> tuple[str, str]:
        """One change of a customer's enrollment; returns its sync request and the device that takes part then.

        Args:
            hour: of the day, UTC, in which it was made.
            ends: rejected: it names no person; superseded: a newer one has taken effect.
            late: the DERMS decides it later.
        """
        self._number += 1
        sync_id = f"1{self.day:%y%m%d}{self._number:07d}"
        device = number + NEW_DEVICE if action == "DEVICE_CHANGE" else number
        body = self._body(sync_id, number, device, action, f"{self.day}T{hour:02d}:{self._number % 60:02d}:00Z")
        if ends == "rejected":
            body["contactInfo"]["cisPersonId"] = None
        act.post("enrollment_change", {"sendDetails": body} if number % 2 else body, ends={ends: 1})
        act.seeds.setdefault("dacs", []).append(sync_id)
        if not late:
            verdict = "ERROR" if ends == "rejected" else "SYNCHRONIZED"
            act.expect("enrollment_change", effects={("dacs", "sync_request"): {sync_id: verdict}})
        if ends == "acked":
            self._expect(act, sync_id, body)
        return sync_id, f"{device:012d}"

    def _body(self, sync_id: str, number: int, device: int, action: str, when: str) -> dict[str, Any]:
        leaves, (program_id, program_code) = action == "UNENROLL", ids.program(number)
        devices = [] if leaves else [
            {"deviceId": f"{device:012d}", "deviceType": "THERMOSTAT", "specification": "EB5-SMART",
             "headEndSystem": ids.head_end(device), "nicId": ids.nic(device), "registration": "D1NR"}]  # fmt: skip
        replaced = [] if device == number else [
            {"deviceId": f"{number:012d}", "nicId": ids.nic(number), "headEndSystem": ids.head_end(number),
             "removedDateTime": when}]  # fmt: skip
        return {
            "syncRequestId": sync_id, "action": action, "changeDateTime": when,
            "contactInfo": {"contactId": f"C{number}", "cisPersonId": f"P{number:09d}"},
            "subscriptionInfo": {
                "subscriptionId": ids.subscription(number), "cisAccountId": f"00{number:08d}",
                "subscriptionType": "DRPROGRAM", "status": "INACTIVE" if leaves else "ACTIVE",
                "programId": program_id, "programCode": program_code,
                "startDateTime": "2026-01-01T00:00:00-06:00", "endDateTime": when if leaves else "",
            },
            "locationInfo": {
                "division": "EAST", "servicePointId": ids.service_point(number), "cisPremiseId": f"{number:014d}",
                "cisServicePointId": ids.service_point(number), "controllableDevices": devices,
            },
            "replacedDevices": replaced,
        }  # fmt: skip

    @staticmethod
    def _expect(act: Act, sync_id: str, body: dict[str, Any]) -> None:
        subscription, action = body["subscriptionInfo"], body["action"]
        id_, status = subscription["subscriptionId"], subscription["status"]
        devices = [f"{each['headEndSystem']}/{each['nicId']}" for each in body["locationInfo"]["controllableDevices"]]
        known = {"action": action, "status": status, "devices": devices, "dacsMessageId": sync_id, "overtaken": 0}
        act.expect(
            "enrollment_change",
            effects={("derms", "enrollment_sync"): {sync_id: "|".join([action, id_, status, *sorted(devices)])}},
            records={("derms", "subscription"): {id_: known}},
        )  # fmt: skip
