"""Relaying a large file from a content server into object storage, beside rclone, stock operators and OpenSSH's sftp.

    python bench/relay.py                # bars 1 to 6
    python bench/relay.py loopback       # one part of it: loopback, round-trip, stock, memory

The store reads and discards for all of them, so that what is measured is the relay. Ours is the brick `Relay`, its
source on the content server, with sha256 and ledger. A file of any kind is read no further; one of kWh avoided is also
checked row by row, and its ids staged, on the way.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from files import write_kwh_avoided
from peers import need
from places import helper
from side import Bar, Part, Run, alternating, in_turn, of_process, ratio, tell

from drbridge.ledger.database import Ledger
from drbridge.ledger.schema import upgrade
from drbridge.systems import DEFAULT_FILE
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.sandbox import free_block

FLOW, SOURCE, FOLDER = "ouai_dacs_kwh_avoided", "sftp://dacs_files/outgoing/energy", "outgoing/energy"
NAME = "KWH_AVOIDED_20260713T233000Z_1.csv"
ROW_BYTES = 185
ROUND_TRIP_SECONDS = 0.020
TUNED = ("--sftp-chunk-size", "255k", "--sftp-concurrency", "256", "--multi-thread-streams", "8",
         "--s3-chunk-size", "16M", "--s3-upload-concurrency", "8", "--sftp-disable-hashcheck")  # fmt: skip
CIPHER = "aes128-gcm@openssh.com"


@dataclass
class Track:
    """Where the file runs: a content server, a store that discards, and a folder for what each run leaves.

    Attributes:
        port: of the content server, or of the line before it.
    """

    folder: Path
    server: ContentServer
    store_port: int
    port: int
    runs: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))

    def draw(self, megabytes: int) -> float:
        """Lays a file of about so many MB there; returns how many it has."""
        path = self.server.root / FOLDER / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        write_kwh_avoided(path, megabytes * 1_000_000 // ROW_BYTES)
        return path.stat().st_size / 1e6

    def ours(self, work: float, noun: str = "any_file") -> Run:
        """The brick, with a ledger and a staging of its own, for a file of this noun."""
        self._forget()
        home = self.folder / f"home{next(self.runs)}"
        home.mkdir()
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        upgrade(ledger)
        ledger.close()
        try:
            run = of_process(
                [sys.executable, "bench/brick.py", "relay", FLOW, NAME], work, self._environment(home, noun)
            )
        finally:
            shutil.rmtree(home)
        (result,) = run.told["result"]
        assert result["state"] == "sent", result
        return run

    def _forget(self) -> None:
        """The name at the store is free again."""
        line = HTTPConnection("127.0.0.1", self.store_port)
        line.request("DELETE", f"/dacs/incoming/energy/{NAME}")
        line.getresponse().read()
        line.close()

    def _environment(self, home: Path, noun: str) -> dict[str, str]:
        settings = home / "systems.toml"
        text = DEFAULT_FILE.read_text(encoding="utf-8").replace("s3://ouai_objects/ouai/outgoing/energy", SOURCE)
        text = text.replace('KWH_AVOIDED = "kwh_avoided"', f'KWH_AVOIDED = "{noun}"')
        settings.write_text(text.replace("max_file_bytes = 1_073_741_824", "max_file_bytes = 8_000_000_000"))
        files = {**self.server.connection(), "port": self.port}
        extra = {"endpoint_url": f"http://127.0.0.1:{self.store_port}", "region_name": "us-east-1"}
        objects = {"conn_type": "aws", "login": "bench", "password": "bench-secret", "extra": extra}
        return {
            "DRBRIDGE_HOME": str(home), "DRBRIDGE_LEDGER_URL": f"sqlite:///{home / 'ledger.db'}",
            "DRBRIDGE_STAGING": (home / "staging").as_uri(), "DRBRIDGE_CONFIG": str(settings),
            "AIRFLOW_CONN_DACS_FILES": json.dumps(files), "AIRFLOW_CONN_DACS_OBJECTS": json.dumps(objects),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
        }  # fmt: skip

    def rclone(self, work: float, *flags: str) -> Run:
        """`rclone copyto`, with its own settings unless others are given."""
        command = ["rclone", "copyto", "--config", str(self._rclone_config()), *flags]
        return of_process([*command, f"files:{self.path}", "store:dacs/incoming/energy/rclone.csv"], work,
                          {"AWS_CA_BUNDLE": ""})  # fmt: skip

    @property
    def path(self) -> str:
        return f"{FOLDER}/{NAME}"

    def _rclone_config(self) -> Path:
        config = self.folder / f"rclone-{self.port}.conf"
        config.write_text(
            f"[files]\ntype = sftp\nhost = 127.0.0.1\nport = {self.port}\nuser = {self.server.login}\n"
            f"key_file = {self._key}\n\n[store]\ntype = s3\nprovider = Other\naccess_key_id = bench\n"
            f"secret_access_key = bench-secret\nendpoint = http://127.0.0.1:{self.store_port}\n"
        )
        return config

    @property
    def _key(self) -> Path:
        path = self.folder / "key"
        path.touch(mode=0o600)
        path.write_text(self.server.private_key)
        return path

    def then_check(self, work: float) -> Run:
        """rclone, and after it `drbridge check` of the same file."""
        copied = self.rclone(work)
        script = str(Path(sys.executable).with_name("drbridge"))
        checked = of_process(
            [script, "check", "kwh_avoided", str(self.server.root / self.path), "--json"], work, right=(1,)
        )
        return Run(
            copied.seconds + checked.seconds, work, copied.cpu_seconds + checked.cpu_seconds,
            max(copied.megabytes, checked.megabytes),
        )  # fmt: skip

    def openssh(self, work: float) -> Run:
        """OpenSSH's own client into nothing: what the line and the cipher allow."""
        options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
        return of_process(
            ["sftp", "-q", "-c", CIPHER, "-i", str(self._key), "-P", str(self.port), *options,
             f"{self.server.login}@127.0.0.1:{self.path}", "/dev/null"], work,
        )  # fmt: skip

    def stock(self, work: float) -> Run:
        """Airflow's own SFTPToS3Operator with its default settings."""
        files, objects = (
            json.loads(text) for name, text in self._environment(self.folder, "any_file").items() if "CONN" in name
        )
        files["extra"] = {"private_key": self.server.private_key, "host_key": self.server.host_key}
        env = {"AIRFLOW_CONN_SFTP_DEFAULT": json.dumps(files), "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(objects),
               "AIRFLOW_HOME": str(self.folder / "airflow")}  # fmt: skip
        return of_process([sys.executable, "bench/stock.py", "relay", self.path], work, env)


@contextmanager
def track(round_trip: float = 0.0) -> Iterator[Track]:
    """A content server and a store, both on this machine; with a round trip, on a line that takes so long."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drbridge-bench-", dir="/tmp")))
        server = stack.enter_context(ContentServer(folder / "files", free_block(), "dacs", "x", openssh=True))
        store = stack.enter_context(helper("null_store.py", "0"))
        port = server.port
        if round_trip:
            port = stack.enter_context(helper("delay.py", str(server.port), str(round_trip)))
            store = stack.enter_context(helper("delay.py", str(store), str(round_trip)))
        yield Track(folder, server, store, port)


def loopback(megabytes: int, pairs: int) -> Part:
    """Bars 1, 2 and 5."""
    with track() as on:
        work = on.draw(megabytes)
        ways: Mapping[str, Callable[[], Run]] = {
            "drbridge": partial(on.ours, work), "rclone": partial(on.rclone, work),
            "sftp to /dev/null": partial(on.openssh, work),
        }  # fmt: skip
        runs = alternating(ways, pairs)
        checking: Mapping[str, Callable[[], Run]] = {
            "drbridge, checked on the way": partial(on.ours, work, "kwh_avoided"),
            "rclone, then drbridge check": partial(on.then_check, work),
        }  # fmt: skip
        runs |= alternating(checking, pairs, long_pairs=3)
    ours, copied, limit, checked, then_checked = runs.values()
    size = f"relay of {work:,.0f} MB, loopback"
    return runs, [
        Bar(1, size, "rclone copyto", ratio(ours, copied), 1.2),
        Bar(2, f"{size}, kWh avoided, its check on the way", "rclone copyto, then drbridge check",
            ratio(checked, then_checked), 1.2),
        Bar(5, size, f"OpenSSH's sftp to /dev/null, {CIPHER}", ratio(ours, limit), 0.35),
    ], ()  # fmt: skip


def far_away(megabytes: int, pairs: int) -> Part:
    """Bar 3."""
    with track(ROUND_TRIP_SECONDS) as on:
        work = on.draw(megabytes)
        runs = alternating({
            "drbridge, 20 ms": partial(on.ours, work), "rclone, 20 ms": partial(on.rclone, work),
            "rclone tuned, 20 ms": partial(on.rclone, work, *TUNED),
        }, pairs)  # fmt: skip
    ours, plain, tuned = runs.values()
    best = min(ratio(ours, plain), ratio(ours, tuned))
    bar = Bar(3, f"relay of {work:,.0f} MB, 20 ms round trip", "rclone, the better of default and tuned", best, 1.5)
    return runs, [bar], (f"tuned: {' '.join(TUNED)}",)


def stock(megabytes: int, pairs: int) -> Part:
    """Bar 4."""
    with track() as on:
        work = on.draw(megabytes)
        runs = alternating({"drbridge, 200 MB": partial(on.ours, work), "SFTPToS3Operator": partial(on.stock, work)},
                           pairs)  # fmt: skip
    ours, theirs = runs.values()
    return runs, [Bar(4, f"relay of {work:,.0f} MB", "stock SFTPToS3Operator", ratio(ours, theirs), 5.0)], ()


def memory(sizes: tuple[int, ...], pairs: int) -> Part:
    """Bar 6."""
    grown: dict[str, list[Run]] = {}
    with track() as on:
        for size in sizes:
            grown |= alternating({f"drbridge, {size:,} MB": partial(on.ours, on.draw(size))}, pairs, long_pairs=3)
    growth = [median(run.told["growth_mb"] for run in each) for each in grown.values()]
    note = ", ".join(f"{size:,} MB: {each:.0f} MB" for size, each in zip(sizes, growth, strict=True))
    bars = [
        Bar(6, "growth of memory over the process after its imports, MB", "120", max(growth), 120.0, is_most=True),
        Bar(6, "the same at each size: largest over smallest", "1.2", max(growth) / min(growth), 1.2, is_most=True),
    ]
    return grown, bars, (f"growth: {note}",)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", help="loopback, round-trip, stock, memory; none: all")
    options.add_argument("--megabytes", type=int, default=1_000)
    options.add_argument("--pairs", type=int, default=5)
    given = options.parse_args()
    need("rclone", "sftp", "/usr/sbin/sshd")
    every: dict[str, Callable[[], Part]] = {
        "loopback": partial(loopback, given.megabytes, given.pairs),
        "round-trip": partial(far_away, given.megabytes, given.pairs),
        "stock": partial(stock, 200, given.pairs),
        "memory": partial(memory, (100, 1_000, 4_000), given.pairs),
    }
    return tell("relay", "MB", *in_turn(every[name] for name in given.parts or every))


if __name__ == "__main__":
    sys.exit(main())
