"""Events as messages: one that is held as planned, one that is cancelled, and devices that do not take part."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from random import Random

from drbridge_sandbox.day import ids, outcomes
from drbridge_sandbox.day.acts import Act, Body, Post
from drbridge_sandbox.day.made import TO_OUAI, Day
from drbridge_sandbox.day.outcomes import Stage
from drbridge_sandbox.day.planting import Layout, Plan, Sheet
from drbridge_sandbox.day.prediction import FilePrediction, Prediction, together

STATUS, RESERVATION = "event_status", "device_reservation"
LAYOUT = Layout(
    ("recordId", "nicId", "headEndSystemId", "reservationStartDateTime", "reservationEndDateTime"), (), ("recordId", "")
)
RESERVED = 40
UNAVAILABLE = 5
OUTCOMES_BY_REST = 20


def write(day: Day, scheduled: Act, reserved: Act, held: Act) -> None:
    """The event of the day's outcomes is held; another one is scheduled and cancelled."""
    first, second = outcomes.stages(day.date)[:2]
    other = [
        Stage(f"{day.date:%y%m%d}04", f"{day.date:%y%m%d}04{number}", f"{day.date}T1{number - 1}:00:00Z",
              f"{day.date}T1{number}:00:00Z") for number in (1, 2)
    ]  # fmt: skip
    for stage in (first, second, *other):
        _status(day, scheduled, stage, "SCHEDULED", "08:00", ["create"])
    _status(day, scheduled, first, "SCHEDULED", "08:30", ["create"])
    reserved.post(STATUS, _status_body(day, first, "COMPLETED", "20:00"))
    _status(day, held, first, "IN PROGRESS", "18:00", ["create", "X1IP", "F1CO"], "COMPLETED")
    held.expect(STATUS, acks={f"ST-{first.stage}-COMPLETED-20:00": "SUCCESS"})
    for status, at in (("IN PROGRESS", "20:00"), ("COMPLETED", "22:00")):
        _status(day, held, second, status, at, ["create", "X1IP", "F1CO"], "COMPLETED")
    for stage in (first, second, other[0]):
        _reserve(day, reserved, stage)
    _opt_out(day, reserved, other[0])
    _unavailable(day, reserved, held)
    _outcomes(day, held)
    _cancel(day, held, other)


def _status(day: Day, act: Act, stage: Stage, status: str, at: str, steps: Sequence[str], reached: str = "") -> None:
    body = _status_body(day, stage, status, at)
    act.post(STATUS, body)
    act.expect(
        STATUS, acks={body["messageId"]: "SUCCESS"}, steps={stage.stage: steps},
        records={("dacs", "program_event"): {stage.stage: {"status": reached or status}}},
    )  # fmt: skip


def _status_body(day: Day, stage: Stage, status: str, at: str) -> Body:
    return {
        "messageId": f"ST-{stage.stage}-{status}-{at}", "drmsInstanceId": "DERMS-EAST", "eventId": stage.event,
        "stageId": stage.stage, "programId": ids.PROGRAMS[0][1], "eventType": "ECONOMIC", "stageStatus": status,
        "startDateTime": stage.start, "endDateTime": stage.end, "sentAt": f"{day.date}T{at}:00Z",
    }  # fmt: skip


def _cancel(day: Day, act: Act, stages: Sequence[Stage]) -> None:
    """A whole event is cancelled: no stage is named, and each is cancelled."""
    number = f"ST-{stages[0].event}-CANCELED"
    body = {"messageId": number, "eventId": stages[0].event, "stageStatus": "CANCELED", "cancelReason": "Rain came",
            "sentAt": f"{day.date}T09:30:00Z"}  # fmt: skip
    act.post(STATUS, body, ends={"acked": 1 + len(stages)})
    act.expect(
        STATUS, acks={number: "SUCCESS"}, steps={each.stage: ["create", "F1CN"] for each in stages},
        records={("dacs", "program_event"): {
            each.stage: {"status": "CANCELED", "cancelReason": "Rain came"} for each in stages}},
    )  # fmt: skip


def _reserve(day: Day, act: Act, stage: Stage) -> None:
    """A message and its file; one row names no device, one is there twice."""
    path = day.folder / f"RESERVE_{stage.stage}.csv"
    effects = {}
    with Sheet(path, LAYOUT) as sheet:
        for number in day.customers[:RESERVED]:
            device = [ids.nic(number), ids.head_end(number)]
            sheet.good([str(number), *device, stage.start, stage.end])
            effects[f"{stage.stage}/{ids.head_end(number)}/{ids.nic(number)}"] = f"RESERVED|{stage.start}|{stage.end}"
        sheet.duplicate([str(number), *device, stage.start, stage.end])
        sheet.bad(["0", "", ids.head_end(0), "", ""], "missing")
    number_of_message, data = f"RS-{stage.stage}", path.read_bytes()
    body = {
        "messageId": number_of_message, "drmsInstanceId": "DERMS-EAST", "eventId": stage.event,
        "stageId": stage.stage, "programId": ids.PROGRAMS[0][1], "eventType": "ECONOMIC",
        "eventStartDateTime": stage.start, "eventEndDateTime": stage.end,
        "file": {"name": path.name, "sha256": sha256(data).hexdigest(), "rows": sheet.rows},
    }  # fmt: skip
    act.post(RESERVATION, body, file=(path.name, data), ends={"acked": sheet.accepted, "rejected": 1, "duplicate": 1})
    act.expect(RESERVATION, effects={("dacs", RESERVATION): effects}, acks={number_of_message: "ERROR"})


def _opt_out(day: Day, act: Act, stage: Stage) -> None:
    """A customer opts out of a stage: the DERMS takes back what it has reserved of the device."""
    number = day.customers[1]
    device, out = f"{ids.head_end(number)}/{ids.nic(number)}", f"OO-{day.date:%y%m%d}-1"
    key = f"{stage.stage}/{device}"
    act.planted["derms", RESERVATION] = {key: {"status": "RESERVED", "eventId": stage.event}}
    act.post("event_opt_out", {
        "messageId": out, **_device(number), "programSubscriptionId": ids.subscription(number),
        "eventId": stage.event, "stageId": stage.stage, "optOutDateTime": f"{day.date}T09:00:00Z",
        "reason": "Guests at home",
    })  # fmt: skip
    act.expect(
        "event_opt_out",
        effects={("derms", "event_opt_out"): {out: f"{stage.event}/{stage.stage}"},
                 ("derms", RESERVATION): {key: "CANCELED"}},
        records={("derms", RESERVATION): {key: {"status": "CANCELED"}}},
    )  # fmt: skip


def _unavailable(day: Day, first: Act, second: Act) -> None:
    """Some customers are away for a week; one of them is not after all."""
    start, end = f"{day.date.year + 1}-01-04T00:00:00Z", f"{day.date.year + 1}-01-11T00:00:00Z"
    posts = [(first, number, "CREATE", 9) for number in day.customers[:UNAVAILABLE]]
    posts.append((second, day.customers[0], "CANCEL", 10))
    for place, (act, number, action, hour) in enumerate(posts):
        id_ = f"UN-{day.date:%y%m%d}-{place}"
        act.post("unavailability", {"messageId": id_, **_device(number), "start": start, "end": end, "action": action,
                                    "sentAt": f"{day.date}T{hour:02d}:00:00Z"})  # fmt: skip
        period = f"{ids.head_end(number)}/{ids.nic(number)}/{start}/{end}"
        act.expect(
            "unavailability", effects={("derms", "unavailability"): {id_: action}},
            records={("derms", "unavailability"): {period: {"action": action, "messageId": id_}}},
        )  # fmt: skip


def _device(number: int) -> Body:
    return {"deviceId": f"{number:012d}", "nicId": ids.nic(number), "headEndSystem": ids.head_end(number)}


def _outcomes(day: Day, act: Act) -> None:
    """Outcomes of a small event, whose file the DERMS posts: DACS gets them row by row, OUAI the file."""
    stamp, number = f"{day.date:%Y%m%d}", f"{day.date:%y%m%d}"
    name = f"EVENT_OUTCOME_{stamp}T234500Z_{number}3-rest.csv"
    stage = Stage(f"{number}05", f"{number}051", f"{day.date}T08:00:00Z", f"{day.date}T09:00:00Z")
    rows = Plan(OUTCOMES_BY_REST, {}, frozenset(), frozenset())
    effects = {}
    with Sheet(day.folder / name, outcomes.LAYOUT) as sheet:
        for fields in outcomes.outcomes(Random(f"{name} {day.seed}"), (stage,), rows):
            sheet.good(fields)
            key, value = outcomes.effect(fields)
            effects[key] = value
    told = FilePrediction("", name, "event_outcome", sheet.sha, sheet.rows, sheet.accepted,
                          relays=(f"{TO_OUAI}/outcome",))  # fmt: skip
    act.posts.append(Post("event_outcome", file=(name, (day.folder / name).read_bytes())))
    act.expect("event_outcome", effects={("dacs", "event_outcome"): effects}, acks={f"{number}3-rest": "SUCCESS"})
    act.expected["event_outcome"] = together(act.expected["event_outcome"], Prediction((told,)))
