"""The pages say what the code does, and the code keeps to its own rules of size."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import BaseModel

from drbridge.cli.settings_page import EXTRAS, TABLES, explained_in
from drbridge.inbox.paths import DOORS, PUBLISHED_PREFIX, SHORT_PREFIX
from drbridge.inbox.reading import Limits
from drbridge.systems import DEFAULT_FILE, load

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_generated_pages_are_fresh() -> None:
    told = subprocess.run(
        [str(Path(sys.executable).with_name("drbridge")), "docs", "--check"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("name", [name for name in TRACKED if name.endswith(".py") and (ROOT / name).exists()])
def test_no_python_file_is_longer_than_400_lines(name: str) -> None:
    limit = 60 if name.startswith("dags/") else 400
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= limit


def test_the_readme_names_every_flow() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in load(DEFAULT_FILE).flows if f"`{name}`" not in readme]
    assert not missing


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_what_the_page_for_the_night_quotes_is_what_the_tasks_say() -> None:
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs" / "operate.md").read_text(encoding="utf-8"), re.MULTILINE)
    quoted = [piece.strip() for row in rows for words in re.findall(r'"(.+?)"', row) for piece in words.split("...")]
    said = "".join(path.read_text() for folder in ("include", "plugins") for path in (ROOT / folder).rglob("*.py"))
    assert len(quoted) > 10
    assert [piece for piece in quoted if piece not in said] == []


def test_the_page_on_connecting_and_the_example_name_every_connection_that_is_needed() -> None:
    shipped = re.sub("#.*", "", DEFAULT_FILE.read_text(encoding="utf-8"))
    needed = set(re.findall(r'(?:(?:sftp|s3|rest)://|connection = ")([a-z_]+)', shipped))
    assert len(needed) > 5
    for page, written in (("docs/connect.md", "`{}`"), (".env.example", "AIRFLOW_CONN_{}=")):
        text = (ROOT / page).read_text(encoding="utf-8").lower()
        assert [name for name in needed if written.lower().format(name) not in text] == []


def test_the_page_on_connecting_names_every_path_of_the_inbox() -> None:
    text = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(\S+)` \| `(\S+)` \| (.+) \|$", text, re.MULTILINE)
    bodies = {"json": "JSON", "json and file": "`message`, `file`", "file": "`file`"}
    assert rows == [(door.published, door.short, bodies[door.shape]) for door in DOORS]
    assert f"{PUBLISHED_PREFIX}/" in text
    assert f"{SHORT_PREFIX}/" in text
    limits = Limits()
    assert f"at most {limits.message_bytes >> 20} MiB and {limits.levels} levels deep" in text
    assert f"at most {limits.file_bytes >> 20} MiB" in text
    assert f"{limits.message_seconds:.0f} s for a message, {limits.file_seconds / 60:.0f} min for a file" in text


def test_pins_name_no_registry() -> None:
    for path in ROOT.glob("requirements*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text


def test_every_dependency_has_a_reason() -> None:
    told = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = told.partition("dependencies = [")[2].partition("[project.scripts]")[0].splitlines()
    lines = [line for line in listed if line.strip().startswith('"')]
    assert len(lines) > 20
    assert [line for line in lines if "#" not in line] == []


def test_what_the_project_needs_to_run_is_pinned_not_only_for_tests() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=\[]", each)[0] for each in needed}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M))
    assert names - pinned == set()
    assert {"asyncpg", "psycopg2-binary"} <= names, "Airflow and the ledger on PostgreSQL"


def test_every_setting_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")))
    used |= {f"AIRFLOW_CONN_{name.upper()}" for name in _connections()}
    used |= {name for file in ("include", "plugins") for path in (ROOT / file).rglob("*.py") for name in _read_by(path)}
    assert {"DRBRIDGE_LOOK_SECONDS", "DRBRIDGE_PORT_BASE", "DRBRIDGE_PROFILE"} <= used
    assert {name for name in used if f"{name}=" not in example} == set()


def _read_by(path: Path) -> set[str]:
    """The settings a file reads; DRBRIDGE_CONTENT_SERVER is how the sandbox speaks to its own child."""
    return set(re.findall(r"\"(DRBRIDGE_[A-Z_]+)\"", path.read_text(encoding="utf-8"))) - {"DRBRIDGE_CONTENT_SERVER"}


def _connections() -> set[str]:
    systems = load(DEFAULT_FILE)
    places = [store.url for store in systems.stores.values()] + [
        url for flow in systems.flows.values() for url in flow.places
    ]
    return {url.split("/")[2] for url in places} | {each.connection for each in systems.endpoints.values()}


@pytest.mark.parametrize("model", [model for model, _ in TABLES.values()])
def test_every_setting_of_systems_toml_is_explained(model: type[BaseModel]) -> None:
    assert set(explained_in(model)) == set(model.model_fields) - {"name"}


def test_every_extra_that_is_read_is_explained_and_no_other() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "include/drbridge/adapters").glob("*.py"))
    read = set(re.findall(r"extra\.get\(\s*\"(\w+)\"", code))
    assert read == {name for extras in EXTRAS.values() for name in extras}


def test_the_pictures_show_this_version_and_these_dags() -> None:
    about = json.loads((ROOT / "docs" / "pictures" / "screens.json").read_text(encoding="utf-8"))
    assert about["dags"] == sorted(path.stem for path in (ROOT / "dags").rglob("*.py"))
    assert about["version"] == version("drbridge")
    assert {path.name for path in (ROOT / "docs" / "pictures").glob("*.png")} == set(about["pictures"])
