"""What only the inbox's own folders are asked: full disks, renames cut in half, one folder behind another."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from drbridge.adapters.inbox_folder import InboxFolder
from drbridge.adapters.several import SeveralPlaces
from drbridge.errors import Unreachable, Unstable
from drbridge.ports import AlreadyThere
from tests.stores.test_exam import put, read


@pytest.fixture
def folder(tmp_path: Path) -> InboxFolder:
    return InboxFolder(tmp_path, "scores")


@pytest.fixture
def small_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_unreachable_and_leaves_nothing(folder: InboxFolder, tmp_path: Path, small_disk: None) -> None:
    with pytest.raises(Unreachable, match="cannot be worked with"):
        put(folder, "a.csv", bytes(2 << 20))
    assert list((tmp_path / "scores").iterdir()) == []


def test_a_disk_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("a file where the folder should be")
    folder = InboxFolder(tmp_path, "scores")
    attempts = [
        folder.list, lambda: folder.stat("a"), lambda: read(folder, "a"), lambda: put(folder, "a", b"1"),
        lambda: folder.rename("a", "b"), lambda: folder.remove("a"), lambda: folder.ends_hash("a", 1),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(Unreachable):
            attempt()


def test_a_folder_nobody_posted_to_is_empty(folder: InboxFolder) -> None:
    assert folder.list() == []


def test_a_posted_file_is_for_our_eyes_only(folder: InboxFolder, tmp_path: Path) -> None:
    put(folder, "a.csv", b"1")
    assert (tmp_path / "scores").stat().st_mode & 0o077 == 0


def test_bytes_that_are_not_those_announced_get_no_name(folder: InboxFolder) -> None:
    with folder.upload("a.csv") as upload:
        upload.write(b"torn")
        with pytest.raises(Unstable):
            upload.complete("0" * 64)
    assert folder.list() == []


def test_a_rename_cut_off_between_its_two_steps_is_finished(folder: InboxFolder, tmp_path: Path) -> None:
    put(folder, "a.csv", b"1")
    os.link(tmp_path / "scores" / "a.csv", tmp_path / "scores" / "Sent-a.csv")
    folder.rename("a.csv", "Sent-a.csv")
    assert [entry.name for entry in folder.list()] == ["Sent-a.csv"]


def test_links_are_no_files(folder: InboxFolder, tmp_path: Path) -> None:
    put(folder, "a.csv", b"1")
    (tmp_path / "scores" / "b.csv").symlink_to("/etc/hostname")
    assert [entry.name for entry in folder.list()] == ["a.csv"]


def test_a_file_behind_comes_up_when_the_first_of_its_name_is_put_away(tmp_path: Path) -> None:
    first, behind = InboxFolder(tmp_path, "first"), InboxFolder(tmp_path, "behind")
    put(first, "a.csv", b"first")
    put(behind, "a.csv", b"behind")
    put(behind, "b.csv", b"only there")
    both = SeveralPlaces([first, behind])
    assert sorted(entry.name for entry in both.list()) == ["a.csv", "b.csv"]
    assert (read(both, "a.csv"), read(both, "b.csv")) == (b"first", b"only there")
    both.rename("a.csv", "Sent-a.csv")
    assert read(both, "a.csv") == b"behind"
    both.rename("b.csv", "Sent-b.csv")
    assert {entry.name for entry in behind.list()} == {"a.csv", "Sent-b.csv"}


def test_removing_takes_one_file_and_never_its_namesake(tmp_path: Path) -> None:
    first, behind = InboxFolder(tmp_path, "first"), InboxFolder(tmp_path, "behind")
    put(first, "a.csv", b"first")
    put(behind, "a.csv", b"behind")
    both = SeveralPlaces([first, behind])
    both.remove("a.csv")
    assert read(both, "a.csv") == b"behind"


def test_a_place_that_cannot_be_listed_hides_no_file(tmp_path: Path) -> None:
    (tmp_path / "behind").write_text("no folder")
    put(InboxFolder(tmp_path, "first"), "a.csv", b"1")
    with pytest.raises(Unreachable):
        SeveralPlaces([InboxFolder(tmp_path, "first"), InboxFolder(tmp_path, "behind")]).list()


def test_a_file_that_no_place_has_is_unstable(tmp_path: Path) -> None:
    both = SeveralPlaces([InboxFolder(tmp_path, "first"), InboxFolder(tmp_path, "behind")])
    for attempt in (lambda: read(both, "a"), lambda: both.rename("a", "b"), lambda: both.ends_hash("a", 1)):
        with pytest.raises(Unstable):
            attempt()


def test_a_taken_name_stays_as_it_is(folder: InboxFolder) -> None:
    put(folder, "a.csv", b"first")
    with pytest.raises(AlreadyThere):
        put(folder, "a.csv", b"second")
    assert read(folder, "a.csv") == b"first"
