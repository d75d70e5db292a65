"""Enrollments in DACS: customers join and leave programs, and DACS hears what became of what it wanted to be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drbridge_airflow.hooks.framework import ENDED, FrameworkHook
from drbridge_airflow.hooks.system_hook import segment
from drbridge_airflow.hooks.told import Ended, Enrollment, text

if TYPE_CHECKING:
    from drbridge.contracts.enrollment_request import AssetInfo, EnrollmentRequest, RemovalMethod, UnenrollReason
    from drbridge.contracts.message import Body
    from drbridge.contracts.msg_ack import DeviceStatusAck, EnrollmentAckMessage

ENROLLMENTS = "/rest/apis/cross/digitalAssets/programEnrollments"
DEVICE_STATUS = "/rest/apis/cross/digitalAssets/controllableDeviceStatus/response"
EXISTS = ("already exists",)


class DacsEnrollments(FrameworkHook):
    """The services of DACS about enrollments."""

    def enroll(self, message: EnrollmentRequest, part: int = 0) -> Enrollment:
        """A customer wants to take part in a program. DACS takes one request at a time.

        Args:
            part: which of the message's requests, from 0.

        Raises:
            Rejected: DACS keeps it as not valid, for its staff; the detail names the enrollment.
        """
        from drbridge.contracts.enrollment_request import to_create_enrollment

        words = self.site.lookups
        body = to_create_enrollment(message, part, words.asset_specification, words.asset_type)
        return self._enrolled("enroll", body)

    def get_enrollment(self, enrollment_id: str) -> Enrollment:
        """What DACS has of an enrollment."""
        return _enrollment(self._get(f"{ENROLLMENTS}/enroll/{segment(enrollment_id)}", names_a_record=True))

    def enroll_device(self, transaction_id: str, enrollment_id: str, asset_info: AssetInfo) -> Enrollment:
        """More devices for a customer who is enrolled (25.10)."""
        from drbridge.contracts.enrollment_request import to_enroll_device

        words = self.site.lookups
        body = to_enroll_device(
            transaction_id, enrollment_id, asset_info, words.asset_specification, words.asset_type
        )  # fmt: skip
        return self._enrolled("enrollDevice", body, names_a_record=True)

    def unenroll(
        self, transaction_id: str, *, enrollment_id: str | None = None, program_subscription_id: str | None = None,
        reason: UnenrollReason, removal_method: RemovalMethod | None = None,
    ) -> Enrollment:  # fmt: skip
        """A customer leaves a program.

        Args:
            enrollment_id: what is ended; or `program_subscription_id`.
            removal_method: X1KP the customer keeps the device, X1SD sends it back, X1UR the utility removes it.
        """
        from drbridge.contracts.enrollment_request import to_unenroll

        body = to_unenroll(
            transaction_id, enrollment_id=enrollment_id, program_subscription_id=program_subscription_id,
            reason=reason, removal_method=removal_method,
        )  # fmt: skip
        return self._enrolled("unenroll", body, names_a_record=True)

    def get_unenrollment(self, id_: str) -> Enrollment:
        """What DACS has of the end of an enrollment, by the id that it was asked for with."""
        return _enrollment(self._get(f"{ENROLLMENTS}/unenroll/{segment(id_)}", names_a_record=True))

    def post_acknowledgement(self, message: EnrollmentAckMessage, part: int = 0) -> Ended:
        """What DERMS made of an enrollment change, and how each device is registered (25.10).

        Args:
            part: which of the sync requests that the message answers, from 0.
        """
        from drbridge.contracts.msg_ack import to_post_acknowledgement

        body = to_post_acknowledgement(message, part, self.site.default_message_category)
        said = self._ask("POST", f"{ENROLLMENTS}/postAcknowledgement", body, names_a_record=True, done_words=ENDED)
        return Ended(message.answered[part], text(said.data, "boStatus"), said.had_it)

    def device_status_response(self, message: DeviceStatusAck, part: int = 0) -> Ended:
        """Whether a device that DACS asked for can be reached.

        Args:
            part: which of the checks that the message answers, from 0.
        """
        from drbridge.contracts.msg_ack import to_device_status_response

        body = to_device_status_response(message, part)
        said = self._ask("POST", DEVICE_STATUS, body, names_a_record=True, done_words=ENDED)
        detail = said.data.get("responseDetail")
        return Ended(
            message.answered[part], text(detail, "boStatus") if isinstance(detail, dict) else "", said.had_it
        )  # fmt: skip

    def _enrolled(self, service: str, body: Body, *, names_a_record: bool = False) -> Enrollment:
        said = self._ask(
            "POST", f"{ENROLLMENTS}/{service}", body, names_a_record=names_a_record, done_words=EXISTS,
            id_member="enrollmentId",
        )  # fmt: skip
        return _enrollment(said.data, said.had_it)


def _enrollment(data: dict[str, Any], had_it: bool = False) -> Enrollment:
    return Enrollment(text(data, "enrollmentId", "programSubscriptionId"), text(data, "status"), had_it)
