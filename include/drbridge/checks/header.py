"""The header line: which columns a file has, judged before any row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from drbridge.contracts import Contract
from drbridge.contracts.intervals import MOST_INTERVALS
from drbridge.errors import BadInput, WrongLayout


def judge_header(names: Sequence[str], contract: Contract) -> BadInput | None:
    """Why a file with this header is refused, or None when it is good."""
    if not any(map(contract.knows, names)):
        wanted = ", ".join(contract.lacking(names)[:3])
        return WrongLayout(
            f"Line 1 is not the header of {contract.title.lower()}: {wanted} ... are not in it",
            fix="write the column names in the first line, and look at the delimiter", code="no_header", line=1,
        )  # fmt: skip
    faults = list(_faults(names, contract))
    if not faults:
        return None
    codes, texts, fixes = zip(*faults, strict=True)
    return WrongLayout(f"The header {'; it '.join(texts)}", fix="; ".join(fixes), code=codes[0], line=1)


def _faults(names: Sequence[str], contract: Contract) -> Iterator[tuple[str, str, str]]:
    """Everything wrong with a header: the code, what it does, and what to do about it."""
    if double := [name for name, count in Counter(names).items() if count > 1]:
        told = [name if contract.knows(name) or not contract.personal else "(a column not agreed)" for name in double]
        yield "double_column", f"names {_listed(told)} more than once", "remove the repetition"
    if missing := contract.lacking(names):
        yield "missing_column", f"lacks {_listed(missing)}", "add what is missing"
    if beyond := contract.beyond(names):
        text = f"names {_listed(beyond)}: more intervals than the {MOST_INTERVALS:,} that are taken"
        yield "too_many_intervals", text, "cut the period into several files, or use longer intervals"
    if not contract.takes_others and (unknown := [name for name in names if not contract.knows(name)]):
        yield "unknown_column", f"names {_listed(unknown)}, which is not agreed", "remove or rename it"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name[:60]) for name in names[:5]) + more
