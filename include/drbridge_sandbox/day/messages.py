"""A day's messages in acts: rules and aggregators, enrollments through both doors, status checks, events."""

from __future__ import annotations

from random import Random

from drbridge_sandbox.day import ids, messages_events, messages_rules
from drbridge_sandbox.day.acts import Act, Body, Messages
from drbridge_sandbox.day.made import Day
from drbridge_sandbox.day.messages_enrollment import Changes, request, requests_message
from drbridge_sandbox.day.messages_rules import answered

REQUESTS = 20
CHECKS = 20
FEWEST_ENROLLED = 90
OVERTAKEN, LEFT, REPLACED, NAMELESS, LATE = 10, 25, 20, 2, 10
TAKES_PART_LATER = "P999999999"


def make_messages(day: Day) -> Messages:
    """The messages of a day: the same for the same seed, devices and date.

    They begin when DACS and the DERMS know the customers. Each act begins when what the one before it brings about is
    there; what its own posts bring about does not depend on which of them comes first.
    """
    random = Random(f"messages {day.seed} {day.date}")
    acts = (
        Act("Program rules and aggregators"),
        Act("Enrollments through both doors; rules and an aggregator change", late=("/programs", "/aggregators")),
        Act("Unenrollments, other devices, late-comers; the DERMS's word on the rules; status checks"),
        Act("Changes that the DERMS decides later; what the devices said; two events", late=("/enroll",)),
        Act("The DERMS's word on the changes; reservations, an opt-out; a stage ends that has not begun"),
        Act("One event is held, one is cancelled; outcomes by REST; DACS's word on the customers"),
    )
    rules, enrollments, changes, late, reserved, held = acts
    messages_rules.write(day, rules, enrollments, changes)
    _requests(day, enrollments)
    _changes(day, enrollments, changes, late, reserved)
    _checks(day, changes, late)
    messages_rules.customers(day, held)
    messages_events.write(day, late, reserved, held)
    for act in acts:
        random.shuffle(act.posts)
    return Messages(acts)


def _requests(day: Day, act: Act) -> None:
    """Two messages: one asks for somebody whom nobody knows, the other for what the first asks for as well."""
    people = day.customers[: 2 * REQUESTS - 2]
    first = [request(day.date, number) for number in people[: REQUESTS - 1]]
    stranger = request(day.date, people[0], TAKES_PART_LATER)
    second = [request(day.date, number) for number in people[REQUESTS - 1 :]]
    one, two = f"ENRQ-{day.date:%y%m%d}-1", f"ENRQ-{day.date:%y%m%d}-2"
    act.post("enrollment_request", requests_message(one, [*first, stranger]), reply=("ERROR", REQUESTS - 1, 1),
             ends={"acked": REQUESTS - 1, "rejected": 1})  # fmt: skip
    act.post("enrollment_request", requests_message(two, [*second, first[0]]), reply=("SUCCESS", REQUESTS, 0),
             ends={"acked": REQUESTS})  # fmt: skip
    effects = {_enrollment(each): "PENDING" for each in first + second} | {_enrollment(stranger): "VAL-ERROR"}
    act.expect(
        "enrollment_request", effects={("dacs", "enrollment"): effects}, acks={one: "ERROR", two: "SUCCESS"},
    )  # fmt: skip


def _enrollment(asked: Body) -> str:
    person, program, place = asked["customerInfo"], asked["programInfo"], asked["locationInfo"]
    return f"{person['cisPersonId']}/{program['programCode']}/{place['cisServicePointId']}"


def _changes(day: Day, first: Act, second: Act, third: Act, last: Act) -> None:
    """Changes of enrollments: in the order of the acts, but in none within one."""
    people = day.customers[2 * REQUESTS :][: FEWEST_ENROLLED + len(day.customers) // 50]
    overtaken, others = people[:OVERTAKEN], people[OVERTAKEN:]
    changes = Changes(day.date)
    for number in overtaken:
        changes.post(first, number, "DEVICE_CHANGE", hour=12)
    for number in others:
        changes.post(first, number, "ENROLL", hour=8)
    for number in overtaken:
        changes.post(second, number, "ENROLL", hour=8, ends="superseded")
    for number, action in zip(others, ["UNENROLL"] * LEFT + ["DEVICE_CHANGE"] * REPLACED, strict=False):
        changes.post(second, number, action, hour=12)
    rest = others[LEFT + REPLACED :]
    for number in rest[:NAMELESS]:
        changes.post(second, number, "DEVICE_CHANGE", hour=13, ends="rejected")
    late = [changes.post(third, number, "DEVICE_CHANGE", hour=14, late=True) for number in rest[NAMELESS:][:LATE]]
    _late_words(day, last, late)


def _late_words(day: Day, act: Act, late: list[tuple[str, str]]) -> None:
    """The DERMS's own calls about changes: one with the device's registration, one about all others."""
    (first, device), *others = late
    alone = {
        "dacsMessageId": first, "ackType": "SUCCESS", "whenISO": f"{day.date}T15:00:00.000Z",
        "deviceHeadendStatus": [{"deviceId": device, "headEndRegistration": "D1RE", "message": "registered"}],
    }  # fmt: skip
    act.post("enrollment_ack_message", alone)
    together = answered(f"{day.date}T15:01:00.000Z", {each: "SUCCESS" for each, _ in others})
    act.post("enrollment_ack_message", together, ends={"acked": len(others)})
    act.expect("enrollment_ack_message", effects={
        ("dacs", "sync_request"): {each: "SYNCHRONIZED" for each, _ in late},
        ("dacs", "device_registration"): {f"{first}/{device}": "D1RE"},
    })  # fmt: skip


def _checks(day: Day, asks: Act, answers: Act) -> None:
    """Questions for devices; the DERMS answers a few at a time, and every seventh device is not there."""
    asked = {f"7{day.date:%y%m%d}{number:07d}": number for number in day.customers[:CHECKS]}
    asks.planted["dacs", "device_communication"] = {id_: {"status": "PENDING"} for id_ in asked}
    for id_, number in asked.items():
        device = {"division": "EAST", "deviceType": "THERMOSTAT", "headEndSystem": ids.head_end(number),
                  "nicid": ids.nic(number)}  # fmt: skip
        body = {"communicationId": id_, "deviceInfo": device, "sentAt": f"{day.date}T13:30:00Z"}
        asks.post("device_status_check", {"sendDetails": body})
    devices = {id_: f"{ids.head_end(number)}/{ids.nic(number)}" for id_, number in asked.items()}
    asks.expect("device_status_check", effects={("derms", "status_check"): devices})
    said = {id_: "FAILURE" if place % 7 == 6 else "SUCCESS" for place, id_ in enumerate(asked)}
    for start in range(0, len(said), 5):
        part = dict(list(said.items())[start : start + 5])
        answers.post(
            "device_status_ack", answered(f"{day.date}T13:3{start // 5 + 1}:00.000Z", part), ends={"acked": len(part)}
        )
    answers.expect("device_status_ack", effects={("dacs", "device_status"): said})
