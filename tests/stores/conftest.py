"""Every exam of this folder is sat by SFTP on OpenSSH, SFTP on asyncssh, and S3 on SeaweedFS.

That of the stores also by the inbox's own folders.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from drbridge_sandbox.children import free_ports
from drbridge_sandbox.content_server import ContentServer
from drbridge_sandbox.object_store import ObjectStore
from tests.conftest import needs_openssh
from tests.stores.places import BUCKET, LOCAL, Place, s3_place, sftp_place

KINDS = ("openssh", "asyncssh", "s3")


@pytest.fixture(scope="session")
def asyncssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentServer]:
    root = tmp_path_factory.mktemp("asyncssh") / "files"
    with ContentServer(root, free_ports(1)[0], "drbridge", "a-password", openssh=False) as server:
        yield server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "openssh":
        needs_openssh()
    return str(request.param)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty folder on a server that all tests share."""
    folder = f"exam-{uuid.uuid4().hex[:8]}"
    if kind in LOCAL:
        made: Place = LOCAL[kind](request.getfixturevalue("tmp_path"), folder)
    elif kind == "s3":
        made = s3_place(request.getfixturevalue("object_store"), folder)
    else:
        server = request.getfixturevalue("content_server" if kind == "openssh" else "asyncssh_server")
        made = sftp_place(server, folder)
    yield made
    made.close()


@pytest.fixture
def own_place(kind: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty folder on a server of the test's own, to be stopped and started."""
    root = request.getfixturevalue("tmp_path")
    port = free_ports(1)[0]
    if kind == "s3":
        server: ObjectStore | ContentServer = ObjectStore(root / "objects", port, "access", "secret-key")
    else:
        server = ContentServer(root / "files", port, "drbridge", "a-password", openssh=kind == "openssh")
    server.start()
    if isinstance(server, ObjectStore):
        server.create_bucket(BUCKET)
        made: Place = s3_place(server, "exam")
    else:
        made = sftp_place(server, "exam")
    yield made
    made.close()
    (server.kill if isinstance(server, ObjectStore) else server.stop)()
