"""A small REST server on a thread, polite and rude as asked, that remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from drbridge.loop import LoopThread
from drbridge.ports import Connection, JsonValue


class RestServer:
    """What it knows: requests by path, tokens it gave, and which token it takes."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.counts: Counter[str] = Counter()
        self.tokens = 0
        self.good_token = "token-1"
        self.accepts: str | None = None
        self.token_life = 3600.0
        self.token_status = 200
        self.port = 0

    def connection(self, login: str = "me", password: str = "pass", **extra: JsonValue) -> Connection:
        return Connection("derms_rest", "http", "127.0.0.1", self.port, login, password, "http", extra)

    def oauth(self, **extra: JsonValue) -> Connection:
        return self.connection(auth="oauth2", token_path="/oauth/token", scope="drbridge", **extra)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=200 << 20)
        app.router.add_post("/oauth/token", self.give_token)
        app.router.add_route("*", "/guarded", self.guarded)
        app.router.add_route("*", "/echo", self.echo)
        app.router.add_post("/file", self.file)
        app.router.add_route("*", "/redirect", self.redirect)
        app.router.add_get("/big", self.big)
        app.router.add_route("*", "/drip", self.drip)
        app.router.add_route("*", "/vanish", self.vanish)
        return app

    async def give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.seen.append(request)
        self.tokens += 1
        self.counts[str(form.get("grant_type"))] += 1
        await asyncio.sleep(0.05)
        if self.token_status != 200:
            return web.Response(status=self.token_status)
        return web.json_response({
            "access_token": self.good_token,
            "token_type": "Bearer",
            "expires_in": self.token_life,
        })

    async def guarded(self, request: web.Request) -> web.Response:
        await request.read()
        authorized = request.headers.get("Authorization") == f"Bearer {self.accepts or self.good_token}"
        self.counts["let in" if authorized else "refused"] += 1
        return web.json_response({}, status=200 if authorized else 401)

    async def echo(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        self.bodies.append(await request.read())
        return web.json_response({"method": request.method})

    async def file(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        parts = []
        async for part in await request.multipart():
            parts.append([part.name, part.filename, part.headers["Content-Type"], len(await part.read())])  # type: ignore[union-attr]
        return web.json_response(parts, status=202)

    async def redirect(self, request: web.Request) -> web.Response:
        await request.read()
        raise web.HTTPFound("/echo")

    async def big(self, request: web.Request) -> web.Response:
        return web.Response(body=bytes(int(request.query["size"])))

    async def drip(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            await answer.write(b" ")
            await asyncio.sleep(0.05)
        return answer

    async def vanish(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[RestServer]:
    server, runner = RestServer(), LoopThread("rest")

    async def start() -> web.AppRunner:
        app_runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
        await app_runner.setup()
        await web.TCPSite(app_runner, "127.0.0.1", 0, ssl_context=tls).start()
        server.port = app_runner.addresses[0][1]
        return app_runner

    app_runner = runner.run(start())
    try:
        yield server
    finally:
        runner.run(app_runner.cleanup())
        runner.close()
