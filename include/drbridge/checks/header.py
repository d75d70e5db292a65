"""The header line: which columns a file has, judged before any row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from drbridge.contracts import Contract
from drbridge.errors import BadInput, WrongLayout


def judge_header(names: Sequence[str], contract: Contract) -> BadInput | None:
    """Why a file with this header is refused, or None when it is good."""
    known = [name for name in names if contract.knows(name)]
    double = [name for name, count in Counter(names).items() if count > 1]
    missing = contract.lacking(names)
    unknown = [name for name in names if not contract.knows(name)]
    if not known:
        wanted = ", ".join(missing[:3])
        return _wrong(f"Line 1 is not the header of {contract.title.lower()}: {wanted} ... are not in it", "no_header",
                      "write the column names in the first line, and look at the delimiter")  # fmt: skip
    if double:
        return _wrong(f"The header names {_listed(double)} more than once", "double_column", "remove the repetition")
    if missing:
        return _wrong(f"The header lacks {_listed(missing)}", "missing_column", "add what is missing")
    if unknown:
        return _wrong(
            f"The header names {_listed(unknown)}, which is not agreed", "unknown_column", "remove or rename it"
        )
    return None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name[:60]) for name in names[:5]) + more


def _wrong(what: str, code: str, fix: str) -> BadInput:
    return WrongLayout(what, fix=fix, code=code, line=1)
