"""Mail and webhook against real servers: what goes over the line, and what every trouble there means."""

from __future__ import annotations

import hmac
import json
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from drbridge.adapters.messengers import SIGNATURE_HEADER, Mail, Webhook, messengers
from drbridge.errors import Misconfigured, Rejected, Unreachable
from drbridge.exchange.tell import Notice
from drbridge.ports import Connection
from drbridge.settings import Notify
from tests.stores import rest_server, smtp_server
from tests.stores.rest_server import RestServer
from tests.stores.smtp_server import MailServer

NOTICE = Notice(
    number="0f" * 16, kind="error", flow="dacs_derms_device_score", title="Device scores: DACS to DERMS",
    what="derms_rest cannot be worked with", subjects=("SDCSE_0042_00.csv", "Größe.csv"), more=3,
    why="derms_rest: HTTP 503", fix="call the owner of the other side", link="https://airflow.example/dags/x",
)  # fmt: skip
OWNERS = ("owner@utility.example", "night@utility.example")


@pytest.fixture
def post() -> Iterator[MailServer]:
    with smtp_server.running() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[RestServer]:
    with rest_server.running() as server:
        yield server


def webhook_of(server: RestServer, path: str, password: str = "") -> Webhook:
    return Webhook(server.connection("", password, path=path))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_mail_says_what_which_why_next_and_where(post: MailServer) -> None:
    Mail(post.connection(), "drbridge@utility.example").send(NOTICE, OWNERS)
    (mail,) = post.mails
    assert post.to == [list(OWNERS)]
    assert mail["Subject"].strip() == "[drbridge] Device scores: DACS to DERMS: derms_rest cannot be worked with"
    assert mail["From"] == "drbridge@utility.example"
    assert mail["Message-ID"] == f"<{NOTICE.number}@utility.example>"
    assert mail.get_content().splitlines() == [
        "What:  Device scores: DACS to DERMS: derms_rest cannot be worked with",
        "Which: SDCSE_0042_00.csv",
        "       Größe.csv",
        "       and 3 more",
        "Why:   derms_rest: HTTP 503",
        "Next:  call the owner of the other side",
        "Link:  https://airflow.example/dags/x",
    ]


def test_a_login_travels_on_an_encrypted_line_to_a_server_we_trust(tmp_path: Path) -> None:
    tls, trusted = smtp_server.certificate(tmp_path)
    with smtp_server.running(tls) as post:
        sure = post.connection("drbridge", "pass", disable_ssl=True, verify=str(trusted))
        Mail(sure, "drbridge@utility.example").send(NOTICE, OWNERS)
        assert len(post.mails) == 1
        wrong = post.connection("drbridge", "wrong", disable_ssl=True, verify=str(trusted))
        with pytest.raises(Misconfigured, match="smtp_default does not let us in"):
            Mail(wrong, "drbridge@utility.example").send(NOTICE, OWNERS)
        before = len(post.logins)
        stranger = post.connection("drbridge", "pass", disable_ssl=True)
        with pytest.raises(Misconfigured, match="does not let us in"):
            Mail(stranger, "drbridge@utility.example").send(NOTICE, OWNERS)
        assert len(post.logins) == before, "no password for a server that nobody vouches for"


def test_a_password_never_goes_in_the_clear(post: MailServer) -> None:
    with pytest.raises(Misconfigured, match="in the clear"):
        Mail(post.connection("drbridge", "pass", disable_ssl=True, disable_tls=True), "drbridge@utility.example")


def test_a_server_that_is_down_is_tried_again(post: MailServer) -> None:
    down = Connection("smtp_default", "smtp", "127.0.0.1", closed_port(), extra=post.connection().extra)
    with pytest.raises(Unreachable, match="cannot be reached"):
        Mail(down, "drbridge@utility.example").send(NOTICE, OWNERS)


@pytest.mark.parametrize(("answer", "kind"), [("451 later", Unreachable), ("554 Jane Doe is no spammer", Rejected)])
def test_a_refused_mail(post: MailServer, answer: str, kind: type[Exception]) -> None:
    post.answer = answer
    with pytest.raises(kind, match=f"SMTP {answer[:3]}") as refused:
        Mail(post.connection(), "drbridge@utility.example").send(NOTICE, OWNERS)
    assert answer[4:] not in str(refused.value)


def test_a_webhook_gets_the_notice_signed(hook: RestServer) -> None:
    webhook_of(hook, "/echo", "secret").send(NOTICE, ())
    (request,), (body,) = hook.seen, hook.bodies
    assert json.loads(body) == json.loads(json.dumps(NOTICE.as_dict()))
    assert request.headers["Idempotency-Key"] == NOTICE.number
    signature = hmac.new(b"secret", body, sha256).hexdigest()
    assert request.headers[SIGNATURE_HEADER] == f"sha256={signature}"
    assert "Authorization" not in request.headers


def test_a_webhook_without_a_password_is_not_signed(hook: RestServer) -> None:
    webhook_of(hook, "/echo").send(NOTICE, ())
    assert SIGNATURE_HEADER not in hook.seen[0].headers


def test_a_webhook_that_refuses_or_leads_elsewhere(hook: RestServer) -> None:
    for path, status in (("/guarded", 401), ("/redirect", 302), ("/nowhere", 404)):
        with pytest.raises(Rejected, match=f"HTTP {status}"):
            webhook_of(hook, path).send(NOTICE, ())
    with pytest.raises(Unreachable, match="cannot be reached"):
        webhook_of(hook, "/vanish").send(NOTICE, ())


def test_a_connection_of_another_type_is_our_mistake(post: MailServer) -> None:
    with pytest.raises(Misconfigured, match="of type http, not smtp"):
        messengers(Notify(mail="x"), lambda name: Connection(name, "http"))
    assert messengers(Notify(), lambda _: post.connection()) == {}
