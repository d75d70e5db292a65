"""A lazy scan by polars that counts the rows of a score file that look right, and does nothing else: no reasons, no
keys, no hash, no staging. Prints a JSON line."""

from __future__ import annotations

import json
import sys
import time

import polars as pl

TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})$"
SCORE = r"^-?\d{1,12}(?:\.\d{1,6})?$"


def main() -> None:
    started = time.perf_counter()
    longest = {"deviceId": 12, "nicId": 100, "headEndSystem": 50, "programSubscriptionId": 14, "programCode": 30}
    looks_right = pl.all_horizontal(
        *(pl.col(name).str.len_bytes().is_between(1, most) for name, most in longest.items()),
        pl.col("servicePointId").is_null() | (pl.col("servicePointId").str.len_bytes() <= 12),
        pl.col("calculationDateTime").str.contains(TIME), pl.col("deviceScore").str.contains(SCORE),
        pl.col("availabilityFlag").is_in(["Y", "N"]),
    )  # fmt: skip
    rows = pl.scan_csv(sys.argv[1], infer_schema=False, truncate_ragged_lines=True)
    counted = rows.select(right=looks_right.sum(), rows=pl.len()).collect(engine="streaming").row(0)
    print(json.dumps({"seconds": time.perf_counter() - started, "right": counted[0], "rows": counted[1]}))


if __name__ == "__main__":
    main()
