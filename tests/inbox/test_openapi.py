"""The inbox keeps what its own description promises, whatever it is sent: asked by schemathesis.

`make schemathesis` asks more and longer; here is a slice of it, the same each time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from drbridge.contracts import MESSAGES
from drbridge.inbox.paths import DOORS, PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge.inbox.reading import Limits
from drbridge.ledger.tables import messages
from tests.inbox.serving import DERMS, Inbox, desk_of, served
from tests.ledgers import ledger_in

EXAMPLES = os.environ.get("DRBRIDGE_SCHEMATHESIS_EXAMPLES")
HOW_LONG = ["--max-examples", EXAMPLES] if EXAMPLES else ["--max-examples", "2", "--phases", "fuzzing"]
BOTH = pytest.mark.parametrize("prefix", [SHORT_PREFIX, PUBLISHED_PREFIX], ids=["short", "published"])


def some_of(prefix: str) -> pytest.MarkDecorator:
    """One of the prefixes in the slice, both in the long run."""
    return BOTH if EXAMPLES else pytest.mark.parametrize("prefix", [prefix])


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Inbox]:
    """Nothing settles here, so waiting is cut short."""
    ledger = ledger_in(tmp_path)
    with served(desk_of(ledger, tmp_path), tmp_path, Limits(wait_seconds=0.05)) as inbox:
        yield inbox
    ledger.close()


def ask(inbox: Inbox, prefix: str, folder: Path, *options: str) -> str:
    """Runs schemathesis with all its checks but one: rules between fields are beyond what a schema can say."""
    url = f"{inbox.url}{prefix}"
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis", "--no-color", "run", f"{url}/openapi.json", "--url", url,
            "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--seed", "4711",
            "--generation-database", "none", "--suppress-health-check", "all", *HOW_LONG, *options,
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if EXAMPLES:
        print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@some_of(SHORT_PREFIX)
@pytest.mark.timeout(7200 if EXAMPLES else 120)
def test_schemathesis_finds_no_fault(patient: Inbox, prefix: str, tmp_path: Path) -> None:
    ask(patient, prefix, tmp_path, "--auth", ":".join(DERMS))
    assert patient.count(messages) > 0


@some_of(PUBLISHED_PREFIX)
@pytest.mark.timeout(7200 if EXAMPLES else 120)
def test_schemathesis_signed_in_as_nobody_writes_nothing(patient: Inbox, prefix: str, tmp_path: Path) -> None:
    if EXAMPLES:
        ask(patient, prefix, tmp_path)
    ask(patient, prefix, tmp_path, "--header", "Authorization: Bearer made-up")
    assert (patient.count(messages), patient.posted_files()) == (0, {})


@BOTH
def test_the_page_and_the_document_name_every_path(door: Inbox, prefix: str) -> None:
    document = httpx.get(f"{door.url}{prefix}/openapi.json").json()
    paths = {each.published if prefix == PUBLISHED_PREFIX else each.short for each in DOORS}
    assert set(document["paths"]) == {f"/{path}" for path in paths} | {"/messages/{number}", "/health"}
    assert httpx.get(f"{door.url}{prefix}/docs").status_code == 200
    assert set(document["components"]["schemas"]) > {
        model.__name__ for noun, model in MESSAGES.items() if noun != "posted_file"
    }
