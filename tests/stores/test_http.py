"""What a REST target promises: what was not sent is known, what may have arrived is never called unsent."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drbridge import loop
from drbridge.adapters import http
from drbridge.adapters.http import HttpTarget
from drbridge.errors import Misconfigured
from drbridge.ports import Call, Connection, FilePart, Lost, NotSent, Reply
from drbridge_sandbox.children import free_ports
from tests.stores.rest_server import RestServer, running
from tests.stores.smtp_server import certificate


@pytest.fixture
def server() -> Iterator[RestServer]:
    with running() as started:
        yield started


def with_target(
    connection: Connection, work: Callable[[HttpTarget], Awaitable[object]], deadline: float = 60.0
) -> object:
    async def run() -> object:
        target = HttpTarget(connection, deadline=deadline)
        try:
            return await work(target)
        finally:
            await target.close()

    return loop.run(run())


def call(connection: Connection, sent: Call, deadline: float = 60.0) -> Reply:
    reply = with_target(connection, lambda target: target.call(sent), deadline)
    assert isinstance(reply, Reply)
    return reply


def post(path: str, body: object = None, key: str = "k1") -> Call:
    return Call("POST", path, key, json=body or {"a": 1})  # type: ignore[arg-type]


def test_json_goes_with_its_key_and_login(server: RestServer) -> None:
    reply = call(server.connection(), Call("PATCH", "/echo", "k1", json={"naïve": [1, None]}))
    assert (reply.status, json.loads(reply.body)) == (200, {"method": "PATCH"})
    (seen,) = server.seen
    assert seen.headers["Idempotency-Key"] == "k1"
    assert seen.headers["Authorization"] == "Basic " + b64encode(b"me:pass").decode()
    assert seen.headers["Content-Type"] == "application/json"
    assert json.loads(server.bodies[0]) == {"naïve": [1, None]}
    assert reply.seconds > 0


def test_a_read_carries_no_key(server: RestServer) -> None:
    call(server.connection(), Call("GET", "/echo", "k1"))
    assert "Idempotency-Key" not in server.seen[0].headers


def test_a_port_that_refuses_means_not_sent() -> None:
    nobody = Connection("x", "http", "127.0.0.1", free_ports(1)[0], schema="http")
    with pytest.raises(NotSent):
        call(nobody, post("/echo"))


def test_a_name_that_nobody_knows_means_not_sent() -> None:
    with pytest.raises(NotSent):
        call(Connection("x", "http", "nobody.invalid", schema="http"), post("/echo"))


def test_a_server_without_tls_means_not_sent(server: RestServer) -> None:
    with pytest.raises(NotSent):
        call(Connection("x", "http", "127.0.0.1", server.port, schema="https"), post("/echo"))
    assert server.bodies == []


def test_a_certificate_that_nobody_vouches_for_means_not_sent_unless_it_is_named(tmp_path: Path) -> None:
    tls, trusted = certificate(tmp_path)
    with running(tls) as server:
        for verify in ({}, {"verify": True}, {"verify": "true"}):
            with pytest.raises(NotSent):
                call(replace(server.connection(**verify), schema="https"), post("/echo"))
        assert server.bodies == []
        for verify in ({"verify": str(trusted)}, {"verify": False}):
            assert call(replace(server.connection(**verify), schema="https"), post("/echo")).status == 200


def test_a_server_that_takes_no_connection_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.3)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        started = time.monotonic()
        with pytest.raises(NotSent):
            call(Connection("x", "http", "127.0.0.1", full.getsockname()[1], schema="http"), post("/echo"))
        assert time.monotonic() - started < 3
        for filler in fillers:
            filler.close()


def test_a_line_closed_before_the_answer_means_lost(server: RestServer) -> None:
    for method in ("POST", "PUT", "PATCH"):
        with pytest.raises(Lost):
            call(server.connection(), Call(method, "/vanish", "k1", json={}))
    assert len(server.bodies) == 3


def test_a_used_connection_that_breaks_is_not_tried_again_behind_our_back(server: RestServer) -> None:
    async def twice(target: HttpTarget) -> None:
        await target.call(post("/echo"))
        with pytest.raises(Lost):
            await target.call(Call("PUT", "/vanish", "k2", json={}))

    with_target(server.connection(), twice)
    assert len(server.bodies) == 2


def test_an_answer_that_drips_means_lost_at_the_deadline(server: RestServer) -> None:
    started = time.monotonic()
    with pytest.raises(Lost):
        call(server.connection(), post("/drip"), deadline=0.5)
    assert time.monotonic() - started < 3


def test_the_deadline_grows_with_the_body() -> None:
    """A server that never reads: 1 MB gives a second more than no body."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        connection = Connection("x", "http", "127.0.0.1", deaf.getsockname()[1], schema="http")
        started = time.monotonic()
        with pytest.raises(Lost):
            call(connection, post("/echo", {"a": "x" * 1_000_000}), deadline=0.2)
        assert 1.1 < time.monotonic() - started < 4


def test_an_answer_that_is_no_http_means_lost() -> None:
    with socket.socket() as babbler:
        babbler.bind(("127.0.0.1", 0))
        babbler.listen()

        def babble() -> None:
            line, _ = babbler.accept()
            with line:
                line.recv(65_536)
                line.sendall(b"220 mail.example ready\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(Lost):
            call(Connection("x", "http", "127.0.0.1", babbler.getsockname()[1], schema="http"), post("/echo"))
        thread.join()


def test_a_redirect_is_returned_and_not_followed(server: RestServer) -> None:
    reply = call(server.connection(), post("/redirect"))
    assert (reply.status, reply.headers["location"], server.seen) == (302, "/echo", [])


def test_an_answer_of_five_megabytes_is_read_and_a_larger_one_means_lost(server: RestServer) -> None:
    assert len(call(server.connection(), Call("GET", "/big?size=5000000", "")).body) == 5_000_000
    with pytest.raises(Lost):
        call(server.connection(), Call("GET", "/big?size=6000000", ""))


def test_eight_callers_fetch_one_token(server: RestServer) -> None:
    async def eight(target: HttpTarget) -> list[int]:
        replies = await asyncio.gather(*(target.call(post("/guarded", key=f"k{n}")) for n in range(8)))
        return [reply.status for reply in replies]

    assert with_target(server.oauth(), eight) == [200] * 8
    assert (server.tokens, server.counts["client_credentials"]) == (1, 1)
    assert server.seen[0].headers["Authorization"] == "Basic " + b64encode(b"me:pass").decode()


def test_a_refused_token_is_fetched_anew_once_for_all(server: RestServer) -> None:
    async def before_and_after(target: HttpTarget) -> list[int]:
        await target.call(post("/guarded"))
        server.good_token = "token-2"
        replies = await asyncio.gather(*(target.call(post("/guarded", key=f"k{n}")) for n in range(8)))
        return [reply.status for reply in replies]

    assert with_target(server.oauth(), before_and_after) == [200] * 8
    assert server.tokens == 2
    assert server.counts["refused"] == 8


def test_a_token_that_stays_refused_ends_as_401(server: RestServer) -> None:
    server.accepts = "another"
    assert call(server.oauth(), post("/guarded")).status == 401
    assert (server.tokens, server.counts["refused"]) == (2, 2)


def test_a_token_is_fetched_anew_before_it_ends(server: RestServer) -> None:
    server.token_life = 0.5

    async def wait(target: HttpTarget) -> None:
        for _ in range(2):
            await target.call(post("/guarded"))
        await asyncio.sleep(0.45)
        await target.call(post("/guarded"))

    with_target(server.oauth(), wait)
    assert (server.tokens, server.counts["refused"]) == (2, 0)


def test_every_token_is_told_for_masking(server: RestServer) -> None:
    told: list[str] = []

    async def run() -> None:
        target = HttpTarget(server.oauth(token_login="post"), told.append)
        await target.call(post("/guarded"))
        await target.close()

    loop.run(run())
    assert told == ["token-1"]
    assert "Authorization" not in server.seen[0].headers


@pytest.mark.parametrize(("status", "error"), [(400, Misconfigured), (401, Misconfigured), (500, NotSent)])
def test_no_token_means_nothing_was_sent(server: RestServer, status: int, error: type[Exception]) -> None:
    server.token_status = status
    with pytest.raises(error):
        call(server.oauth(), post("/guarded"))
    assert server.counts["refused"] == 0


def part(name: str, size: int, given: int | None = None) -> FilePart:
    def content() -> Iterator[bytes]:
        left = size if given is None else given
        while left > 0:
            yield bytes(min(left, 1 << 20))
            left -= 1 << 20

    return FilePart(name, size, content)


def test_a_file_goes_as_one_part_with_its_length(server: RestServer) -> None:
    name = 'scores "of" 1\n%é.csv'
    reply = call(server.connection(), Call("POST", "/file", "k1", file=part(name, (9 << 20) + 5)))
    assert reply.status == 202
    ((field, filename, content_type, size),) = json.loads(reply.body)
    assert (field, content_type, size) == ("file", "text/csv", (9 << 20) + 5)
    assert "\n" not in filename
    assert "Content-Length" in server.seen[0].headers
    assert "Transfer-Encoding" not in server.seen[0].headers


@pytest.mark.parametrize("given", [100, 2_000_000])
def test_a_file_of_another_length_than_said_is_broken_off(server: RestServer, given: int) -> None:
    with pytest.raises(Lost):
        call(server.connection(), Call("POST", "/file", "k1", file=part("a.csv", 1_000_000, given)), deadline=5)


def test_a_token_refused_in_the_middle_sends_the_whole_file_again(server: RestServer) -> None:
    server.good_token = "token-1"

    async def stale(target: HttpTarget) -> int:
        await target.call(post("/guarded"))
        server.good_token = "token-2"
        return (await target.call(Call("POST", "/guarded", "k1", file=part("a.csv", 3 << 20)))).status

    assert with_target(server.oauth(), stale) == 200


def test_nothing_of_body_or_login_is_logged(server: RestServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        call(server.connection("me", "s3cret-word"), post("/echo", {"customer": "Jane Roe"}))
        with pytest.raises(Lost) as lost:
            call(server.connection("me", "s3cret-word"), post("/vanish", {"customer": "Jane Roe"}))
    for text in (caplog.text, str(lost.value)):
        assert "Jane" not in text
        assert "s3cret" not in text


@pytest.mark.parametrize(
    ("host", "port", "schema", "base"),
    [
        ("h", None, "", "https://h"),
        ("h", 8443, "https", "https://h:8443"),
        ("http://h/", 80, "https", "http://h:80"),
        ("h/base/", None, "", "https://h/base"),
    ],
)
def test_the_address_is_put_together_from_the_connection(host: str, port: int | None, schema: str, base: str) -> None:
    assert http.base_address(Connection("x", "http", host, port, schema=schema)) == base


def test_a_connection_that_says_nonsense_is_our_mistake() -> None:
    for connection in (
        Connection("x", "http"),
        Connection("x", "http", "h", extra={"auth": "kerberos"}),
        Connection("x", "http", "h", extra={"auth": "oauth2"}),
        Connection("x", "http", "h", extra={"verify": "/no/such/file"}),
    ):
        with pytest.raises(Misconfigured):
            call(connection, post("/echo"))
