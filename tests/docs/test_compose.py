"""docker-compose.yaml and the image: what `.env` says counts, and what must last lies on a volume."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OURS = {name: each for name, each in COMPOSE["services"].items() if name != "postgres"}
IMAGE = dict(re.findall(r"([A-Z_]+)=(\S+)", DOCKERFILE.partition("\nENV ")[2]))


def test_what_the_environment_of_a_service_says_comes_from_env_or_gives_way_to_it() -> None:
    for name, service in OURS.items():
        assert service["env_file"] == ".env"
        for setting, value in service["environment"].items():
            required = re.fullmatch(r"\$\{[A-Z_]+:\?.+\}", value)
            assert required or value.startswith(f"${{{setting}:-"), f"{name}: {setting} would silently beat .env"
        assert set(IMAGE).isdisjoint(service["environment"])


def test_what_must_last_or_be_edited_lies_outside_the_containers() -> None:
    for service in OURS.values():
        mounted = {each.split(":")[1]: each for each in service["volumes"]}
        assert str(Path(IMAGE["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).parent) in mounted
        assert IMAGE["DRBRIDGE_HOME"] in mounted
        assert mounted["/opt/drbridge/include/config"] == "./include/config:/opt/drbridge/include/config:ro"
    folders = re.findall(r"(/\S+)", DOCKERFILE.partition("install -d -o airflow")[2].partition("\n")[0])
    assert set(folders) < {each.split(":")[1] for each in OURS["scheduler"]["volumes"]}


def test_the_database_is_prepared_and_nothing_else() -> None:
    assert OURS["prepare"]["command"][-1] == "airflow db migrate && drbridge ledger upgrade"
    assert all("prepare" in each["depends_on"] for name, each in OURS.items() if not name.startswith(("prep", "sandb")))


def test_the_database_ends_transactions_in_which_nothing_happens() -> None:
    assert "idle_in_transaction_session_timeout=60s" in COMPOSE["services"]["postgres"]["command"]


def test_the_sandbox_is_a_profile_and_is_reached_by_its_name() -> None:
    in_profile = {name for name, each in OURS.items() if "sandbox" in each.get("profiles", [])}
    assert in_profile == {"sandbox", "sandbox-connections"}
    assert "--host sandbox" in OURS["sandbox"]["command"]
    written = OURS["sandbox"]["command"].split()[-1]
    assert written == OURS["sandbox"]["healthcheck"]["test"][-1] == OURS["sandbox-connections"]["command"][-1]


def test_no_connection_of_the_example_hides_those_of_the_sandbox() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert "\n#AIRFLOW_CONN_" in example
    assert "\nAIRFLOW_CONN_" not in example


def test_the_image_holds_no_secret_and_builds_without_a_download() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M) for name in line.split()}
    assert copied == kept
    assert re.search(r"uv pip install .*--no-build-isolation -e \.", DOCKERFILE)
