"""DACS's own batch: it imports the customers that lie in its store, which no message tells it of."""

from __future__ import annotations

import csv

from drbridge_sandbox.day.customers import EXTERNAL_ID
from drbridge_sandbox.day.made import TO_DACS, Day
from drbridge_sandbox.sandbox import Sandbox

ARRIVED = f"{TO_DACS}/customers"
CONTACTS = "C1-DCT"


def import_customers(box: Sandbox) -> set[str]:
    """Makes known to DACS who is in the contact files that have arrived; returns them."""
    people: set[str] = set()
    for name, data in box.files(ARRIVED).items():
        if name.startswith(CONTACTS):
            rows = csv.reader(data.decode().splitlines()[1:], delimiter="\t")
            people.update(row[EXTERNAL_ID] for row in rows if len(row) > EXTERNAL_ID and row[EXTERNAL_ID])
    box.far("dacs").know_customers(people)
    return people


def knows_customers(box: Sandbox, day: Day) -> bool:
    """Whether DACS and the DERMS have got all customers of the day; DACS imports what has arrived."""
    wanted = {f"P{number:09d}" for number in day.customers}
    return wanted <= box.far("derms").records("customer").keys() and wanted <= import_customers(box)
