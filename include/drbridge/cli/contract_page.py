"""The page of all contracts, of files and of messages, written from their models themselves."""

from __future__ import annotations

from collections.abc import Iterator

from drbridge.cli.message_page import message_sections
from drbridge.contracts import CODES, CONTRACTS, Column, Contract

INTRO = """# The file contracts

Every file is UTF-8 (a byte order mark is tolerated), with a header, LF or CRLF line ends and quotes as in RFC 4180;
it may be packed with gzip or zip, one file in it. Ids are text: `00123` stays `00123`, and `NA` is an id. Times carry
their offset from UTC. The layouts are our definition where none is public.

Check a file without any server: `drbridge check NOUN FILE`.
"""

ANY_FILE = """
## `any_file`: A file of any kind

A flow that delivers to stores only may also take files whose rows nobody has agreed on: tariff sheets, pictures,
archives. Name the start of their names in `systems.toml`, as in `prefixes = { "TARIFFS" = "any_file" }`. Nothing in
them is looked at, but an empty one is refused. They are hashed on their way, sent once, and known by their content.
"""


def contracts_page() -> str:
    """All contracts of files, then files of any kind, then all codes, then all messages."""
    parts = [INTRO, *(_contract(each) for _, each in sorted(CONTRACTS.items())), ANY_FILE]
    for about, title in (("row", "A row is set aside"), ("file", "A file is refused whole"), ("warning", "A warning")):
        parts.append(f"\n## {title}\n\n| code | means | next step |\n|---|---|---|\n")
        parts += [
            f"| `{code}` | {each.meaning} | {each.next_step} |\n" for code, each in CODES.items() if each.about == about
        ]
    return "".join([*parts, *message_sections()])


def _contract(contract: Contract) -> str:
    names = ", ".join(f"`{prefix}*`" for prefix in contract.prefixes)
    empty = "A file without rows is refused." if contract.empty_is_refused else "A file without rows is fine."
    dated = f"the {contract.dated.by} {contract.dated.column}, or " if contract.dated else ""
    head = (
        f"\n## `{contract.noun}`: {contract.title}\n\nFiles {names}. A row is known by {', '.join(contract.key)}; "
        f"the business date is {dated}the date in the name. {' '.join([empty, *_more(contract)])}\n\n"
        "| column | required | what | kind | unit | rule |\n|---|---|---|---|---|---|\n"
    )
    return head + "".join(_rows(contract.documented))


def _more(contract: Contract) -> Iterator[str]:
    """What else is agreed about some files, in sentences."""
    if contract.takes_others:
        yield "Columns that are not listed travel untouched."
    if contract.totals:
        yield f"Its control record sums {contract.totals.amount} up per {contract.totals.per}."
    if contract.personal:
        yield "It is personal data: no problem text repeats a value."


def _rows(columns: tuple[Column, ...]) -> Iterator[str]:
    for each in columns:
        cells = (
            f"`{each.name}`",
            "yes" if each.required else "",
            each.description,
            each.kind.describe(),
            each.unit,
            each.rule,
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
