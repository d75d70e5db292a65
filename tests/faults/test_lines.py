"""Lines that break, hang or never come about: what our stores and flows make of them."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import asyncssh
import pytest

from drbridge import loop
from drbridge.adapters import s3_client, sftp, sftp_session, sftp_transfer
from drbridge.adapters.http import HttpTarget
from drbridge.adapters.s3 import S3Store
from drbridge.adapters.sftp import SftpStore
from drbridge.errors import Unreachable, WrongLogin
from drbridge.exchange.desk import Desk
from drbridge.exchange.work import Work
from drbridge.ledger import targets
from drbridge.ports import Call, Connection, FileStore, Lost, Outside, RestTarget
from drbridge_sandbox.sandbox import Sandbox
from tests.conftest import needs_openssh
from tests.faults.journeys import credits
from tests.faults.proxy import WAYS, Cut, Fault, How, Proxy, proxied
from tests.flows import chain
from tests.flows.conftest import connection_of
from tests.flows.control_records import record_of
from tests.stores.conftest import asyncssh_server
from tests.stores.places import SftpPlace, sftp_place

__all__ = ["asyncssh_server"]

LISTING = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 158\r\n\r\n"
    b"<ListBucketResult><Contents><Key>prefix/a.csv</Key><Size>1</Size><LastModified>2026-07-14T12:00:00Z</LastModified>"
    b"<ETag>x</ETag></Contents></ListBucketResult>"
)
HEAD = (
    b'HTTP/1.1 200 OK\r\nETag: "0123456789abcdef0123456789abcdef"\r\nLast-Modified: Tue, 14 Jul 2026 12:00:00 GMT\r\n'
    b"Content-Length: 150480\r\n\r\n"
)


DATA = random.Random(20_260_714).randbytes(100_000)


@contextmanager
def saying(answer: bytes, pause: float = 0.0) -> Iterator[Connection]:
    """A server that says the same to everybody, at once or byte by byte with pauses, and hangs up."""

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            with taken, suppress(ConnectionError):
                taken.recv(65_536)
                for piece in [answer] if not pause else (bytes([byte]) for byte in answer):
                    taken.sendall(piece)
                    time.sleep(pause)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = int(listener.getsockname()[1])
        extra = {"endpoint_url": f"http://127.0.0.1:{port}"}
        try:
            yield Connection("cut", "aws", "127.0.0.1", port, "a", "b", "http", extra)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_listing_that_came_whole_is_believed() -> None:
    with saying(LISTING) as connection:
        assert [entry.name for entry in S3Store(connection, "bucket", "prefix").list()] == ["a.csv"]


@pytest.mark.parametrize("after", [b"OK\r\n", b"xml\r\n", b"Length: 1", b"158\r\n", b"\r\n\r\n", b"<Contents>"])
def test_a_listing_that_was_cut_is_not_an_empty_bucket(after: bytes) -> None:
    with saying(LISTING[: LISTING.index(after) + len(after)]) as connection, pytest.raises(Unreachable):
        S3Store(connection, "bucket", "prefix").list()


@pytest.mark.parametrize("after", [b"OK\r\n", b'ETag: "0123', b"GMT\r\n", b"Length: 15", b"150480\r\n"])
def test_an_object_whose_description_was_cut_is_not_another_object(after: bytes) -> None:
    with saying(HEAD[: HEAD.index(after) + len(after)]) as connection, pytest.raises(Unreachable):
        S3Store(connection, "bucket", "prefix").stat("a.csv")


@pytest.fixture(params=["openssh", "asyncssh"])
def place(request: pytest.FixtureRequest) -> Iterator[SftpPlace]:
    """A folder with one file in it."""
    if request.param == "openssh":
        needs_openssh()
    server = request.getfixturevalue("content_server" if request.param == "openssh" else "asyncssh_server")
    made = sftp_place(server, "lines")
    made.drop("a.csv", DATA)
    yield made
    made.close()


@pytest.fixture
def line(place: SftpPlace) -> Iterator[Proxy]:
    with proxied("127.0.0.1", place.server.port) as proxy:  # type: ignore[attr-defined]
        yield proxy


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a second."""
    for module, name in (
        (sftp, "STALL_SECONDS"), (sftp_transfer, "STALL_SECONDS"), (sftp_session, "CONNECT_SECONDS"),
        (sftp_session, "LOGIN_SECONDS"), (s3_client, "CONNECT_SECONDS"), (s3_client, "READ_SECONDS"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, 1.0)


def cuts(line: Proxy, count: int) -> list[Fault]:
    """So many cuts at bytes by chance, of those that passed each way."""
    dice = random.Random(20_260_714)
    hows: tuple[How, ...] = ("rst", "fin")
    found = []
    for _ in range(count):
        up, down = (Cut(dice.choice(hows), dice.randrange(line.passed[way]), lasts=True) for way in WAYS)
        found += [Fault(up=up), Fault(down=down)]
    return found


def names_by_way_of(line: Proxy, place: SftpPlace) -> list[str]:
    store = place.store(port=line.port)
    try:
        return [entry.name for entry in store.list()]
    finally:
        store.close()


def test_an_ssh_line_cut_at_any_byte_is_never_an_empty_folder(place: SftpPlace, line: Proxy) -> None:
    line.fault = Fault()
    assert names_by_way_of(line, place) == ["a.csv"]
    for fault in cuts(line, 10):
        line.fault = fault
        try:
            assert names_by_way_of(line, place) == ["a.csv"], fault
        except Unreachable:
            continue
        assert line.cuts == 0 or line.passed["down"] > 3_000, "nothing was listed over a line that was cut before"


def upload_by_way_of(line: Proxy, place: SftpPlace) -> None:
    store = place.store(port=line.port)
    try:
        with store.upload("b.csv") as upload:
            upload.write(DATA)
            upload.complete("")
    finally:
        store.close()


def test_an_upload_cut_at_any_byte_leaves_no_part_of_it_under_its_name(place: SftpPlace, line: Proxy) -> None:
    line.fault = Fault()
    upload_by_way_of(line, place)
    for fault in cuts(line, 8):
        (place.path / "b.csv").unlink(missing_ok=True)
        line.fault = fault
        with suppress(Unreachable):
            upload_by_way_of(line, place)
        shown = {name: data for name, data in place.files().items() if not name.startswith(".drbridge-")}
        assert shown in ({"a.csv": DATA}, {"a.csv": DATA, "b.csv": DATA}), (fault, sorted(shown))


@dataclass(frozen=True)
class Elsewhere:
    """The outside with the far side of one connection changed."""

    real: Outside
    connection: Connection

    def store(self, url: str) -> FileStore:
        conn_id, _, folder = url.removeprefix("sftp://").partition("/")
        return SftpStore(self.connection, folder) if conn_id == self.connection.conn_id else self.real.store(url)

    def target(self, conn_id: str) -> RestTarget:
        return self.real.target(conn_id)


def run_thrice(desk: Desk, box: Sandbox, to: Connection) -> None:
    """Three files, and the schedule wakes their flow three times."""
    for number in range(3):
        journey = credits(3 + number)
        name, data = next(iter(journey.files.items()))
        name = name.replace("T06", f"T0{number}")
        box.drop(journey.source, f"{name}.control.json", record_of(name, data))
        box.drop(journey.source, name, data)
    for _ in range(3):
        chain.run(replace(desk, outside=Elsewhere(desk.outside, to)), journey.flow, Work())


def test_a_server_with_too_many_logins_is_tried_again_later_and_then_left_alone(desk: Desk, box: Sandbox) -> None:
    """sshd's MaxStartups: it hangs up before it says who it is."""
    real = connection_of(box, "cis_files")
    with saying(b"Exceeded MaxStartups\r\n") as rude, proxied("127.0.0.1", rude.port or 0) as line:
        run_thrice(desk, box, replace(real, port=line.port))
        assert 1 < line.connections <= targets.FAILURES_TO_OPEN
    with desk.ledger.read() as tx:
        health = targets.health(tx, "cis_files")
    assert (health.failures, health.stopped) == (line.connections, False)


def test_a_wrong_key_is_tried_exactly_once_whatever_waits_for_it(desk: Desk, box: Sandbox) -> None:
    needs_openssh()
    real = connection_of(box, "cis_files")
    wrong = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with proxied("127.0.0.1", real.port or 0) as line:
        run_thrice(desk, box, replace(real, port=line.port, extra={**real.extra, "private_key": wrong}))
        assert line.connections == 1
    with desk.ledger.read() as tx:
        assert targets.health(tx, "cis_files").stopped


def test_a_wrong_key_is_told_as_a_wrong_login(place: SftpPlace, line: Proxy) -> None:
    wrong = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    extra = {**place.connection.extra, "private_key": wrong}
    store = place.store(port=line.port, password="", extra=extra)
    with pytest.raises(WrongLogin):
        store.list()
    assert line.connections == 1


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "fault", [Fault(blackhole=True), Fault(down=Cut("stall", 2_000)), Fault(up=Cut("stall", 1_000))]
)
def test_a_half_open_line_to_a_content_server_has_a_deadline(place: SftpPlace, line: Proxy, fault: Fault) -> None:
    line.fault = fault
    with pytest.raises(Unreachable):
        place.store(port=line.port).list()


@pytest.mark.usefixtures("_impatient")
def test_a_half_open_line_to_object_storage_has_a_deadline() -> None:
    with saying(LISTING) as connection, proxied("127.0.0.1", connection.port or 0, Fault(blackhole=True)) as line:
        extra = {"endpoint_url": f"http://127.0.0.1:{line.port}"}
        with pytest.raises(Unreachable):
            S3Store(replace(connection, extra=extra), "bucket", "prefix").list()


def post_to(connection: Connection) -> None:
    async def post() -> None:
        target = HttpTarget(connection, deadline=0.5)
        try:
            await target.call(Call("POST", "/", "key", json={"a": 1}))
        finally:
            await target.close()

    loop.run(post())


def test_an_answer_that_comes_byte_by_byte_has_a_deadline() -> None:
    """Slow-loris: each byte comes in time, the answer does not."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with saying(answer, pause=0.05) as connection, pytest.raises(Lost):
        post_to(replace(connection, conn_type="http", extra={}))


def test_a_half_open_line_to_a_rest_side_has_a_deadline() -> None:
    with (
        saying(b"") as connection,
        proxied("127.0.0.1", connection.port or 0, Fault(blackhole=True)) as line,
        pytest.raises(Lost),
    ):
        post_to(replace(connection, conn_type="http", port=line.port, extra={}))


@pytest.mark.usefixtures("_impatient")
def test_a_greeting_that_comes_byte_by_byte_has_a_deadline(place: SftpPlace) -> None:
    with saying(b"SSH-2.0-drip\r\n" * 20, pause=0.05) as drip:
        store = place.store(port=drip.port)
        with pytest.raises(Unreachable):
            store.list()
