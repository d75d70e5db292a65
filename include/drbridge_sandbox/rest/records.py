"""Things a service keeps by kind and id, such as its customers and its program events, each as it is now."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

RECORD_TABLE = """
create table if not exists records (
    kind text not null, id text not null, value text not null, primary key (kind, id)) without rowid;
"""
LAST_CHARACTER = chr(0x10FFFF)

Record = Mapping[str, Any]


class Records:
    """The things one service keeps."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, kind: str, id_: str) -> dict[str, Any] | None:
        """One of them, or None."""
        row = self._db.execute("select value from records where kind = ? and id = ?", (kind, id_)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, kind: str, id_: str, value: Record) -> None:
        """Keeps one, in the place of the one of that id."""
        self.keep_all(kind, [(id_, value)])

    def keep_all(self, kind: str, values: Iterable[tuple[str, Record]]) -> int:
        """Keeps several; returns how many."""
        rows = ((kind, id_, json.dumps(value)) for id_, value in values)
        return self._db.executemany("insert or replace into records values (?, ?, ?)", rows).rowcount

    def drop(self, kind: str, ids: Iterable[str]) -> int:
        """Forgets some; returns how many there were."""
        rows = ((kind, id_) for id_ in ids)
        return self._db.executemany("delete from records where kind = ? and id = ?", rows).rowcount

    def any(self, kind: str) -> bool:
        """Whether there is one."""
        return self._db.execute("select 1 from records where kind = ? limit 1", (kind,)).fetchone() is not None

    def all(self, kind: str, start: str = "") -> dict[str, dict[str, Any]]:
        """All whose id begins with `start`, in the order of their ids."""
        sql = "select id, value from records where kind = ? and id >= ? and id < ? order by id"
        return {row[0]: json.loads(row[1]) for row in self._db.execute(sql, (kind, start, start + LAST_CHARACTER))}

    def is_known(self, kind: str, id_: str | None) -> bool:
        """Whether a thing may be named: it is kept, or none of its kind ever was (then nobody can tell)."""
        return (id_ is not None and self.get(kind, id_) is not None) or not self.any(kind)
