"""Names made from the sender's are always short enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drbridge.exchange.naming import fitted


def test_a_short_name_stays_what_it_is() -> None:
    assert fitted("Sent-SDCSE_1.csv") == "Sent-SDCSE_1.csv"


def test_two_long_names_stay_two() -> None:
    assert fitted("x" * 300 + "1.csv") != fitted("x" * 300 + "2.csv")


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=400))
def test_any_name_fits(name: str) -> None:
    assert len(fitted(name).encode()) <= 255
    assert fitted(name) == fitted(name)
