"""A bare aiohttp loop: as many calls in flight as asked, no check, no ledger, no retry. Prints a JSON line.

python bench/bare.py http://127.0.0.1:9000/rest/... PATCH 100000 64
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import aiohttp

BODY = {"status": "SUCCESS"}


async def works(session: aiohttp.ClientSession, method: str, url: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        async with session.request(method, f"{url}{number:014d}", json=BODY) as reply:
            await reply.read()
            assert reply.status == 200


async def main() -> None:
    url, method, count, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    numbers = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(works(session, method, url, numbers) for _ in range(in_flight)))
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    asyncio.run(main())
