"""Control records as DACS would write them, for tests."""

from __future__ import annotations

import csv
import json
from collections import Counter
from decimal import Decimal
from hashlib import sha256
from typing import Any


def record_of(name: str, data: bytes, **changes: Any) -> bytes:
    """The control record of a file of settlement credits; rows that are cut short are in no total."""
    header, *rows = csv.reader(data.decode().splitlines())
    totals: Counter[str] = Counter()
    for row in rows:
        if len(row) == len(header):
            totals[row[header.index("currency")]] += Decimal(row[header.index("amount")])  # type: ignore[assignment]
    told = {
        "fileName": name, "rows": len(rows), "totals": {per: str(amount) for per, amount in totals.items()},
        "sha256": sha256(data).hexdigest(),
    }  # fmt: skip
    return json.dumps(told | changes).encode()
