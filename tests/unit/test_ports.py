from __future__ import annotations

import pytest

from drbridge.ports import Call, JsonValue


@pytest.mark.parametrize(
    ("value", "wire"),
    [({"a": [1, None, True], "b": "x y"}, '{"a":[1,null,true],"b":"x y"}'), ("Zoë \u2028 \"", '"Zoë \u2028 \\""'),
     (0.1, "0.1"), (1e-7, "1e-7"), (2**70, "1180591620717411303424"), (float("nan"), "NaN")],
)  # fmt: skip
def test_json_goes_out_without_spaces_in_utf_8_and_a_missing_number_is_never_null(value: JsonValue, wire: str) -> None:
    assert Call("POST", "/there", "key", json=value).content == wire.encode()
