"""Relays a file and dies by SIGKILL once so many parts of its upload are put. Started in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from drbridge.adapters import s3_upload
from drbridge.adapters.outside import ConnectionsOutside, environment_connection
from drbridge.exchange.desk import Desk
from drbridge.exchange.relay import relay
from drbridge.exchange.staging import Staging
from drbridge.exchange.work import Work
from drbridge.ledger.database import Ledger
from drbridge.systems import load

put_part = s3_upload.S3Upload._put_part
count, lock = 0, threading.Lock()


def main(folder: str, part_bytes: str, parts: str, flow: str, name: str) -> None:
    """Never returns."""

    def put(upload: s3_upload.S3Upload, number: int, body: bytes) -> str:
        global count
        tag = put_part(upload, number, body)
        with lock:
            count += 1
            if count >= int(parts):
                os.kill(os.getpid(), signal.SIGKILL)
        return tag

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_upload, "PART_BYTES", int(part_bytes))
        patch.setattr(s3_upload.S3Upload, "_put_part", put)
        ledger, staging = Ledger(f"sqlite:///{folder}/ledger.db"), Staging((Path(folder) / "staging").as_uri())
        relay(Desk(load(), ledger, staging, ConnectionsOutside(environment_connection)), flow, name, Work(by_hand=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
