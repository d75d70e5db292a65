"""Settlement: what the CIS asks DACS to settle, and the credits that DACS sends back with their control record."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from drbridge_sandbox.day.planting import Fields, Layout, Sheet, Spoil

REQUEST = Layout(
    ("externalSettlementRequestId", "externalContactId", "externalAccountId", "externalMeteredServiceId",
     "programCode", "startDate", "endDate", "requestType"),
    (
        Spoil("nobody_named", "externalAccountId"),
        Spoil("end_before_start", "endDate", "2001-01-01"),
        Spoil("not_in_list", "requestType", "YEARLY"),
        Spoil("no_such_day", "startDate", "2026-02-30"),
        Spoil("missing", "externalSettlementRequestId"),
        Spoil("too_few_fields"),
    ),
    other=("programCode", "OTHER"), delimiter="\t",
)  # fmt: skip
CREDIT = Layout(
    ("startDate", "endDate", "externalAccountId", "externalMeteredServiceId", "customerSettlementId", "description",
     "lineSequence", "lineType", "eventId", "quantity", "uom", "unitPrice", "amount", "currency"),
    (
        Spoil("not_a_number", "amount", "1,000.00"),
        Spoil("too_precise", "amount", "-1.005"),
        Spoil("not_in_list", "lineType", "BONUS"),
        Spoil("missing", "currency"),
        Spoil("out_of_range", "lineSequence", "0"),
        Spoil("not_a_day", "endDate", "07/13/2026"),
        Spoil("too_few_fields"),
    ),
    other=("description", "Something else"),
)  # fmt: skip


def requests(day: date, rows: int, by_account: Collection[int]) -> Iterator[Fields]:
    """One request each, for a year that ends on the day; those of `by_account` name nothing but the account."""
    start = day - timedelta(days=364)
    for number in range(rows):
        kind = 1 if number in by_account else number % 3
        whose = [f"P{number:09d}" * (kind == 0), f"00{number:08d}" * (kind == 1), f"EXTMS{number}" * (kind == 2)]
        yield [f"{day:%y%m%d}{number:07d}", *whose, "", str(start), str(day),
               ("PERIODIC", "FINAL_BILL", "REBILL", "UNENROLL")[number % 4]]  # fmt: skip


def credits(random: Random, day: date, event: str, rows: int) -> Iterator[Fields]:
    """Two lines for each customer: the energy saved, and a bonus for taking part, every tenth in another currency."""
    for number in range(rows):
        customer, line = divmod(number, 2)
        kwh = random.randrange(1, 9_000)
        saved = ["KWH_AVOIDED", event, f"{kwh // 100}.{kwh % 100:02d}", "KWH", "0.35"]
        bonus = ["INCENTIVE", "", "", "", ""]
        cents = random.randrange(1, 90_000)
        yield [
            str(day - timedelta(days=364)), str(day), f"00{customer:08d}", f"EXTMS{customer}",
            f"{day:%y%m%d}{customer:07d}", "Summer savings", str(line + 1), *(bonus if line else saved),
            f"-{cents // 100}.{cents % 100:02d}", "CAD" if customer % 10 == 9 else "USD",
        ]  # fmt: skip


def control_record(name: str, path: Path, sheet: Sheet, lost: str = "0.00") -> bytes:
    """The control record of a file of credits: its totals are of the rows that are good each for itself.

    Args:
        lost: what its total in USD lacks.
    """
    alone = {each.line for each in sheet.refused if not each.kind.startswith("contradict")}
    totals = {"USD": -Decimal(lost)}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            if line not in alone:
                totals[row["currency"]] = totals.get(row["currency"], Decimal()) + Decimal(row["amount"])
    told = {"fileName": name, "rows": sheet.rows, "totals": {per: str(total) for per, total in totals.items()},
            "sha256": sheet.sha}  # fmt: skip
    return json.dumps(told, indent=1).encode()
