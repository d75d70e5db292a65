"""Takes the pictures of the docs from a running demo, with Debian's chromium. `make screenshots` calls it.

Beside the pictures it writes `screens.json`: the version and the DAGs they were taken of, so that a test can tell when
they are out of date.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
DEMO = ROOT / ".drbridge" / "demo" / "airflow.json"
FLOW = "derms_dacs_event_outcome"
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1500,950",
    "--remote-debugging-port=0", "--remote-allow-origins=*",
]  # fmt: skip


class Browser:
    """A headless browser, spoken to over its debugging socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.number = socket, 0

    async def say(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        while True:
            reply: dict[str, Any] = await self.socket.receive_json(timeout=60)
            if reply.get("id") == self.number:
                return reply.get("result", {})

    async def picture(self, url: str, name: str, act: str = "", seconds: float = 6) -> None:
        await self.say("Page.navigate", url=url)
        await asyncio.sleep(seconds)
        if act:
            await self.say("Runtime.evaluate", expression=act)
            await asyncio.sleep(3)
        shot = await self.say("Page.captureScreenshot", format="png")
        (PICTURES / name).write_bytes(base64.b64decode(shot["data"]))
        print(f"docs/pictures/{name}")


async def take(demo: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        login = {"username": demo["user"], "password": demo["password"]}
        async with session.post(f"{demo['url']}/auth/token", json=login) as reply:
            token = (await reply.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        runs = f"{demo['url']}/api/v2/dags/{FLOW}/dagRuns?limit=50&order_by=run_after"
        async with session.get(runs, headers=headers) as reply:
            found = (await reply.json())["dag_runs"]
        async with session.get(f"{demo['url']}/api/v2/dags?limit=100", headers=headers) as reply:
            dags = sorted(dag["dag_id"] for dag in (await reply.json())["dags"])
        run = await _richest(session, demo["url"], headers, [each["dag_run_id"] for each in found])
        with tempfile.TemporaryDirectory() as profile:
            await _shoot(session, demo["url"], token, run, profile)
    about = {"version": version("drbridge"), "dags": dags, "pictures": sorted(p.name for p in PICTURES.glob("*.png"))}
    (PICTURES / "screens.json").write_text(json.dumps(about, indent=1) + "\n")


async def _richest(session: aiohttp.ClientSession, url: str, headers: dict[str, str], runs: list[str]) -> str:
    """The run with the most files, which shows most."""
    best, most = runs[0], 0
    for run in runs:
        address = f"{url}/api/v2/dags/{FLOW}/dagRuns/{run.replace('+', '%2B')}/taskInstances?limit=100"
        async with session.get(address, headers=headers) as reply:
            tasks = len((await reply.json())["task_instances"])
        if tasks > most:
            best, most = run, tasks
    return best


async def _shoot(session: aiohttp.ClientSession, url: str, token: str, run: str, profile: str) -> None:
    chromium = subprocess.Popen(
        [shutil.which("chromium") or "chromium", *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
        stderr=subprocess.DEVNULL,
    )
    try:
        port = await _port_of(Path(profile))
        async with session.get(f"http://127.0.0.1:{port}/json") as reply:
            page = next(each for each in await reply.json() if each["type"] == "page")
        async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            browser = Browser(socket)
            await browser.say("Network.setCookie", url=url, name="_token", value=token)
            await browser.picture(f"{url}/dags", "dags.png")
            await browser.picture(f"{url}/dags/{FLOW}/runs/{run}", "grid.png")
            press = "[...document.querySelectorAll('button')].find(b => /trigger/i.test(b.textContent))?.click()"
            await browser.picture(f"{url}/dags/{FLOW}", "trigger.png", press)
    finally:
        chromium.terminate()
        chromium.wait()


async def _port_of(profile: Path) -> int:
    for _ in range(100):
        file = profile / "DevToolsActivePort"
        if file.exists() and (text := file.read_text()):
            return int(text.splitlines()[0])
        await asyncio.sleep(0.2)
    sys.exit("chromium did not start")


def main() -> None:
    if not shutil.which("chromium"):
        sys.exit("chromium is not installed: apt-get install chromium")
    if not DEMO.exists():
        sys.exit("no demo is running: start `make demo` in another terminal and wait for its table")
    PICTURES.mkdir(exist_ok=True)
    asyncio.run(take(json.loads(DEMO.read_text())))


if __name__ == "__main__":
    main()
