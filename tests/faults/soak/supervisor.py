"""Runs Airflow's four processes side by side and starts each again when it ends, as systemd or Docker would.

Started as a program, with Airflow's settings in its environment; it says on stdout what ended, and when.
"""

from __future__ import annotations

import subprocess
import sys
import time

PARTS = ("scheduler", "api-server", "triggerer", "dag-processor")
RESTART_AFTER_SECONDS = 2.0


def main() -> None:
    """Prepares Airflow's database, then runs until it is killed."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
    running = {part: _start(part) for part in PARTS}
    while True:
        time.sleep(RESTART_AFTER_SECONDS)
        for part, process in running.items():
            if process.poll() is not None:
                print(f"{time.strftime('%H:%M:%S')} {part} ended with {process.returncode}: it is started again")
                sys.stdout.flush()
                running[part] = _start(part)


def _start(part: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "airflow", part], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
