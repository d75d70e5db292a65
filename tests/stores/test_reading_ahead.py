"""Reading ahead over SFTP: whatever a server allows for one request, every byte comes, in its place."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest
from asyncssh.sftp import SFTPServer

from drbridge.adapters.sftp_transfer import CHUNK_BYTES, HELD_BYTES, ReadAhead
from drbridge.loop import LoopThread
from drbridge.ports import Connection
from drbridge.spans import Spans
from tests.stores import rude

STATED_NOTHING, OPENSSH, LARGE = 0, 261_120, 4 << 20
LENGTH = HELD_BYTES + CHUNK_BYTES + 12_344
EVERYTHING, HERE_AND_THERE = [(0, LENGTH)], [(5, 9), (CHUNK_BYTES - 3, CHUNK_BYTES + 4), (HELD_BYTES, LENGTH)]


async def opened(connection: Connection) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClientFile]:
    line = await asyncssh.connect(
        connection.host, connection.port, username="who", password="right", known_hosts=None, config=[]
    )
    return line, await (await line.start_sftp_client()).open("a.csv", "rb", block_size=0)


@pytest.mark.parametrize("spans", [EVERYTHING, HERE_AND_THERE])
@pytest.mark.parametrize("block", [STATED_NOTHING, OPENSSH, LARGE])
def test_every_byte_comes_in_its_place(tmp_path: Path, block: int, spans: Spans) -> None:
    data = b"".join(number.to_bytes(8, "big") for number in range(LENGTH // 8))
    (tmp_path / "a.csv").write_bytes(data)
    runner = LoopThread("reading")
    with rude.sftp(tmp_path, SFTPServer) as (connection, _):
        line, file = runner.run(opened(connection))
        try:
            assert b"".join(ReadAhead(runner, file, spans, block)) == b"".join(data[a:b] for a, b in spans)
        finally:
            line.abort()
            runner.run(line.wait_closed())
            runner.close()
