"""What is read of a file: encodings, line ends, quotes, line numbers, and the rows as they came."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drbridge.checks import FileCheck, Limits
from drbridge.contracts import CONTRACTS
from drbridge.errors import Misconfigured, Unreachable, Unstable
from drbridge.spans import Spans
from tests.unit.checks.helpers import NOW, check, opener
from tests.unit.good_rows import GOOD, csv_of

NAMES = list(GOOD["event_outcome"])
THREE = csv_of("event_outcome", {"nicId": "00123"}, {"nicId": "NA"}, {"nicId": "null"})


def outcome(**changes: str) -> list[str]:
    return [changes.get(name, value) for name, value in GOOD["event_outcome"].items()]


def written(*rows: list[str], quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator=end).writerows([NAMES, *rows])  # type: ignore[arg-type]
    return out.getvalue().encode()


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_utf8_with_or_without_mark_and_both_line_ends_are_read(bom: bytes, end: bytes, tmp_path: Path) -> None:
    data = bom + THREE.replace(b"\n", end)
    checked = check("event_outcome", data, tmp_path)
    assert checked.report.verdict == "accepted"
    assert checked.frame["line"].to_list() == [2, 3, 4]
    assert checked.report.header + b"".join(checked.blocks[0].raw().to_list()) == data
    assert checked.report.columns == tuple(NAMES)
    assert "\r" not in "".join(value or "" for row in checked.frame.drop("line").rows() for value in row)


def test_ids_stay_the_text_they_are(tmp_path: Path) -> None:
    assert check("event_outcome", THREE, tmp_path).frame["nicId"].to_list() == ["00123", "NA", "null"]


def test_an_empty_field_is_null_and_an_absent_column_is_absent(tmp_path: Path) -> None:
    frame = check("event_outcome", csv_of("event_outcome", {"recordId": None, "servicePointId": ""}), tmp_path).frame
    assert frame["servicePointId"].to_list() == [None]
    assert "recordId" not in frame.columns


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block_bytes", [64, 1 << 23])
def test_quoted_commas_quotes_and_line_breaks_are_read(
    quoting: int, end: str, block_bytes: int, tmp_path: Path
) -> None:
    odd = ["a,b", 'say "no"', "two\nlines", "two\r\nlines", '"', "\n", '","', "ünï,cödé 😀"]
    rows = [outcome(nicId=text, errorMessage=text) for text in odd]
    data = written(*rows, quoting=quoting, end=end)
    checked = check("event_outcome", data, tmp_path, limits=Limits(block_bytes=block_bytes), chunk=10)
    blank = [text for text in odd if not text.strip()]
    assert checked.frame["nicId"].to_list() == [text for text in odd if text not in blank]
    assert [each.code for each in checked.report.problems()] == ["missing"] * len(blank)
    assert b"".join(piece for block in checked.blocks for piece in block.raw()) == data[
        len(checked.report.header) :
    ].replace(
        written(outcome(nicId="\n", errorMessage="\n"), quoting=quoting, end=end)[len(checked.report.header) :], b""
    )


def test_line_numbers_are_those_an_editor_shows(tmp_path: Path) -> None:
    lines = (written() + written(
        outcome(nicId="1", errorMessage="one\ntwo\nthree"), outcome(nicId="2"), outcome(nicId="3", outcome="NO"),
        outcome(nicId="4\r\n4"), outcome(nicId="5", outcome="NO"),
    )[len(written()) :])  # fmt: skip
    checked = check("event_outcome", lines, tmp_path)
    assert checked.frame["line"].to_list() == [2, 5, 7]
    assert sorted(checked.rejected) == [6, 9]


def test_a_header_over_several_lines_counts_its_lines(tmp_path: Path) -> None:
    data = csv_of("event_outcome", {"outcome": "NO"}).replace(b"recordId", b'"record\nId"', 1)
    assert check("event_outcome", data, tmp_path / "1").refusal == "unknown_column"
    quoted = csv_of("event_outcome", {"outcome": "NO"}).replace(b"recordId", b'"recordId"', 1)
    assert sorted(check("event_outcome", quoted, tmp_path / "2").rejected) == [2]


def test_a_blank_line_is_a_refused_row(tmp_path: Path) -> None:
    checked = check("event_outcome", THREE + b"\n" + THREE.split(b"\n")[1].replace(b"00123", b"4") + b"\n\n", tmp_path)
    assert checked.rejected == {5: {("", "field_count")}, 7: {("", "field_count")}}
    assert checked.report.accepted == 4


@pytest.mark.parametrize("noun", GOOD)
def test_a_row_with_too_few_or_too_many_fields_is_refused(noun: str, tmp_path: Path) -> None:
    good = csv_of(noun, {}).splitlines(keepends=True)
    data = good[0] + good[1].replace(b"\n", b",\n") + good[1] + good[1].split(b",", 1)[1]
    checked = check(noun, data, tmp_path)
    assert checked.rejected == {2: {("", "field_count")}, 4: {("", "field_count")}}
    assert checked.accepted == {3}


def test_quotes_out_of_place_cost_one_row_and_the_next_line_is_read(tmp_path: Path) -> None:
    good = THREE.splitlines(keepends=True)
    data = good[0] + b'a"b,' + good[1] + good[1] + b'"x"y,' + good[2] + good[3]
    checked = check("event_outcome", data, tmp_path)
    assert checked.rejected == {2: {("", "bad_quoting")}, 4: {("", "bad_quoting")}}
    assert checked.accepted == {3, 5}


def test_text_after_a_quote_that_closes_lines_later_resumes_after_that_line(tmp_path: Path) -> None:
    good = THREE.splitlines(keepends=True)
    checked = check("event_outcome", good[0] + b'"one\ntwo"three,\n' + good[1], tmp_path)
    assert checked.rejected == {2: {("", "bad_quoting")}}
    assert checked.accepted == {4}


def test_a_lone_carriage_return_outside_quotes_is_refused(tmp_path: Path) -> None:
    data = written(outcome(nicId="1")) + THREE.splitlines(keepends=True)[1].replace(b"9001", b"90\r01")
    checked = check("event_outcome", data, tmp_path)
    assert checked.rejected == {3: {("", "lone_carriage_return")}}


def test_a_byte_order_mark_inside_the_file_is_text(tmp_path: Path) -> None:
    rows = [outcome(recordId="\ufeff1", nicId=str(number)) for number in range(20)]
    checked = check("event_outcome", written(*rows), tmp_path, limits=Limits(block_bytes=100))
    assert set(checked.frame["recordId"]) == {"\ufeff1"}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_may_be_agreed(delimiter: str, tmp_path: Path) -> None:
    data = THREE.replace(b",", delimiter.encode())
    assert check("event_outcome", data, tmp_path, delimiter=delimiter).frame.height == 3


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("pack", ["plain", "gzip", "zip", "stored zip"])
def test_compression_is_told_by_content_and_the_hash_is_of_the_file_as_it_lies(
    pack: str, chunk: int, tmp_path: Path
) -> None:
    packed = {"plain": THREE, "gzip": gzip.compress(THREE), "zip": _zip(zipfile.ZIP_DEFLATED),
              "stored zip": _zip(zipfile.ZIP_STORED)}[pack]  # fmt: skip
    checked = check("event_outcome", packed, tmp_path, chunk=chunk)
    assert checked.report.verdict == "accepted"
    assert checked.report.sha256 == hashlib.sha256(packed).hexdigest()
    assert checked.report.bytes == len(packed)
    assert checked.report.header + b"".join(checked.blocks[0].raw().to_list()) == THREE
    assert checked.opened == 1


def _zip(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("EVENT.csv", THREE)
    return out.getvalue()


def test_a_zip_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr("EVENT.csv", THREE)
    assert check("event_outcome", pipe.data, tmp_path).report.verdict == "accepted"


def test_rejects_show_each_refused_row_as_it_came(tmp_path: Path) -> None:
    rows = [outcome(nicId="1", outcome="NO", errorMessage='say "no"\nor'), outcome(nicId="2"), outcome(nicId="")]
    data = written(*rows, end="\r\n")
    checked = check("event_outcome", data, tmp_path)
    with checked.report.rejects_path.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [(each["line"], each["field"], each["code"]) for each in found] == [
        ("2", "outcome", "not_in_list"), ("5", "nicId", "missing"),
    ]  # fmt: skip
    as_it_came = written(rows[0], end="\r\n")[len(written(end="\r\n")) : -2].decode()
    assert found[0]["row"] == as_it_came
    assert found[0].keys() == {"line", "field", "code", "text", "row"}


def test_a_failing_source_is_the_callers_business(tmp_path: Path) -> None:
    @contextmanager
    def open_file(_spans: Spans | None = None) -> Iterator[Iterator[bytes]]:
        def chunks() -> Iterator[bytes]:
            yield THREE
            raise Unreachable("the line was cut")

        yield chunks()

    run = FileCheck(CONTRACTS["event_outcome"], workdir=tmp_path, now=NOW)
    with pytest.raises(Unreachable):
        list(run.blocks(open_file))


def test_a_source_that_changes_before_its_conflicts_are_shown_is_unstable(tmp_path: Path) -> None:
    data = csv_of("event_outcome", {}, {"recordId": "2"})
    contents = iter([data, data.replace(b"9001", b"9002")])
    run = FileCheck(CONTRACTS["event_outcome"], workdir=tmp_path, now=NOW)
    with pytest.raises(Unstable):
        list(run.blocks(lambda spans=None: opener(next(contents), 100)(spans)))


def test_nothing_is_left_in_the_work_folder_but_the_report(tmp_path: Path) -> None:
    check("event_outcome", _zip(zipfile.ZIP_DEFLATED), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["problems.csv", "warnings.csv"]


def test_commas_inside_quotes_do_not_make_up_for_a_lost_field(tmp_path: Path) -> None:
    good = ",".join(GOOD["enrollment_ack"].values())
    out_of_place = good.replace("Unknown", 'Unk"nown').replace("15449036987850", "1")
    one_less = good.replace("Unknown service point", '"Unknown, service"', 1).replace(",SP 9|X,", ",")
    data = "\n".join([",".join(GOOD["enrollment_ack"]), out_of_place, one_less, good, ""]).encode()
    checked = check("enrollment_ack", data, tmp_path)
    assert checked.rejected == {2: {("", "bad_quoting")}, 3: {("", "field_count")}}
    assert checked.accepted == {4}


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "\0", "", ",,", "é"])
def test_what_cannot_separate_fields_is_a_wrong_setting(delimiter: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        FileCheck(CONTRACTS["event_outcome"], workdir=tmp_path, now=NOW, delimiter=delimiter)
