"""Master data as messages: rules of programs, aggregators, and what DACS made of the customers of the CIS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

from drbridge_sandbox.day import ids
from drbridge_sandbox.day.acts import ONE_ACKED, Act, Body
from drbridge_sandbox.day.made import Day

AGGREGATORS = 3
CUSTOMERS_ACKED = 10
RULES, RULES_ACK, AGGREGATOR, AGGREGATOR_ACK = "program_rules", "program_rules_ack", "aggregator", "aggregator_ack"


def answered(when: str, verdicts: Mapping[str, str], why_not: str = "It cannot be reached") -> Body:
    """One acknowledgement of several requests: SUCCESS, ERROR or FAILURE for each."""
    good = set(verdicts.values()) == {"SUCCESS"}
    responses = [
        {"id": str(place), "dacsMessageId": id_, "responseCode": code, "responseTimeISO": when,
         "value": "Done" if code == "SUCCESS" else why_not}
        for place, (id_, code) in enumerate(verdicts.items(), 1)
    ]  # fmt: skip
    frame = {"ackType": "SUCCESS" if good else "ERROR", "whenISO": when, "responses": {"response": responses}}
    return {"MsgAck": frame}


def write(day: Day, first: Act, second: Act, third: Act) -> None:
    """First act: all programs and aggregators. Second: one of each changes, which the DERMS decides later.

    Third: its word on them, and an older word on a program, which must not undo the newer. One aggregator is deleted
    in DACS, which tells nobody.
    """
    stamp = f"{day.date:%y%m%d}"
    for number, (program_id, code) in enumerate(ids.PROGRAMS):
        _rules(day.date, first, f"1{stamp}8{number:06d}", program_id, code, 6)
    for number in range(AGGREGATORS):
        _aggregator(day.date, first, f"1{stamp}9{number:06d}", number, 6, changes=number + 1)
    changed = ids.PROGRAMS[0]
    _rules(day.date, second, f"1{stamp}8000100", *changed, 9, late=True)
    _aggregator(day.date, second, f"1{stamp}9000100", 0, 9, changes=AGGREGATORS + 1, late=True)
    for noun, sync_id in ((RULES_ACK, f"1{stamp}8000100"), (AGGREGATOR_ACK, f"1{stamp}9000100")):
        word = {"dacsMessageId": sync_id, "ackType": "SUCCESS", "whenISO": f"{day.date}T09:30:00.000Z"}
        third.post(noun, word)
        third.expect(noun, effects={("dacs", "sync_request"): {sync_id: "SYNCHRONIZED"}})
    _delete(day.date, third, AGGREGATORS - 1, changes=AGGREGATORS + 2)
    older = f"1{stamp}8000200"
    third.post(RULES, _rules_body(day.date, older, *changed, 8), ends={"superseded": 1})
    third.seeds.setdefault("dacs", []).append(older)
    third.expect(RULES, effects={("dacs", "sync_request"): {older: "SYNCHRONIZED"}})


def customers(day: Day, act: Act) -> None:
    """DACS's word on the first customers of the CIS's file; one it could not use."""
    requests = [f"7{number:09d}" for number in day.customers[:CUSTOMERS_ACKED]]
    verdicts = {id_: "ERROR" if place == CUSTOMERS_ACKED // 2 else "SUCCESS" for place, id_ in enumerate(requests)}
    act.seeds["ccs"] = requests
    act.post(
        "customers_ack",
        answered(f"{day.date}T07:00:00.000Z", verdicts, "No such division"),
        ends={"acked": len(verdicts)},
    )
    there = {id_: "SYNCHRONIZED" if code == "SUCCESS" else "ERROR" for id_, code in verdicts.items()}
    act.expect("customers_ack", effects={("ccs", "sync_request"): there})


def _rules(day: date, act: Act, sync_id: str, program_id: str, code: str, hour: int, *, late: bool = False) -> None:
    body = _rules_body(day, sync_id, program_id, code, hour)
    value = "|".join(f"{rule['action']} {rule['ruleId']}" for rule in body["rules"])
    act.post(RULES, body)
    act.expect(
        RULES, effects={("derms", "program_rules"): {sync_id: value}},
        records={("derms", "program"): {program_id: {"dacsMessageId": sync_id, "programCode": code}}},
    )  # fmt: skip
    _expect_word(act, RULES, sync_id, late)


def _rules_body(day: date, sync_id: str, program_id: str, code: str, hour: int) -> Body:
    rules = [
        {"ruleId": "EVENTS", "action": "ASSOCIATE", "allowEventDays": ["MON", "TUE", "WED", "THU", "FRI"],
         "allowHolidays": False, "windowStart": "14:00", "windowEnd": "21:30", "maxEventsPerCycle": hour,
         "cycleFrequency": "SEASON", "minDurationMinutes": 30, "maxDurationMinutes": 240, "noticeMinutes": 120},
        {"ruleId": f"OVERRIDES-{hour}", "action": "UPDATE", "maxOverrides": 2, "overridable": True},
        {"ruleId": "WEEKENDS", "action": "DISASSOCIATE"},
    ]  # fmt: skip
    return {
        "syncRequestId": sync_id, "changeDateTime": f"{day}T{hour:02d}:00:00Z", "programId": program_id,
        "programCode": code, "name": f"Program {code}", "status": "ACTIVE", "startDate": f"{day.year}-01-01",
        "endDate": f"{day.year}-12-31", "timeZone": "America/Chicago", "rules": rules,
    }  # fmt: skip


def _aggregator(day: date, act: Act, sync_id: str, number: int, hour: int, *, changes: int, late: bool = False) -> None:
    """An aggregator as it is now.

    Args:
        changes: of any aggregator that the DERMS has heard of then.
    """
    id_, reference = _aggregator_ids(day, number)
    act.post(AGGREGATOR, {
        "syncRequestId": sync_id, "changeDateTime": f"{day}T{hour:02d}:00:00Z", "aggregatorId": id_,
        "externalReferenceId": reference, "externalSystem": "DERMS", "serviceProviderType": "DER Aggregator",
        "status": "ACTIVE", "startDate": f"{day.year}-01-01", "protocol": "IEEE2030.5",
        "contact": {"contactId": f"C-{number}", "name": "Bo Beispiel", "email": "bo@example.org", "phone": "555-0101"},
        "programOfferings": [{"programCode": code, "startDate": f"{day.year}-01-01"} for _, code in ids.PROGRAMS],
    })  # fmt: skip
    act.expect(
        AGGREGATOR, keys={("derms", "aggregator"): changes},
        records={("derms", "aggregator"): {id_: {"status": "ACTIVE", "dacsMessageId": sync_id}}},
    )  # fmt: skip
    act.planted.setdefault(("dacs", "aggregator"), {})[id_] = {
        "externalReferenceId": reference, "status": "ACTIVE"}  # fmt: skip
    _expect_word(act, AGGREGATOR, sync_id, late)


def _aggregator_ids(day: date, number: int) -> tuple[str, str]:
    """Id and external reference: each day has aggregators of its own, for one that was deleted never comes back."""
    return f"3{day:%y%m%d}{number:02d}", f"AGG-{day:%y%m%d}-{number + 1}"


def _delete(day: date, act: Act, number: int, changes: int) -> None:
    """DACS deletes an aggregator without a word: whoever compares both lists tells the DERMS."""
    id_, _ = _aggregator_ids(day, number)
    act.deleted["dacs", "aggregator"] = [id_]
    act.expect(
        AGGREGATOR, keys={("derms", "aggregator"): changes},
        records={("derms", "aggregator"): {id_: {"status": "INACTIVE"}}},
    )  # fmt: skip
    act.books.setdefault(AGGREGATOR, Counter()).update(ONE_ACKED)


def _expect_word(act: Act, noun: str, sync_id: str, late: bool) -> None:
    act.seeds.setdefault("dacs", []).append(sync_id)
    if not late:
        act.expect(noun, effects={("dacs", "sync_request"): {sync_id: "SYNCHRONIZED"}})
