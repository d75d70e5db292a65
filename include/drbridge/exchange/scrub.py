"""Another system's words as we may keep them: a refusal may quote a customer's name, in whatever spelling.

What is hidden is our definition: every value and every word that our request carried, e-mail addresses, and numbers of
seven digits or more however they are grouped.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from drbridge.ports import Call, FilePart, JsonValue

HIDDEN = "..."
SHORTEST = 3
LONGEST_READ = 4_000
LONGEST_KEPT = 254
MOST_QUOTATIONS = 3  # a quotation in a quotation is escaped twice

_WORD = re.compile(r"[^\W_]+")
_PRIVATE = re.compile(r"\S+@\S+|\+?\d(?:[\s()./-]{0,2}\d){6,}")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(\\)|.)")


def scrubbed(text: str, call: Call, path: str) -> str:
    """The other side's words without what we had sent it.

    Args:
        path: of the endpoint, as it stands in the settings: what the request has beside it names a record.
    """
    record = set(unquote(call.path).split("/")) - set(path.split("/"))
    sent = [each for each in {*_values(call.json), *record} if len(each) >= SHORTEST]
    plain = _without_whole(_PRIVATE.sub(HIDDEN, _unescaped(text)), sent)
    words = {word for word in map(_folded, _WORD.findall(plain)) if len(word) >= SHORTEST}
    ours = words & {_folded(word) for each in sent for word in _WORD.findall(each)}
    if call.file is not None:
        ours |= _in_file(words - ours, call.file)
    return _WORD.sub(lambda found: HIDDEN if _folded(found[0]) in ours else found[0], plain)[:LONGEST_KEPT]


def _without_whole(text: str, sent: list[str]) -> str:
    for each in sorted(sent, key=len, reverse=True):
        if each.lower() in text.lower():
            text = re.sub(re.escape(each), HIDDEN, text, flags=re.IGNORECASE)
    return text


def _unescaped(text: str) -> str:
    """The text as it reads, whichever way it was escaped; of a very long one the beginning, up to a whole word."""
    plain = text if len(text) <= LONGEST_READ else text[:LONGEST_READ].rpartition(" ")[0]
    for _ in range(MOST_QUOTATIONS):
        plain = _ESCAPED.sub(_read, html.unescape(unquote(plain)))
    return plain


def _read(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 16)) if escaped[1] else escaped[2] or " "


def _values(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _values(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _folded(word: str) -> str:
    """The same for one word in capitals, in small letters, and without its accents."""
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _in_file(words: set[str], file: FilePart) -> set[str]:
    """Those of the words that a file holds, read block by block."""
    found: set[str] = set()
    end = ""
    for block in file.content():
        text = end + _folded(block.decode("utf-8", "replace"))
        found |= {word for word in words - found if word in text}
        end = text[-LONGEST_KEPT:]
    return found
