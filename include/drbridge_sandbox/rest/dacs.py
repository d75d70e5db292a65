"""DACS (sold as CPMCS today) as far as its REST services are called."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import Response

from drbridge_sandbox.rest import (
    aggregators,
    device_status,
    enrollments,
    outcomes,
    program_events,
    reservations,
    sync_requests,
)
from drbridge_sandbox.rest.hall import Hall, JsonAct

VERSION = "26.4"
AGGREGATORS_PATH = "/rest/apis/cross/digitalAssets/derAggregators"
POSTS: Mapping[str, tuple[str, JsonAct]] = {
    enrollments.ENROLLMENT_PATH + "enroll": ("enroll", enrollments.enroll),
    enrollments.ENROLLMENT_PATH + "enrollDevice": ("enrollDevice", enrollments.enroll_device),
    enrollments.ENROLLMENT_PATH + "unenroll": ("unenroll", enrollments.unenroll),
    sync_requests.ACKNOWLEDGEMENT_PATH: ("postAcknowledgement", sync_requests.post_acknowledgement),
    device_status.RESPONSE_PATH: ("deviceStatusResponse", device_status.respond),
    program_events.PROGRAM_EVENT_PATH: ("createProgramEvent", program_events.create),
    program_events.LIFECYCLE_PATH: ("actionProgramEvent", program_events.step),
    reservations.RESERVE_PATH: ("reserveDevice", reservations.reserve),
    reservations.CANCEL_PATH: ("preEventCancellation", reservations.cancel_before),
    outcomes.OUTCOME_PATH: ("postEventOutcome", outcomes.post_outcomes),
}


def build(hall: Hall) -> None:
    """Adds the services of DACS to its app."""
    for path, (operation, act) in POSTS.items():
        hall.take_json_at(path, operation, act)
    sync_requests.take_at(hall)
    _build_questions(hall)


def _build_questions(hall: Hall) -> None:
    app = hall.app

    @app.get(enrollments.ENROLLMENT_PATH + "enroll/{enrollment_id}")
    async def enrollment(enrollment_id: str, request: Request) -> Response:
        return await hall.look(request, lambda records: enrollments.show(records, enrollment_id))

    @app.get(enrollments.ENROLLMENT_PATH + "unenroll/{id_}")
    async def unenrollment(id_: str, request: Request) -> Response:
        return await hall.look(request, lambda records: enrollments.show_unenrollment(records, id_))

    @app.get(program_events.PROGRAM_EVENT_PATH + "{external_identifier}")
    async def program_event(external_identifier: str, request: Request) -> Response:
        return await hall.look(request, lambda records: program_events.show(records, external_identifier))

    @app.get(AGGREGATORS_PATH)
    async def der_aggregators(request: Request) -> Response:
        return await hall.look(request, aggregators.list_of)

    @app.get("/healthCheck")
    @app.get("/rest/apis/healthCheck")
    async def health_check(request: Request) -> dict[str, str]:
        hall.doorman.admit(request.headers.get("authorization"))
        return {"status": "OK"}

    @app.get("/rest/apis/common/healthCheck")
    async def common_health_check(request: Request) -> dict[str, str]:
        hall.doorman.admit(request.headers.get("authorization"))
        return {"status": "UP", "version": VERSION}
