"""What can be wrong with a file or a row, as data: every code, what it means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row.

    Attributes:
        line: the line on which the row starts, as an editor shows it.
        field: the column, or empty when it is about the row as a whole.
        code: a short stable word, see `CODES`.
        text: a sentence for the person who has to correct it.
    """

    line: int
    field: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """A broken rule between the fields of one row."""

    field: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """What a problem code means.

    Attributes:
        about: what it is said of: a row (set aside), a file (refused whole), or a warning (the row travels).
        next_step: what the person who reads it does.
    """

    about: Literal["row", "file", "warning"]
    meaning: str
    next_step: str


CODES: dict[str, Code] = {
    "missing": Code("row", "a required value is not there", "fill it in at the source"),
    "too_long": Code("row", "the text is longer than the column allows", "shorten it at the source"),
    "not_digits": Code("row", "the id holds something other than the digits 0-9", "correct the id at the source"),
    "not_a_number": Code(
        "row", "not a plain decimal number (no exponent, no thousands separator, no NaN)", "write it as 1234.5"
    ),
    "not_an_integer": Code("row", "not a whole number", "write it without a decimal point"),
    "too_precise": Code("row", "more decimals than the column keeps", "round it at the source"),
    "out_of_range": Code("row", "the number is too small or too large", "correct it at the source"),
    "not_a_time": Code("row", "not a date and time as in 2026-07-14T18:00:00Z", "write it in ISO 8601"),
    "no_offset": Code("row", "the time does not say how far it is from UTC", "add Z or an offset such as -05:00"),
    "no_such_time": Code("row", "the date, the time of day or the offset does not exist", "correct it at the source"),
    "future": Code("row", "the time has not come yet", "look at the sender's clock and time zone"),
    "end_before_start": Code("row", "the end is not after the start", "correct the two times at the source"),
    "not_in_list": Code("row", "not one of the agreed codes (upper and lower case matter)", "use a code of the list"),
    "field_count": Code("row", "the row has more or fewer fields than the header", "look for a lost delimiter"),
    "bad_quoting": Code(
        "row", "text after a closing quote, or a quote inside a field that is not quoted",
        "quote the whole field and double the quotes inside",
    ),
    "lone_carriage_return": Code(
        "row", "a carriage return without line feed outside quotes", "end lines with LF or CRLF"
    ),
    "interval_count": Code(
        "row", "the interval values do not fill the time from start to end", "write one value per interval"
    ),
    "sum_mismatch": Code("row", "the total is not the sum of the intervals", "compute the total again"),
    "max_mismatch": Code("row", "the maximum is not the largest interval", "compute the maximum again"),
    "average_mismatch": Code("row", "the average is not the mean of the intervals", "compute the average again"),
    "conflicting_duplicate": Code(
        "row", "rows with the same key say different things, so none is taken", "send one row per key"
    ),
    "overlap": Code(
        "row", "its period overlaps that of another row about the same thing", "end the one before the other begins"
    ),
    "not_allowed_here": Code("row", "an agreed code that does not go with the rest of the row", "correct the row"),
    "not_a_day": Code("row", "not a date as in 2026-07-14", "write it in ISO 8601"),
    "and_more": Code(
        "row", "more is wrong with this row, or with the rows from here on, than is listed",
        "correct what is listed, and check again",
    ),
    "cut": Code("warning", "the text is longer than the receiver takes, and sent shortened", "shorten it"),
    "above_limit": Code("warning", "more participations than the limit allows", "look at the program's limits"),
    "negative_interval": Code("warning", "more was used than without the event (rebound)", "nothing, if it is true"),
    "empty_file": Code("file", "the file has no bytes", "write it again"),
    "no_rows": Code("file", "a header and no rows, where at least one row is owed", "write it again, with its rows"),
    "too_large": Code("file", "larger than the limit of the site", "cut it, or raise max_file_bytes"),
    "unpacks_too_large": Code("file", "grows past the limit when unpacked", "cut it, or raise max_unpacked_bytes"),
    "truncated": Code("file", "the gzip or zip ends too early", "send it again"),
    "broken_archive": Code("file", "the gzip or zip is damaged or of a kind we do not read", "send it again"),
    "nested_archive": Code("file", "an archive inside an archive", "pack the file once"),
    "not_one_member": Code("file", "the archive does not hold exactly one file", "pack one file"),
    "utf16": Code("file", "the text is UTF-16 or UTF-32", "write it as UTF-8"),
    "not_utf8": Code("file", "the text is not UTF-8", "write it as UTF-8"),
    "nul_byte": Code("file", "the text holds a NUL byte", "write it again as UTF-8 text"),
    "no_header": Code("file", "the first line is not the header", "write the column names in the first line"),
    "missing_column": Code("file", "the header lacks a required column", "add the column"),
    "double_column": Code("file", "the header names a column twice", "remove one"),
    "unknown_column": Code("file", "the header names a column that is not agreed", "remove or rename it"),
    "too_many_intervals": Code(
        "file", "the header names more interval columns than are taken",
        "cut the period into several files, or use longer intervals",
    ),
    "totals_differ": Code(
        "file", "the file is not what its control record says", "have file and control record written again"
    ),
    "open_quote": Code("file", "a quote is opened and never closed", "close it and send the file again"),
    "cut_off": Code("file", "the last line is not complete", "send the file again, to its end"),
    "field_too_long": Code("file", "a field is larger than any can be", "look for a lost quote or delimiter"),
    "row_too_long": Code("file", "a row is larger than any can be", "look for lost line ends"),
}  # fmt: skip
