"""`drbridge inbox`: the inbox on its own, its callers, its key, and what a message said."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from drbridge.cli.desk import open_desk, told_plainly

inbox = typer.Typer(help="Where other systems post their messages: serve it alone, name callers, look into one.",
                    no_args_is_help=True)  # fmt: skip

PASSWORD = "DRBRIDGE_CALLER_PASSWORD"  # noqa: S105  the name of a variable


@inbox.command(epilog="Example: drbridge inbox serve --port 8090")
def serve(
    host: Annotated[str, typer.Option(help="Listen here; keep TLS in front of it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Listen on this port.")] = 8090,
) -> None:
    """Serves the inbox without Airflow's API server, until Ctrl-C: the same paths, the same ledger.

    Callers are those that `drbridge inbox caller` named.

    Example: drbridge inbox serve --port 8090
    """
    import uvicorn

    from drbridge.inbox.alone import desk

    with told_plainly():
        desk()
    uvicorn.run("drbridge.inbox.alone:app", factory=True, host=host, port=port, access_log=False)


@inbox.command(epilog="Example: drbridge inbox caller derms --flow derms_dacs_event_status")
def caller(
    name: Annotated[str, typer.Argument(help="The name it signs in with.")],
    flow: Annotated[
        list[str] | None, typer.Option(help="A flow it may give work to; several times for several. Without: all.")
    ] = None,
) -> None:
    """Names a caller of the inbox that is served alone, or gives it a new password.

    The password is asked for, or taken from DRBRIDGE_CALLER_PASSWORD; only a salted hash of it is kept.

    Example: drbridge inbox caller derms --flow derms_dacs_event_status
    """
    from drbridge.inbox.callers import CallersInFile

    password = os.environ.get(PASSWORD) or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    with told_plainly():
        CallersInFile().add(name, password, flow or ["*"])


@inbox.command(epilog="Example: drbridge inbox key")
def key() -> None:
    """Prints a fresh key for DRBRIDGE_SEAL_KEY, with which stored messages are sealed.

    Example: drbridge inbox key
    """
    from drbridge.exchange.seal import new_key

    print(new_key())


@inbox.command(epilog="Example: drbridge inbox show c57973487ffa6fa8d7c9")
def show(
    number: Annotated[str, typer.Argument(help="The messageNumber its sender was told, or the sender's own number.")],
    content: Annotated[bool, typer.Option("--content", help="Also print what it said: it may name customers.")] = False,
) -> None:
    """Shows where a message is, and with --content what it said; of several kinds that share a number, each.

    Example: drbridge inbox show c57973487ffa6fa8d7c9
    """
    from drbridge.exchange.results import content_of, numbers_of, result_of

    with told_plainly():
        desk = open_desk()
        found = numbers_of(desk, number)
        if not found:
            print(f"No message has the number {number}: `drbridge trace` also looks into messages", file=sys.stderr)
            raise typer.Exit(1)
        for each in found:
            if result := result_of(desk, each):
                print(json.dumps(result.as_dict(), indent=1))
            if content:
                print(json.dumps(content_of(desk, each), indent=1))
