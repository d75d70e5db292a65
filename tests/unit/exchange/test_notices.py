"""What is written down to be told, on both databases: once, to whom the settings say, without anything private."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select, update

from drbridge.errors import Misconfigured, Rejected, RetryLater, Unreachable
from drbridge.exchange.desk import Desk
from drbridge.exchange.notices import Failure, of_failure, of_message, of_nothing, works_again
from drbridge.exchange.tell import Notice, tell
from drbridge.ledger import intakes, targets
from drbridge.ledger.intakes import Arrival, Fingerprint
from drbridge.ledger.tables import notices, sightings
from drbridge.settings import Notify

FLOW, TITLE = "dacs_derms_device_score", "Device scores: DACS to DERMS"
OTHER_FLOW = "ouai_derms_load_forecast"
SETTINGS = Notify(mail="smtp_default", to=("owner@x.example",), to_process=("user@x.example",), process_nofile=True)
DOWN = RetryLater("3 rows could not be sent yet", detail="Jane Doe", fix="nothing: they go by themselves")


@dataclass
class Kept:
    """A way of telling that keeps what it is given, or has the trouble it is told to have."""

    sent: list[tuple[Notice, Sequence[str]]] = field(default_factory=list)
    trouble: Exception | None = None

    def send(self, notice: Notice, recipients: Sequence[str]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.sent.append((notice, recipients))

    @property
    def notices(self) -> list[Notice]:
        return [notice for notice, _ in self.sent]


def told_by(desk: Desk, **settings: object) -> Desk:
    notify = SETTINGS.model_copy(update=settings)
    return replace(desk, systems=desk.systems.model_copy(update={"notify": notify}))


def sending(error: Exception = DOWN, flow: str = FLOW) -> Failure:
    return Failure(flow, "send", error, link=f"dags/{flow}/runs/1/tasks/send", calls_targets=True)


def taking(file: str, error: Exception) -> Failure:
    return Failure(FLOW, "take", error, file, f"dags/{FLOW}/runs/1/tasks/take/mapped/0")


def outage(desk: Desk) -> None:
    with desk.ledger.write() as tx:
        for _ in range(targets.FAILURES_TO_OPEN):
            targets.failed(tx, "derms_rest", "HTTP 503")


def test_nothing_configured_nothing_told(desk: Desk) -> None:
    assert not of_failure(desk, sending())
    of_nothing(desk, FLOW)
    with desk.ledger.read() as tx:
        assert tx.execute(select(notices)).all() == []


def test_flags_off_nothing_told(desk: Desk) -> None:
    silent, mail = told_by(desk, error=False, process_nofile=False), Kept()
    assert not of_failure(silent, sending())
    of_nothing(silent, FLOW)
    assert tell(silent, {"mail": mail}) == 0


def test_an_outage_is_told_once_whichever_flow_meets_it(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    outage(told)
    assert of_failure(told, sending())
    tell(told, {"mail": mail}, "https://airflow.example/")
    for flow in (FLOW, OTHER_FLOW):
        outage(told)
        assert not of_failure(told, sending(flow=flow))
    assert tell(told, {"mail": mail}) == 0
    ((notice, to),) = mail.sent
    assert to == ("owner@x.example",)
    assert (notice.what, notice.why) == ("derms_rest cannot be worked with", "HTTP 503")
    assert notice.fix == "nothing: they go by themselves"
    assert notice.link == f"https://airflow.example/dags/{FLOW}/runs/1/tasks/send"
    assert "Jane Doe" not in notice.text


def test_the_next_outage_is_told_again(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    outage(told)
    of_failure(told, sending())
    tell(told, {"mail": mail})
    with told.ledger.write() as tx:
        targets.succeeded(tx, "derms_rest")
    outage(told)
    assert of_failure(told, sending())
    assert tell(told, {"mail": mail}) == 1


def test_a_task_that_goes_on_failing_is_told_once_until_it_works(desk: Desk) -> None:
    told, mail, error = told_by(desk), Kept(), Unreachable("dacs_files cannot be reached", fix="call DACS")
    for _ in range(3):
        of_failure(told, Failure(FLOW, "files_waiting", error))
        tell(told, {"mail": mail})
    assert [notice.why for notice in mail.notices] == ["dacs_files cannot be reached"]
    works_again(told, FLOW, "files_waiting")
    assert of_failure(told, Failure(FLOW, "files_waiting", error))


def test_files_with_the_same_trouble_share_a_message(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    for number in range(25):
        of_failure(told, taking(f"SDCSE_{number:02}.csv", Unreachable("dacs_files cannot be reached")))
    assert tell(told, {"mail": mail}) == 1
    (notice,) = mail.notices
    assert (len(notice.subjects), notice.more) == (20, 5)
    assert "and 5 more" in notice.text


def test_an_error_that_is_not_ours_shows_its_kind_and_nothing_it_says(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    of_failure(told, taking("a.csv", ValueError("could not convert 'Jane Doe'")))
    of_failure(told, Failure(FLOW, "send", None))
    tell(told, {"mail": mail})
    assert [notice.why for notice in mail.notices] == [
        "it ended unexpectedly (ValueError)",
        "it ended unexpectedly (its process was ended)",
    ]
    assert all(notice.fix.startswith("open the link") for notice in mail.notices)


def test_a_file_name_with_line_ends_stays_one_line(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    of_failure(told, taking("a\r\nBcc: thief@x.example\r\n\r\nboo\0\udcff.csv", Misconfigured("no rights")))
    tell(told, {"mail": mail})
    assert mail.notices[0].subjects == ("a??Bcc: thief@x.example????boo??.csv",)


def test_what_cannot_be_told_waits_and_is_given_up_after_a_day(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    told, mail = told_by(desk), Kept(trouble=Unreachable("smtp_default cannot be reached"))
    of_failure(told, taking("a.csv", Misconfigured("no rights")))
    assert tell(told, {"mail": mail}) == 0
    mail.trouble = None
    assert tell(told, {"mail": mail}) == 1
    of_failure(told, taking("b.csv", Misconfigured("no rights")))
    with told.ledger.write() as tx:
        tx.execute(update(notices).values(made_at=notices.c.made_at - 86_500))
    with caplog.at_level(logging.ERROR):
        assert tell(told, {"mail": mail}) == 0
    assert "Never told by mail" in caplog.text
    assert "b.csv" in caplog.text


def test_one_refused_mail_keeps_no_other_from_going(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()

    class Picky(Kept):
        def send(self, notice: Notice, recipients: Sequence[str]) -> None:
            if "a.csv" in notice.subjects:
                raise Rejected("smtp_default refuses this mail")
            mail.send(notice, recipients)

    of_failure(told, taking("a.csv", Misconfigured("no rights")))
    of_failure(told, taking("b.csv", Misconfigured("no space")))
    assert tell(told, {"mail": Picky()}) == 1
    assert mail.notices[0].subjects == ("b.csv",)


def test_a_mail_server_that_is_down_does_not_keep_the_webhook_from_it(desk: Desk) -> None:
    told = told_by(desk, webhook="chat")
    mail, hook = Kept(trouble=Unreachable("down")), Kept()
    of_failure(told, taking("a.csv", Misconfigured("no rights")))
    assert tell(told, {"mail": mail, "webhook": hook}) == 1
    mail.trouble = None
    assert tell(told, {"mail": mail, "webhook": hook}) == 1
    assert len(mail.sent) == len(hook.sent) == 1
    assert mail.notices[0].number == hook.notices[0].number


def test_messages_with_the_same_trouble_share_a_mail(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    with told.ledger.write() as tx:
        for number in ("M1", "M2", "M2"):
            of_message(told, tx, FLOW, number, "http_409", "ask DERMS")
    tell(told, {"mail": mail})
    (notice,) = mail.notices
    assert (notice.subjects, notice.why, notice.fix) == (("M1", "M2"), "the other side answered HTTP 409", "ask DERMS")


def test_a_day_without_a_file_is_told_once_and_a_day_with_one_is_not(desk: Desk) -> None:
    told, mail = told_by(desk), Kept()
    of_nothing(told, FLOW)
    of_nothing(told, FLOW)
    tell(told, {"mail": mail})
    ((notice, to),) = mail.sent
    assert (notice.kind, notice.what, to) == ("no_file", "no file came within a day", ("user@x.example",))
    flow = told.systems.flow(OTHER_FLOW)
    with told.ledger.write() as tx:
        arrival = Arrival("load_forecast", "aa", "", "LOAD_FORECAST_1.csv", flow.source, 1, 2, 2, 0, 0, None, None, 1.0)
        intake = intakes.add(tx, arrival, {}, [])
        assert intake is not None
        intakes.sight(tx, intake, flow.source, Fingerprint("LOAD_FORECAST_1.csv", 1, 1.0, "ab"))
    of_nothing(told, OTHER_FLOW)
    assert tell(told, {"mail": mail}) == 0
    with told.ledger.write() as tx:
        tx.execute(update(sightings).values(seen_at=sightings.c.seen_at - 90_000))
    of_nothing(told, OTHER_FLOW)
    assert tell(told, {"mail": mail}) == 1


def test_business_users_are_those_of_the_flow_else_of_its_systems_else_all() -> None:
    all_of = {"to": ("o@x",), "to_process": ("p@x",)}
    of = {"dacs": ("dacs@x",), "derms": ("derms@x",), OTHER_FLOW: ("forecast@x",)}
    notify = Notify.model_validate({"mail": "m", "to_process_of": of, **all_of})
    assert notify.recipients("complete", FLOW) == ("dacs@x", "derms@x")
    assert notify.recipients("partial", OTHER_FLOW) == ("forecast@x",)
    assert notify.recipients("error", FLOW) == ("o@x",)
    assert notify.recipients("no_file", "ccs_cis_customers") == ("p@x",)


@pytest.mark.parametrize("address", ["a@x\nBcc: b@x", "nobody", "a@x, b@x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Notify(to=(address,))
