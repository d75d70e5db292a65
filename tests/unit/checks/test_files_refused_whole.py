"""Every reason for which a file is refused as a whole, with the line where there is one."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zipfile
from pathlib import Path

import pytest

from drbridge.checks import Limits
from drbridge.contracts import CONTRACTS
from tests.unit.checks.helpers import check
from tests.unit.good_rows import GOOD, csv_of

ACK = csv_of("enrollment_ack", {}, {"syncRequestId": "2"}, {"syncRequestId": "3"})


def refused(data: bytes, tmp_path: Path, noun: str = "enrollment_ack", **limits: int) -> tuple[str, int | None]:
    checked = check(noun, data, tmp_path, limits=Limits(**limits))
    report = checked.report
    assert report.verdict == "refused"
    assert report.accepted == 0
    assert report.rows == report.accepted + report.rejected + report.duplicate
    assert report.refusal is not None
    assert report.refusal.fix, "a refusal says what to do"
    return report.refusal.code, report.refusal.line


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_and_utf32_are_refused(encoding: str, tmp_path: Path) -> None:
    assert refused(ACK.decode().encode(encoding), tmp_path)[0] in ("utf16", "nul_byte")


def test_latin1_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refused(ACK.replace(b"3,20000000000002", "3,2é".encode("latin-1")), tmp_path) == ("not_utf8", 4)


def test_a_character_cut_in_two_at_the_end_is_refused(tmp_path: Path) -> None:
    assert refused(ACK + "é".encode()[:1], tmp_path) == ("not_utf8", 5)


def test_surrogates_and_overlong_forms_are_refused(tmp_path: Path) -> None:
    assert refused(ACK + b"\xed\xa0\x80\n", tmp_path)[0] == "not_utf8"
    assert refused(ACK + b"\xc0\xaf\n", tmp_path / "2")[0] == "not_utf8"


def test_a_nul_byte_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refused(ACK.replace(b"3,20000000000002", b"3,2\0"), tmp_path) == ("nul_byte", 4)


def test_no_bytes_at_all_are_refused(tmp_path: Path) -> None:
    assert refused(b"", tmp_path)[0] == "empty_file"
    assert refused(b"\xef\xbb\xbf", tmp_path / "2")[0] == "empty_file"
    assert refused(gzip.compress(b""), tmp_path / "3")[0] == "empty_file"


def test_a_file_without_header_is_refused(tmp_path: Path) -> None:
    assert refused(ACK.split(b"\n", 1)[1], tmp_path) == ("no_header", 1)


def test_a_blank_first_line_is_no_header(tmp_path: Path) -> None:
    assert refused(b"\n" + ACK, tmp_path) == ("no_header", 1)


def test_lines_that_end_with_carriage_returns_alone_are_no_header(tmp_path: Path) -> None:
    assert refused(ACK.replace(b"\n", b"\r"), tmp_path) == ("no_header", 1)


def test_another_delimiter_is_no_header(tmp_path: Path) -> None:
    assert refused(ACK.replace(b",", b";"), tmp_path) == ("no_header", 1)


def test_a_missing_required_column_is_refused(tmp_path: Path) -> None:
    assert refused(csv_of("enrollment_ack", {"ackStatus": None}), tmp_path) == ("missing_column", 1)


def test_a_missing_optional_column_is_fine(tmp_path: Path) -> None:
    checked = check("enrollment_ack", csv_of("enrollment_ack", {"sourceFileName": None}), tmp_path)
    assert checked.report.verdict == "accepted"
    assert "sourceFileName" not in checked.frame.columns


def test_a_double_column_is_refused(tmp_path: Path) -> None:
    assert refused(ACK.replace(b",messageText,", b",messageNumber,"), tmp_path) == ("double_column", 1)


@pytest.mark.parametrize("name", [b"trailer", b"SyncRequestId", b" messageText", b"", b"KwDrop1"])
def test_an_unknown_column_is_refused(name: bytes, tmp_path: Path) -> None:
    assert refused(ACK.replace(b"messageText", name, 1), tmp_path) == ("unknown_column", 1)


@pytest.mark.parametrize(("old", "new", "code"), [
    (b"KwhSaved3", b"KwhSaved10", "missing_column"), (b"KwhSaved3", b"KwhSaved2", "double_column"),
    (b"KwhSaved3", b"KwhSaved03", "missing_column"), (b",KwhSaved9", b",KwhSavedX", "unknown_column"),
    (b",KwhSaved9", b",KwhSaved0", "unknown_column"), (b",KwhSaved9", b",KwhSaved\xd9\xa9", "unknown_column"),
])  # fmt: skip
def test_interval_columns_are_numbered_from_1_without_a_gap(old: bytes, new: bytes, code: str, tmp_path: Path) -> None:
    assert refused(csv_of("kwh_avoided", {}).replace(old, new), tmp_path, "kwh_avoided") == (code, 1)


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    assert refused(ACK + b'4,"x,SUCCESS\n5,y\n', tmp_path) == ("open_quote", 5)
    assert refused(b'"' + ACK, tmp_path / "2") == ("open_quote", 1)


def test_a_last_line_without_line_end_and_with_an_open_quote_is_refused(tmp_path: Path) -> None:
    assert refused(ACK + b'4,"x', tmp_path) == ("open_quote", 5)


@pytest.mark.parametrize("rest", [b"4", b"4,x", b",,,,,,,,,", b'4,"x"y', b" ", b"\r"])
def test_a_last_line_without_line_end_and_with_the_wrong_field_count_is_refused(rest: bytes, tmp_path: Path) -> None:
    assert refused(ACK + rest, tmp_path) == ("cut_off", 5)


def test_a_whole_last_line_without_line_end_is_fine(tmp_path: Path) -> None:
    checked = check("enrollment_ack", ACK.rstrip(b"\n"), tmp_path)
    assert checked.report.verdict == "accepted"
    assert checked.blocks[-1].raw()[-1] == ACK.splitlines()[-1], "no line end is made up"


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_field_over_one_megabyte_is_refused(quote: bytes, tmp_path: Path) -> None:
    row = csv_of("event_outcome", {}).replace(b"\n", b"", 1)
    data = csv_of("event_outcome", {"nicId": "1"}) + row.split(b"errorMessage")[1].rstrip(b"\n") + quote
    assert refused(data + b"x" * 1_000_001 + quote + b"\n", tmp_path / "1", "event_outcome") == ("field_too_long", 3)
    fits = check("event_outcome", data + b"x" * 1_000_000 + quote + b"\n", tmp_path / "2")
    assert fits.report.refusal is None
    assert fits.report.warning_counts == {"cut": 1}


def test_an_open_quote_is_given_up_after_one_megabyte(tmp_path: Path) -> None:
    data = ACK + b'4,"' + b"x\n" * 2_000_000
    assert refused(data, tmp_path, block_bytes=1 << 20) == ("field_too_long", 5)


def test_a_row_without_end_is_refused(tmp_path: Path) -> None:
    assert refused(ACK + b"x," * 2_000_000, tmp_path, max_row_bytes=2_000_000, block_bytes=1 << 20)[0] == "row_too_long"


def test_a_file_over_the_size_limit_is_refused_and_still_hashed(tmp_path: Path) -> None:
    checked = check("enrollment_ack", ACK, tmp_path, limits=Limits(max_bytes=len(ACK) - 1), chunk=50)
    assert checked.refusal == "too_large"
    assert checked.report.bytes == len(ACK)
    assert checked.report.sha256 == hashlib.sha256(ACK).hexdigest()


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    assert refused(gzip.compress(ACK)[:-9], tmp_path)[0] == "truncated"
    assert refused(gzip.compress(ACK)[:2], tmp_path / "2")[0] == "truncated"


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(ACK))
    data[-6] ^= 1
    assert refused(bytes(data), tmp_path)[0] == "broken_archive"


def test_a_gzip_of_two_members_is_refused(tmp_path: Path) -> None:
    assert refused(gzip.compress(ACK) + gzip.compress(b"x"), tmp_path)[0] == "not_one_member"
    assert refused(gzip.compress(ACK) + b"trailing", tmp_path / "2")[0] == "not_one_member"


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    assert refused(gzip.compress(gzip.compress(ACK)), tmp_path)[0] == "nested_archive"
    assert refused(gzip.compress(zipped(ACK)), tmp_path / "2")[0] == "nested_archive"
    assert refused(zipped(gzip.compress(ACK)), tmp_path / "3")[0] == "nested_archive"


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(data)])
def test_what_blows_up_past_the_limit_is_refused(pack, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bomb = pack(ACK + (b"x" * 999 + b"\n") * 20_000)
    assert refused(bomb, tmp_path, max_unpacked_bytes=5_000_000)[0] == "unpacks_too_large"


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    assert refused(zipped(ACK)[:-30], tmp_path)[0] == "truncated"


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(ACK, method=zipfile.ZIP_STORED))
    data[60] ^= 1
    assert refused(bytes(data), tmp_path)[0] == "broken_archive"


def test_a_zip_of_two_members_or_none_is_refused(tmp_path: Path) -> None:
    assert refused(zipped(ACK, ACK), tmp_path)[0] == "not_one_member"
    assert refused(zipped(), tmp_path / "2")[0] == "not_one_member"
    assert refused(zipped(ACK, name="folder/"), tmp_path / "3")[0] == "not_one_member"


def test_a_zip_that_hides_a_member_from_its_directory_is_refused(tmp_path: Path) -> None:
    one, two = zipped(ACK, ACK), zipped(ACK)
    directory = two.index(b"PK\x01\x02")
    hidden = bytearray(one[: one.index(b"PK\x01\x02")] + two[directory:])
    end = hidden.rindex(b"PK\x05\x06")
    hidden[end + 16 : end + 20] = one.index(b"PK\x01\x02").to_bytes(4, "little")
    assert refused(bytes(hidden), tmp_path)[0] == "not_one_member"


def test_rows_before_the_break_count_as_rejected(tmp_path: Path) -> None:
    checked = check("enrollment_ack", ACK + b'4,"x', tmp_path)
    assert (checked.report.rows, checked.report.rejected, checked.report.accepted) == (3, 3, 0)


def test_header_only_is_zero_rows_and_a_success(tmp_path: Path) -> None:
    for noun in GOOD:
        header = csv_of(noun)
        checked = check(noun, header, tmp_path / noun)
        if noun in {"event_outcome", "device_reservation"}:
            assert checked.refusal == "no_rows"
        else:
            assert (checked.report.verdict, checked.report.rows) == ("accepted", 0)
            assert checked.report.header == header


def zipped(*members: bytes, method: int = zipfile.ZIP_DEFLATED, name: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for number, data in enumerate(members):
            archive.writestr(name or f"{number}.csv", data)
    return out.getvalue()


@pytest.mark.parametrize("after", [b"x", ACK, gzip.compress(ACK), b"x" * 200_000], ids=["x", "csv", "gzip", "much"])
def test_a_zip_followed_by_something_else_is_refused(after: bytes, tmp_path: Path) -> None:
    assert refused(zipped(ACK) + after, tmp_path) == ("not_one_member", None)


def test_two_zips_in_a_row_are_refused(tmp_path: Path) -> None:
    assert refused(zipped(ACK) + zipped(ACK), tmp_path)[0] == "not_one_member"


def test_a_zip_with_a_comment_is_read(tmp_path: Path) -> None:
    out = io.BytesIO(zipped(ACK))
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"from DACS"
    assert check("enrollment_ack", out.getvalue(), tmp_path).report.verdict == "accepted"
    assert refused(out.getvalue()[:-1], tmp_path / "2")[0] == "truncated"


@pytest.mark.parametrize("long_form", [False, True])
def test_a_zip_of_many_members_is_refused_before_its_directory_is_loaded(
    long_form: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped(*[b"x"] * 300)
    end = data.rindex(b"PK\x05\x06")
    directory = data.index(b"PK\x01\x02")
    if long_form:
        long_end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 300, 300, end - directory, directory)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
        short_end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        data = data[:end] + long_end + locator + short_end
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert refused(data, tmp_path)[0] == "not_one_member"


def test_a_zip_in_the_long_form_is_read(tmp_path: Path) -> None:
    data = zipped(ACK)
    end, directory = data.rindex(b"PK\x05\x06"), data.index(b"PK\x01\x02")
    long_end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, end - directory, directory)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    short_end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    checked = check("enrollment_ack", data[:end] + long_end + locator + short_end, tmp_path)
    assert checked.report.verdict == "accepted"


@pytest.mark.parametrize(
    "start", ['"a"', "a\rb", 'a"b', '"a" "b'], ids=["text after", "lone return", "quote in", "two"]
)
@pytest.mark.parametrize("block_bytes", [1 << 20, 8 << 20])
def test_a_field_over_one_megabyte_is_refused_in_a_badly_written_row_too(
    start: str, block_bytes: int, tmp_path: Path
) -> None:
    data = csv_of("device_score", {}, {"headEndSystem": start + "x" * 1_000_001}, {"nicId": "3"})
    assert refused(data, tmp_path, "device_score", block_bytes=block_bytes) == ("field_too_long", 3)


def test_a_badly_written_row_of_small_fields_costs_one_row_however_long_it_is(tmp_path: Path) -> None:
    data = csv_of("device_score", {}) + b'a"b' + b",1" * 600_000 + b"\n"
    checked = check("device_score", data, tmp_path, limits=Limits(block_bytes=1 << 20), chunk=1 << 19)
    assert (checked.accepted, checked.rejected) == ({2}, {3: {("", "bad_quoting")}})


def test_doubled_quotes_count_once_in_a_field_that_is_not_finished(tmp_path: Path) -> None:
    data = csv_of("event_outcome", {"errorMessage": '"' + '""' * 600_000 + '"'})
    checked = check("event_outcome", data, tmp_path, limits=Limits(block_bytes=1 << 20), chunk=1 << 19)
    assert checked.accepted == {2}


@pytest.mark.parametrize("rest", [b"100\r200", b'4,"a"\r,', b"4\r,x"])
def test_a_last_line_without_line_end_is_not_believed_for_a_lone_carriage_return(rest: bytes, tmp_path: Path) -> None:
    assert refused(ACK + rest, tmp_path) == ("cut_off", 5)


def test_a_last_line_of_the_right_field_count_is_whole_and_its_fault_its_own(tmp_path: Path) -> None:
    last = ACK.splitlines()[-1].replace(b"Unknown", b"Unk\rnown")
    checked = check("enrollment_ack", ACK + last, tmp_path)
    assert checked.rejected == {5: {("", "lone_carriage_return")}}


@pytest.mark.parametrize(("noun", "name"), [
    ("load_forecast", "KwReduction"), ("kwh_avoided", "KwhSaved"), ("kw_drop", "KwDrop"),
])  # fmt: skip
def test_more_intervals_than_are_taken_have_a_reason_of_their_own(noun: str, name: str, tmp_path: Path) -> None:
    fixed = ",".join(each.name for each in CONTRACTS[noun].columns)
    most = ",".join(f"{name}{number}" for number in range(1, 10_001))
    assert check(noun, f"{fixed},{most}\n".encode(), tmp_path / "1").report.verdict == "accepted"
    checked = check(noun, f"{fixed},{most},{name}10001\n".encode(), tmp_path / "2")
    assert checked.refusal == "too_many_intervals"
    text = str(checked.report.refusal)
    assert f"'{name}10001'" in text
    assert "10,000" in text
    assert "10,000" in CONTRACTS[noun].documented[-1].rule
    assert check(noun, f"{fixed},{name}1,{name}999999\n".encode(), tmp_path / "3").refusal == "missing_column"


def test_a_header_with_several_faults_tells_all_of_them(tmp_path: Path) -> None:
    data = csv_of("kw_drop", {}).replace(b"EventId", b"Event", 1).replace(b"KwDrop3", b"KwDrop2", 1)
    refusal = check("kw_drop", data.replace(b"KwDrop8", b"KwDrop10001", 1), tmp_path).report.refusal
    assert refusal is not None
    assert (refusal.code, refusal.line) == ("double_column", 1)
    for told in ("'KwDrop2' more than once", "lacks 'EventId', 'KwDrop3'", "'KwDrop10001'", "'Event', which is not"):
        assert told in str(refusal)
    for fix in ("remove the repetition", "add what is missing", "use longer intervals", "remove or rename it"):
        assert fix in refusal.fix
