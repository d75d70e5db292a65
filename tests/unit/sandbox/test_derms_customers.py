"""The DERMS takes the customer files of the CIS, and knows from then on who is a customer."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller
from tests.unit.sandbox.test_derms_messages import enroll, verdict

CONTACT = "\t2026-07-14T06:00:00Z\tF1IC\t7001\tPERSON\tANNA LEE\t\t\t\t\tfalse\t\n"
POINT = "\t\tF1IL\t1122334455\tE-RES\tD1CN\tNORTH\t8001\tUS/Central\tUSA\t55101\n"
AGREEMENT = "\t\tF1IL\t3001\tE-RES\t7001\t8001\t2020-01-01\t\tNORTH\t20\n"


def zipped(content: bytes, members: int = 1) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(members):
            archive.writestr(f"C1-DCTIL_0033_0{number}.csv", content)
    return packed.getvalue()


def test_who_is_in_a_contact_file_is_a_known_customer(derms: Caller, far_derms: Far) -> None:
    said = derms.file("/customers", "C1-DCTEX_0033_00.csv", CONTACT.replace("7001", "7002").encode())
    assert (said.status, said.json) == (200, {"status": "ACCEPTED", "rows": 1})
    assert verdict(enroll(derms))[1] == "ERROR"
    derms.file("/customers", "C1-DCTEX_0034_00.csv", CONTACT.encode())
    assert verdict(enroll(derms))[1] == "SUCCESS"


@pytest.mark.parametrize(
    ("name", "content", "noun"),
    [
        ("C1-DSPIL_1_00.csv", POINT.encode(), "service_point"),
        ("C1-DMSIL_1_00.csv", AGREEMENT.encode(), "service_agreement"),
        ("C1-DCTIL_1_00.csv", CONTACT.replace("\t", ",").encode(), "customer"),
        ("C1-DCTIL_1_00.csv.zip", zipped(CONTACT.encode()), "customer"),
        ("C1-DCTIL_1_00.csv.gz", gzip.compress(CONTACT.encode()), "customer"),
    ],
    ids=["service points", "service agreements", "commas", "zip", "gz"],
)
def test_every_kind_and_packing_of_file_is_read(
    derms: Caller, far_derms: Far, name: str, content: bytes, noun: str
) -> None:
    assert derms.file("/customers", name, content).status == 200
    assert far_derms.counts()["effects"][noun]["keys"] == 1


def test_the_same_file_under_one_key_is_taken_once(derms: Caller, far_derms: Far) -> None:
    for _ in range(2):
        assert derms.file("/customers", "C1-DCTEX_0033_00.csv", CONTACT.encode(), key="k1").json["rows"] == 1
    assert far_derms.counts()["effects"]["customer"]["received"] == 1


def test_an_older_state_of_a_customer_after_a_newer_one_is_noticed(derms: Caller, far_derms: Far) -> None:
    derms.file("/customers", "C1-DCTEX_0034_00.csv", CONTACT.encode())
    derms.file("/customers", "C1-DCTEX_0033_00.csv", CONTACT.replace("07-14", "07-13").encode())
    assert far_derms.counts()["effects"]["customer"]["late"] == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("CUSTOMERS.csv", CONTACT.encode()),
        ("C1-DCTEX_1_00.csv", b""),
        ("C1-DCTEX_1_00.csv", CONTACT.encode() + b"\t\tF1IC\t7002\n"),
        ("C1-DCTEX_1_00.csv", CONTACT.replace("F1IC", "X").encode()),
        ("C1-DCTEX_1_00.csv", CONTACT.replace("7001", "").encode()),
        ("C1-DCTEX_1_00.csv", CONTACT.replace("false", "no").encode()),
        ("C1-DCTEX_1_00.csv", CONTACT.replace("06:00:00Z", "06:00:00").encode()),
        ("C1-DCTEX_1_00.csv", CONTACT.encode("utf-16")),
        ("C1-DSPIL_1_00.csv", POINT.replace("D1CN", "ON").encode()),
        ("C1-DCTIL_1_00.csv.zip", zipped(CONTACT.encode(), 2)),
        ("C1-DCTIL_1_00.csv.zip", zipped(CONTACT.encode())[:50]),
        ("C1-DCTIL_1_00.csv.gz", gzip.compress(CONTACT.encode())[:-9]),
    ],
    ids=["name", "empty", "short row", "flag", "no id", "life support", "time", "encoding", "status", "two members",
         "zip cut off", "gz cut off"],
)  # fmt: skip
def test_a_file_with_anything_wrong_is_refused_whole(derms: Caller, far_derms: Far, name: str, content: bytes) -> None:
    assert derms.file("/customers", name, content).status == 400
    assert far_derms.counts()["effects"] == {}
