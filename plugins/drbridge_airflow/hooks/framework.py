"""What DACS and the CIS have in common: the services of the framework that both are built on."""

from __future__ import annotations

from drbridge_airflow.hooks.system_hook import SystemHook, segment
from drbridge_airflow.hooks.told import Ended, Health, Refusal, text

ENDED = ("duplicate", "already")


class FrameworkHook(SystemHook):
    """The services that DACS and the CIS both have."""

    health_path = "/rest/apis/common/healthCheck"

    def health_check(self) -> Health:
        """Asks the system whether it is well, and for its release."""
        return self._health()

    def update_sync_request(self, sync_request_id: str, refusal: Refusal | None = None) -> Ended:
        """Says what became of a change that the system wanted to be known elsewhere; it waits for that.

        Args:
            refusal: why it was not done; None: it was.
        """
        from drbridge.contracts.enrollment_ack import to_update_sync_request

        fields: dict[str, str | None] = {
            "syncRequestId": sync_request_id,
            "ackStatus": "ERROR" if refusal else "SUCCESS",
        }
        if refusal is not None:
            category = refusal.message_category
            fields |= {
                "messageCategory": None if category is None else str(category),
                "messageNumber": str(refusal.message_number), "messageText": refusal.comments,
                "messageParameters": "|".join(refusal.message_parameters),
            }  # fmt: skip
        body = to_update_sync_request(fields, self.site.default_message_category)
        path = f"/rest/apis/common/sync/syncRequest/{segment(sync_request_id)}"
        said = self._ask("PATCH", path, body, names_a_record=True, done_words=ENDED)
        return Ended(sync_request_id, text(said.data, "boStatus"), said.had_it)
