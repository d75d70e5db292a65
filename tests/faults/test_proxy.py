"""The proxy itself: what both ends of a line see of each fault."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.faults.proxy import Cut, Fault, Proxy, proxied

ANSWER = b"a" * 1_000


@dataclass
class Server:
    """Answers every chunk with a thousand bytes, and keeps what it got and how each connection ended."""

    listener: socket.socket
    got: bytes = b""
    ends: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                taken, _ = self.listener.accept()
            except OSError:
                return
            with taken:
                self._answer(taken)

    def _answer(self, taken: socket.socket) -> None:
        try:
            while chunk := taken.recv(65_536):
                self.got += chunk
                taken.sendall(ANSWER)
            self.ends.append("fin")
        except OSError as error:
            self.ends.append(type(error).__name__)


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Server(listener)
        thread = threading.Thread(target=made.serve)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied("127.0.0.1", server.port) as made:
        yield made


def ask(proxy: Proxy, sent: bytes = b"q" * 100) -> tuple[bytes, str]:
    """What a client that sends so much gets, and how its connection ends; it waits a second for more."""
    got = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=1.0) as client:
        client.sendall(sent)
        try:
            while len(got) < len(ANSWER) and (chunk := client.recv(65_536)):
                got += chunk
        except OSError as error:
            return got, type(error).__name__
    return got, "fin" if len(got) < len(ANSWER) else "whole"


def wait_for_end(server: Server) -> str:
    for _ in range(500):
        if server.ends:
            return server.ends[0]
        time.sleep(0.01)
    return "open"


def test_a_line_with_no_fault_passes_everything(proxy: Proxy, server: Server) -> None:
    assert ask(proxy) == (ANSWER, "whole")
    assert (server.got, wait_for_end(server)) == (b"q" * 100, "fin")
    assert (proxy.connections, proxy.cuts, proxy.passed) == (1, 0, {"up": 100, "down": 1_000})


@pytest.mark.parametrize(("how", "seen"), [("rst", "ConnectionResetError"), ("fin", "fin"), ("stall", "TimeoutError")])
def test_an_answer_is_cut_at_the_very_byte(proxy: Proxy, how: str, seen: str) -> None:
    proxy.fault = Fault(down=Cut(how, 512))  # type: ignore[arg-type]
    assert ask(proxy) == (ANSWER[:512], seen)
    assert proxy.cuts == 1
    assert ask(proxy) == (ANSWER, "whole"), "one cut, no more"


@pytest.mark.parametrize(("how", "seen"), [("rst", "ConnectionResetError"), ("fin", "fin"), ("stall", "open")])
def test_a_request_is_cut_at_the_very_byte(proxy: Proxy, server: Server, how: str, seen: str) -> None:
    proxy.fault = Fault(up=Cut(how, 64))  # type: ignore[arg-type]
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5.0) as client:
        client.sendall(b"q" * 100)
        while how == "stall" and len(server.got) < 64:
            time.sleep(0.01)
        end = "open" if how == "stall" else wait_for_end(server)
        assert (server.got, end) == (b"q" * 64, seen)
        assert how != "stall" or not server.ends
    assert proxy.cuts == 1


def test_a_cut_strikes_as_often_as_it_is_told_and_counts_over_all_connections(proxy: Proxy) -> None:
    proxy.fault = Fault(up=Cut("rst", 250, times=2))
    ends = [ask(proxy)[1] for _ in range(8)]
    assert [number for number, end in enumerate(ends) if end != "whole"] == [2, 5]
    assert proxy.cuts == 2


def test_a_cut_that_lasts_keeps_new_connections_out_until_the_fault_is_over(proxy: Proxy) -> None:
    proxy.fault = Fault(up=Cut("rst", 64, lasts=True))
    assert ask(proxy)[1] == "ConnectionResetError"
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)
    proxy.fault = Fault()
    assert ask(proxy) == (ANSWER, "whole")


def test_a_delay_makes_every_chunk_late(proxy: Proxy) -> None:
    proxy.fault = Fault(delay=0.2)
    begun = time.monotonic()
    assert ask(proxy) == (ANSWER, "whole")
    assert time.monotonic() - begun >= 0.4


def test_connections_are_refused_until_they_are_not(proxy: Proxy) -> None:
    proxy.fault = Fault(refuses=True)
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)
    proxy.fault = Fault()
    assert ask(proxy) == (ANSWER, "whole")


def test_a_black_hole_takes_everything_and_answers_nothing(proxy: Proxy, server: Server) -> None:
    proxy.fault = Fault(blackhole=True)
    assert ask(proxy) == (b"", "TimeoutError")
    assert (server.got, proxy.connections) == (b"", 1)


def test_a_proxy_that_closes_leaves_nothing_open(server: Server) -> None:
    with proxied("127.0.0.1", server.port, Fault(down=Cut("stall"))) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=5.0)
        client.sendall(b"q")
        while not proxy.cuts:
            time.sleep(0.01)
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert wait_for_end(server) == "ConnectionResetError"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
