"""More good rows of a noun, made from a sample's first row by giving it other keys."""

from __future__ import annotations

# The columns that tell rows of a noun apart, by position, and how a number becomes an id there.
KEYS = {
    "device_score": {0: "1002003{:05d}", 1: "44:61:32:bb:{:05d}"},
    "enrollment_sync": {0: "154490369{:05d}"},
    "enrollment_ack": {0: "154490369{:05d}"},
    "event_outcome": {0: "{}", 5: "44:61:32:bb:{:05d}"},
    "load_forecast": {1: "11223{:05d}"},
    "kwh_avoided": {3: "11223{:05d}"},
    "kw_drop": {2: "11223{:05d}"},
    "network_location": {0: "9988776{:05d}"},
    "customer_contact": {3: "00123{:05d}"},
    "customer_service_point": {3: "9988776{:05d}"},
    "customer_service_agreement": {3: "EXTMS{}"},
    "settlement_request": {0: "44{:05d}"},
    "settlement_credit": {4: "880{:05d}"},
}


def many_rows(noun: str, rows: list[bytes], count: int = 40, delimiter: bytes = b",") -> list[bytes]:
    """`count` rows like the first of `rows`, each with keys of its own."""
    fields = rows[0].rstrip(b"\r\n").split(delimiter)
    made = []
    for number in range(count):
        row = list(fields)
        for column, pattern in KEYS[noun].items():
            row[column] = pattern.format(number).encode()
        made.append(delimiter.join(row) + b"\n")
    return made
