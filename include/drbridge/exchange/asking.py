"""Asking other systems what they have: reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drbridge import loop
from drbridge.errors import Rejected, Unreachable
from drbridge.exchange.desk import Desk
from drbridge.ports import Call, Lost, NotSent, Reply


def ask(desk: Desk, conn_id: str, paths: Sequence[str]) -> Iterator[tuple[str, Reply]]:
    """The answers of a REST side, one request after the other.

    Raises:
        Unreachable: it does not answer.
        Rejected: it answers, but with no answer: a wrong login, a wrong path, trouble of its own.
    """
    for path, reply in zip(paths, loop.run(_all(desk, conn_id, paths)), strict=True):
        if reply.status != 404 and not 200 <= reply.status < 300:
            raise Rejected(
                f"{conn_id} answers HTTP {reply.status} when asked for {path}",
                fix="correct its login and path if they are wrong, else call its owner; then trigger this again",
            )
        yield path, reply


async def _all(desk: Desk, conn_id: str, paths: Sequence[str]) -> list[Reply]:
    target = desk.outside.target(conn_id)
    try:
        return [await target.call(Call("GET", path, key="")) for path in paths]
    except (NotSent, Lost) as error:
        raise Unreachable(
            f"{conn_id} does not answer", detail=str(error), fix="call its owner if this lasts; then trigger this again"
        ) from None
    finally:
        await target.close()
