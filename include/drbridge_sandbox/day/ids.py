"""Who and what takes part: the same device has the same ids in every file of a day, and on every day."""

from __future__ import annotations

from datetime import date

HEAD_ENDS = ("ECOBEE", "NEST", "HONEYWELL", "SENSI")
PROGRAMS = (("10000000000001", "SUMMER-TSTAT"), ("10000000000002", "WATER-HEATER"), ("10000000000003", "EV-CHARGE"))


def nic(device: int) -> str:
    """The network card of a device."""
    return f"44:61:{device >> 24 & 255:02x}:{device >> 16 & 255:02x}:{device >> 8 & 255:02x}:{device & 255:02x}"


def head_end(device: int) -> str:
    """The system that talks to a device."""
    return HEAD_ENDS[device % len(HEAD_ENDS)]


def program(number: int) -> tuple[str, str]:
    """Id and code of the program that a device or service point is in."""
    return PROGRAMS[number % len(PROGRAMS)]


def service_point(number: int) -> str:
    """A service point; the leading zeros belong to it."""
    return f"{number:012d}"


def subscription(number: int) -> str:
    """The enrollment of a service point in its program."""
    return f"2{number:013d}"


def sync_request(day: date, number: int) -> str:
    """A sync request of a day."""
    return f"0{day:%y%m%d}{number:07d}"
