"""A line with a round trip: passes bytes on, each half a round trip after it came, as many a second as come.

    python bench/delay.py 22 0.020

Listens on a free port, which it prints, and passes on to the given one.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import suppress
from queue import Queue

BUFFER_BYTES = 256 << 10
MOST_UNDER_WAY = 512  # buffers each way: 128 MB, more than any window that is asked of it

Wait = Queue[tuple[float, bytes]]


def listen(source: socket.socket, wait: Wait, seconds: float) -> None:
    """Takes what comes, and notes when it is due."""
    data = b"-"
    with suppress(OSError):
        while data:
            data = source.recv(BUFFER_BYTES)
            wait.put((time.monotonic() + seconds, data))
        return
    wait.put((0.0, b""))


def tell(target: socket.socket, wait: Wait) -> None:
    """Passes on what is due; an empty piece is the end."""
    with suppress(OSError):
        while True:
            due, data = wait.get()
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)


def join(near: socket.socket, port: int, seconds: float) -> None:
    """Connects, half a round trip later, and passes on both ways."""
    time.sleep(seconds)
    far = socket.create_connection(("127.0.0.1", port))
    for source, target in ((near, far), (far, near)):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wait: Wait = Queue(MOST_UNDER_WAY)
        threading.Thread(target=listen, args=(source, wait, seconds), daemon=True).start()
        threading.Thread(target=tell, args=(target, wait), daemon=True).start()


def main() -> None:
    port, round_trip = int(sys.argv[1]), float(sys.argv[2])
    with socket.create_server(("127.0.0.1", 0)) as door:
        print(door.getsockname()[1], flush=True)
        while True:
            near, _ = door.accept()
            threading.Thread(target=join, args=(near, port, round_trip / 2), daemon=True).start()


if __name__ == "__main__":
    main()
