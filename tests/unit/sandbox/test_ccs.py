"""The CIS hears once what became of each customer it has sent."""

from __future__ import annotations

from drbridge_sandbox.far import Far
from tests.unit.sandbox.conftest import Caller

HEALTH = "/rest/apis/common/healthCheck"
SYNC = "/rest/apis/common/sync/syncRequest/"


def test_a_sync_request_of_the_cis_ends_once(ccs: Caller, far_ccs: Far, far_dacs: Far) -> None:
    far_ccs.seed(["41"])
    body = {"syncRequestId": "41", "hasError": False}
    assert ccs.json("PATCH", SYNC + "41", body).json == {"syncRequestId": "41", "boStatus": "SYNCHRONIZED"}
    assert "already final" in ccs.json("PATCH", SYNC + "41", body).detail
    assert ccs.json("PATCH", SYNC + "42", body | {"syncRequestId": "42"}).status == 404
    assert far_ccs.calls("updateSyncRequest") == 3
    assert far_dacs.calls() == 0


def test_the_cis_lets_nobody_in_without_a_password_and_tells_its_release(ccs: Caller) -> None:
    assert ccs.call("GET", HEALTH).status == 401
    assert ccs.call("GET", HEALTH, headers=ccs.authorized()).json == {"status": "UP", "version": "23C"}
    assert ccs.json("POST", "/enroll", {}).status == 404


def test_the_cis_breaks_as_its_dial_says(ccs: Caller, far_ccs: Far) -> None:
    far_ccs.fault("status", status=503, times=1)
    body = {"syncRequestId": "41", "hasError": False}
    assert [ccs.json("PATCH", SYNC + "41", body).status for _ in range(2)] == [503, 404]
