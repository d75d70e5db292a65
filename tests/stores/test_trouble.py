"""What stores say when something is wrong: with the line, with our settings, with our rights."""

from __future__ import annotations

import os
from collections.abc import Callable

import asyncssh
import pytest

from drbridge.adapters.s3 import S3Store
from drbridge.adapters.sftp import SftpStore
from drbridge.errors import Misconfigured, Unreachable
from drbridge.ports import FileStore
from drbridge_sandbox.children import free_ports
from drbridge_sandbox.object_store import ObjectStore
from tests.stores.places import Place, SftpPlace
from tests.stores.test_exam import read_while

LOOKS: dict[str, Callable[[FileStore], object]] = {
    "list": lambda store: store.list(),
    "stat": lambda store: store.stat("a.csv"),
    "ends_hash": lambda store: store.ends_hash("a.csv", 3),
    "open": lambda store: store.open("a.csv").__enter__(),
    "rename": lambda store: store.rename("a.csv", "b.csv"),
    "remove": lambda store: store.remove("a.csv"),
}


def stop(place: Place) -> None:
    (place.server.kill if isinstance(place.server, ObjectStore) else place.server.stop)()


def spoiled(place: Place, **extra: object) -> FileStore:
    return place.store(extra={**place.connection.extra, **extra})


def write_while(store: FileStore, something_happens: Callable[[], object]) -> None:
    with store.upload("a.csv") as upload:
        for number in range(12):
            upload.write(bytes(8 << 20))
            if number == 3:
                something_happens()
        upload.complete("")


def test_a_server_that_is_down_is_never_an_absent_file(own_place: Place) -> None:
    own_place.drop("a.csv", b"123")
    fresh, used = own_place.store(), own_place.store()
    assert used.stat("a.csv") is not None
    stop(own_place)
    for store in (fresh, used):
        for look in LOOKS.values():
            with pytest.raises(Unreachable):
                look(store)
    own_place.server.start()
    for store in (fresh, used):
        assert store.stat("a.csv") is not None


def test_a_line_that_breaks_while_reading_is_an_error(own_place: Place) -> None:
    own_place.drop("a.csv", bytes(100 << 20))
    with pytest.raises(Unreachable):
        read_while(own_place.store(), "a.csv", lambda: stop(own_place))


def test_a_line_that_breaks_while_writing_leaves_no_file_under_the_name(own_place: Place) -> None:
    store = own_place.store()
    with pytest.raises(Unreachable):
        write_while(store, lambda: stop(own_place))
    own_place.server.start()
    assert store.stat("a.csv") is None
    assert store.list() == []


def test_a_wrong_login_is_our_mistake(place: Place, kind: str) -> None:
    if kind == "openssh":
        other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        store = spoiled(place, private_key=other)
    else:
        store = place.store(password="not-the-password")
    for look in LOOKS.values():
        with pytest.raises(Misconfigured):
            look(store)


@pytest.mark.parametrize("kind", ["openssh", "asyncssh"], indirect=True)
class TestHostKeys:
    """Whom we trust is said by the connection, and nobody else is spoken to."""

    def test_another_host_key_is_refused(self, place: Place) -> None:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        with pytest.raises(Misconfigured, match="another host key"):
            spoiled(place, host_key=other).list()

    def test_no_host_key_at_all_is_refused(self, place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
        nowhere = tmp_path_factory.mktemp("none") / "known_hosts"
        with pytest.raises(Misconfigured, match="which host key to trust"):
            spoiled(place, host_key=None, known_hosts=str(nowhere)).list()

    def test_a_host_key_may_come_without_its_type(self, place: Place) -> None:
        bare = str(place.connection.extra["host_key"]).split()[1]
        assert spoiled(place, host_key=bare).list() == []

    @pytest.mark.parametrize("before", ["files.example ", "[files.example]:2222 ", "ssh-gateway,10.0.0.7 "])
    def test_a_host_key_may_be_pasted_as_ssh_keyscan_prints_it(self, before: str, place: Place) -> None:
        line = before + str(place.connection.extra["host_key"])
        assert spoiled(place, host_key=line).list() == []

    def test_a_host_key_that_is_none_is_refused(self, place: Place) -> None:
        with pytest.raises(Misconfigured, match="is no public key"):
            spoiled(place, host_key="ssh-ed25519 nonsense").list()

    def test_a_known_hosts_file_is_good_too(self, place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
        file = tmp_path_factory.mktemp("known") / "known_hosts"
        port, key = place.connection.port, place.connection.extra["host_key"]
        file.write_text(f"[127.0.0.1]:{port} {key}\n")
        assert spoiled(place, host_key=None, known_hosts=str(file)).list() == []

    def test_the_check_can_be_switched_off_by_hand_only(self, place: Place) -> None:
        assert spoiled(place, host_key=None, no_host_key_check=True).list() == []


def test_nobody_there_is_unreachable(place: Place, kind: str) -> None:
    port = free_ports(1)[0]
    store = spoiled(place, endpoint_url=f"http://127.0.0.1:{port}") if kind == "s3" else place.store(port=port)
    with pytest.raises(Unreachable):
        store.list()


def test_a_folder_that_is_not_there_is_our_mistake(place: Place, kind: str) -> None:
    if kind == "s3":
        store: FileStore = S3Store(place.connection, "no-such-bucket", "x")
        with pytest.raises(Misconfigured):
            store.stat("a.csv")
    else:
        store = SftpStore(place.connection, "no/such/folder")
        place.opened.append(store)
    with pytest.raises(Misconfigured):
        store.list()
    with pytest.raises(Misconfigured):
        write_while(store, lambda: None)


@pytest.mark.parametrize("kind", ["openssh", "asyncssh"], indirect=True)
def test_the_last_folder_is_made_when_something_is_put_into_it(place: Place) -> None:
    store = SftpStore(place.connection, f"{place.folder}/rejects")
    place.opened.append(store)
    store.remove("a.rejects.csv")
    with store.upload("a.rejects.csv") as upload:
        upload.write(b"1")
        upload.complete("")
    assert [entry.name for entry in store.list()] == ["a.rejects.csv"]


@pytest.mark.parametrize("kind", ["openssh", "asyncssh"], indirect=True)
def test_names_that_are_no_utf8_survive(place: Place) -> None:
    assert isinstance(place, SftpPlace)
    odd = os.fsdecode(b"SDCSE-\xff\xe9.csv")
    place.drop(odd, b"1")
    store = place.store()
    (entry,) = store.list()
    entry.name.encode("utf-8")
    with store.open(entry.name) as chunks:
        assert b"".join(chunks) == b"1"
    store.rename(entry.name, f"Sent-{entry.name}")
    assert set(place.files()) == {f"Sent-{odd}"}
