"""The page of all settings: systems.toml from its models, and the extras of connections."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from drbridge.settings import Compare, Difference, Keep, Lookups, Target
from drbridge.systems import Endpoint, Flow, Notify, Site, Store

TABLES: dict[str, tuple[type[BaseModel], str]] = {
    "[site]": (Site, "The whole installation."),
    "[site.lookups]": (Lookups, "Words that the other systems write differently; each is a table of its own."),
    "[notify]": (Notify, "Who is told what (docs/notify.md)."),
    "[keep]": (Keep, "How long `housekeeping` leaves things, in days after they are settled."),
    "[compare]": (Compare, "What the daily `reconcile` compares besides the ledger."),
    "[targets.<connection>]": (Target, "A REST connection that is called no faster than its owner allows."),
    "[endpoints.<name>]": (Endpoint, "One REST operation of another system."),
    '[endpoints.<name>.release."23C"]': (Difference, "What is different at an endpoint in one release."),
    "[stores.<name>]": (Store, "A folder or bucket prefix that files are delivered to."),
    "[flows.<name>]": (Flow, "One flow; its name is the id of its DAG."),
}

EXTRAS = {
    "sftp": {
        "host_key": "the server's public key, as `ssh-keyscan` prints it; a server with another key is refused",
        "known_hosts": "instead of `host_key`: a file of known hosts (`~/.ssh/known_hosts`)",
        "no_host_key_check": "`true` trusts any server; for trying things out only",
        "private_key": "our private key, as text (instead of a password)",
        "key_file": "our private key, as a file that every worker has",
        "private_key_passphrase": "opens that key",
    },
    "aws": {
        "endpoint_url": "address of the store (without it: the host of the connection, else Amazon)",
        "region_name": "its region (`us-east-1`)",
        "aws_access_key_id": "instead of the login",
        "aws_secret_access_key": "instead of the password",
        "aws_session_token": "where keys are lent for a time",
        "verify": "`false`: any certificate; or a file of certificates to trust",
    },
    "http": {
        "auth": "`basic`, `oauth2` or `none` (with a login `basic`, else `none`)",
        "token_path": "oauth2: where tokens come from, at the same host",
        "token_url": "oauth2: the same at another host, as a whole address",
        "scope": "oauth2: what we ask for",
        "token_login": "oauth2: `basic` sends client id and secret in the header, `post` in the body (`basic`)",
        "health_path": "what `drbridge connections` asks for (`/`); best a path that needs the login",
        "verify": "`false`: any certificate; or a file of certificates to trust",
        "cert": "a file with our client certificate and its key",
        "path": "of a webhook under `[notify]`: where notices are posted (`/`)",
    },
    "smtp": {
        "disable_ssl": "`true`: the line is encrypted by STARTTLS (port 587), not from its start (port 465)",
        "disable_tls": "`true` besides: not at all (port 25); such a connection may have no login",
        "verify": "a file of certificates to trust",
    },
}


def settings_page() -> str:
    """All tables of systems.toml, then the extras of each kind of connection."""
    parts = [
        "# The settings\n\nWhat moves where is `include/config/systems.toml`; addresses and passwords are Airflow "
        "connections; the rest is environment, and `.env.example` lists all of it.\n"
    ]
    for table, (model, what) in TABLES.items():
        parts.append(f"\n## `{table}`\n\n{what}\n\n| setting | default | what it says |\n|---|---|---|\n")
        parts += _rows(model)
    for kind, extras in EXTRAS.items():
        parts.append(f"\n## Extras of `{kind}` connections\n\n| extra | what it says (default) |\n|---|---|\n")
        parts += [f"| `{name}` | {what} |\n" for name, what in extras.items()]
    return "".join(parts)


def _rows(model: type[BaseModel]) -> Iterator[str]:
    told = explained_in(model)
    for name, each in model.model_fields.items():
        if name != "name":
            yield f"| `{name}` | {_default(each)} | {told[name]} |\n"


def explained_in(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring of a model says of each setting."""
    section = (inspect.getdoc(model) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}


def _default(setting: FieldInfo) -> str:
    if setting.is_required():
        return "must be given"
    value = setting.get_default(call_default_factory=True)
    return "" if value in (None, "", {}) or isinstance(value, BaseModel) else f"`{value}`"
