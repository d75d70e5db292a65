"""What a service remembers, through restarts: requests, answers by key, effects by business key, records."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from drbridge_sandbox.rest.answers import Answer, Refused
from drbridge_sandbox.rest.records import LAST_CHARACTER, RECORD_TABLE, Record, Records

TABLES = (
    """
create table if not exists requests (
    seq integer primary key, at real not null, method text not null, path text not null, operation text not null,
    idempotency_key text, status integer, replayed integer not null, sha256 text not null, bytes integer not null,
    rows integer not null, file_name text not null, fault text not null);
create table if not exists answers (
    idempotency_key text primary key, request text not null, status integer not null, body text not null);
create table if not exists effects (
    noun text not null, key text not null, entity text not null, version text not null, value text not null,
    effects integer not null, received integer not null, first_seq integer not null, effect_seq integer not null,
    heard_seq integer not null, primary key (noun, key)) without rowid;
create table if not exists sync_requests (id text primary key, state text not null) without rowid;
"""
    + RECORD_TABLE
)

UPSERT = """
insert into effects values (?, ?, ?, ?, ?, 1, 1, :seq, :seq, :seq) on conflict (noun, key) do update set
    effects = effects + (value is not excluded.value), received = received + 1,
    effect_seq = case when value is not excluded.value then excluded.effect_seq else effect_seq end,
    version = excluded.version, value = excluded.value, heard_seq = excluded.heard_seq
""".replace(":seq", "?")

SUMMARY = """
select noun, count(*) as keys, sum(effects) as effects, sum(received) as received, sum(effects > 1) as twice
from effects group by noun
"""

OVERTAKEN = """
select noun, count(*) as late from (
    select noun, version, lag(version) over (partition by noun, entity order by effect_seq) as before
    from effects where version != '') where before > version group by noun
"""


@dataclass(frozen=True)
class Heard:
    """A request as the memory keeps it.

    Attributes:
        digest: sha256 of the content: the attachment where there is one, else the body.
        fault: what the fault dial will do with the answer, for the log.
    """

    method: str
    path: str
    operation: str
    key: str | None
    digest: str
    size: int
    file_name: str = ""
    fault: str = ""

    @property
    def identity(self) -> str:
        """What must be the same when a key is used again."""
        return f"{self.method} {self.path} {self.file_name} {self.digest}"


class Effect(NamedTuple):
    """One row's effect: what it is about, and what it says.

    Attributes:
        entity: the thing it is about; a newer version of it must not be followed by an older one.
        version: what orders the versions of an entity; empty where nothing published does.
    """

    key: str
    entity: str
    value: str
    version: str = ""


class Tx:
    """The memory while one request is acted on; all of it is kept, or nothing."""

    def __init__(self, db: sqlite3.Connection, seq: int, file_name: str) -> None:
        self.db, self.seq, self.file_name, self.records = db, seq, file_name, Records(db)

    def effects(self, noun: str, found: Iterable[Effect]) -> int:
        """Notes effects; one that says nothing new changes nothing. Returns how many rows there were."""
        seqs = (self.seq,) * 3
        rows = ((noun, each.key, each.entity, each.version, each.value, *seqs) for each in found)
        cursor = self.db.executemany(UPSERT, rows)
        return cursor.rowcount

    def entities_heard(self, noun: str) -> int:
        """How many different things this request has named."""
        sql = "select count(distinct entity) from effects where noun = ? and heard_seq = ?"
        return int(self.db.execute(sql, (noun, self.seq)).fetchone()[0])

    def keys(self, noun: str, start: str) -> list[str]:
        """Keys of a noun that begin with `start`."""
        sql = "select key from effects where noun = ? and key >= ? and key < ?"
        return [row[0] for row in self.db.execute(sql, (noun, start, start + LAST_CHARACTER))]

    def sync_state(self, sync_request_id: str) -> str | None:
        """The state of a sync request, or None when there is none of that id."""
        row = self.db.execute("select state from sync_requests where id = ?", (sync_request_id,)).fetchone()
        return None if row is None else str(row[0])

    def end_sync(self, sync_request_id: str, state: str) -> None:
        """Takes a sync request to its final state."""
        self.db.execute("update sync_requests set state = ? where id = ?", (state, sync_request_id))


class Memory:
    """The memory of one service, in one SQLite file; its one thread keeps everything in order."""

    def __init__(self, path: Path) -> None:
        self.worker = ThreadPoolExecutor(1, thread_name_prefix=path.stem)
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = wal", "synchronous = off", "cache_size = -65536", "temp_store = memory"):
            self.db.execute(f"pragma {pragma}")
        self.db.executescript(TABLES)
        self.records = Records(self.db)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.db.execute("rollback")
            raise
        self.db.execute("commit")

    def handle(self, heard: Heard, act: Callable[[Tx], Answer]) -> Answer:
        """Acts on a request once: the same key with the same content gets the answer it got before.

        A refusal undoes what was done of the request, and is remembered like any other answer.
        """
        with self._transaction():
            seq = self._next_seq()
            found = self._answered(heard)
            answer = found or self._act(heard, act, seq)
            self._log(seq, heard, answer.status, replayed=bool(found and found.headers), rows=answer.rows)
            return answer

    def _answered(self, heard: Heard) -> Answer | None:
        if heard.key is None:
            return None
        sql = "select * from answers where idempotency_key = ?"
        row = self.db.execute(sql, (heard.key,)).fetchone()
        if row is None:
            return None
        if row["request"] != heard.identity:
            return Refused(422, "The idempotency key was used for another request").answer
        return Answer(row["status"], json.loads(row["body"]), {"Idempotent-Replayed": "true"})

    def _act(self, heard: Heard, act: Callable[[Tx], Answer], seq: int) -> Answer:
        self.db.execute("savepoint act")
        try:
            answer = act(Tx(self.db, seq, heard.file_name))
        except Refused as refused:
            self.db.execute("rollback to act")
            answer = refused.answer
        self.db.execute("release act")
        if heard.key is not None:
            row = (heard.key, heard.identity, answer.status, json.dumps(answer.body))
            self.db.execute("insert into answers values (?, ?, ?, ?)", row)
        return answer

    def note(self, heard: Heard, status: int | None) -> None:
        """Writes a request down that was not acted on; status None: it got no answer."""
        with self._transaction():
            self._log(self._next_seq(), heard, status, replayed=False, rows=0)

    def _next_seq(self) -> int:
        return int(self.db.execute("select coalesce(max(seq), 0) + 1 from requests").fetchone()[0])

    def _log(self, seq: int, heard: Heard, status: int | None, replayed: bool, rows: int) -> None:
        self.db.execute(
            "insert into requests values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, time.time(), heard.method, heard.path, heard.operation, heard.key, status, replayed, heard.digest,
             heard.size, rows, heard.file_name, heard.fault),
        )  # fmt: skip

    def seed_sync_requests(self, ids: Iterable[str]) -> int:
        """Makes sync requests wait for their acknowledgement; known ones keep their state. Returns how many are new."""
        with self._transaction():
            sql = "insert or ignore into sync_requests values (?, 'PENDING')"
            return self.db.executemany(sql, ((each,) for each in ids)).rowcount

    def plant(self, kind: str, values: dict[str, Record]) -> int:
        """Puts records there by hand; returns how many."""
        with self._transaction():
            return self.records.keep_all(kind, values.items())

    def uproot(self, kind: str, ids: Iterable[str]) -> int:
        """Takes records away by hand; returns how many there were."""
        with self._transaction():
            return self.records.drop(kind, ids)

    def forget_keys(self) -> None:
        """Forgets which idempotency keys were used, and what was answered; effects stay."""
        with self._transaction():
            self.db.execute("delete from answers")

    def reset(self) -> None:
        """Forgets everything."""
        with self._transaction():
            for table in ("requests", "answers", "effects", "sync_requests", "records"):
                self.db.execute(f"delete from {table}")  # noqa: S608 - fixed names

    def counts(self) -> dict[str, Any]:
        """Requests by operation and status, and effects by noun."""
        calls = self.db.execute("select operation, status, count(*) as n from requests group by 1, 2").fetchall()
        replays = self.db.execute("select count(*) from requests where replayed").fetchone()[0]
        late = {row["noun"]: row["late"] for row in self.db.execute(OVERTAKEN)}
        states = self.db.execute("select state, count(*) from sync_requests group by 1").fetchall()
        return {
            "requests": sum(row["n"] for row in calls),
            "replayed": replays,
            "calls": [dict(row) for row in calls],
            "effects": {
                row["noun"]: {key: row[key] for key in ("keys", "effects", "received", "twice")}
                | {"late": late.get(row["noun"], 0)}
                for row in self.db.execute(SUMMARY)
            },
            "sync_requests": {row[0]: row[1] for row in states},
        }

    def requests(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The log, oldest first."""
        sql = "select * from requests where seq > ? order by seq limit ?"
        return [dict(row) for row in self.db.execute(sql, (after, limit))]

    def effects(self, noun: str, after: str, limit: int, at_least: int) -> list[dict[str, Any]]:
        """Effects of a noun, by key."""
        sql = """select key, entity, version, value, effects, received from effects
                 where noun = ? and key > ? and effects >= ? order by key limit ?"""
        return [dict(row) for row in self.db.execute(sql, (noun, after, at_least, limit))]

    def effect(self, noun: str, key: str) -> dict[str, Any] | None:
        """One effect, or None."""
        row = self.db.execute("select * from effects where noun = ? and key = ?", (noun, key)).fetchone()
        return None if row is None else dict(row)

    def close(self) -> None:
        """Ends the memory's thread and closes its file."""
        self.worker.shutdown()
        self.db.close()
