"""A PostgreSQL server of its own, on a socket in a folder that only its user may enter."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FAST = "-c fsync=off -c full_page_writes=off"  # a test's server need not survive a power cut


class Server:
    """A cluster under `folder`, not started yet."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries, self.folder = binaries, folder
        root = os.geteuid() == 0
        self.user = "postgres" if root else pwd.getpwuid(os.geteuid()).pw_name
        self.as_user = ["runuser", "-u", self.user, "--"] if root else []
        shutil.chown(folder, self.user)
        data = ("-D", str(folder / "data"))
        self.run("initdb", *data, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def run(self, program: str, *args: str) -> None:
        """One of PostgreSQL's programs, as the user of the cluster."""
        command = [*self.as_user, str(self.binaries / program), *args]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")

    def start(self, options: str = FAST) -> None:
        """Start it, on a socket only, so that no port can clash."""
        options = f"-k {self.folder} -c listen_addresses= {options}"
        self._control("-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, as a crash does: what it had open is cut."""
        self._control("-m", "immediate", "stop")

    def create(self, name: str) -> str:
        """The address of a new database."""
        self.run("createdb", "-h", str(self.folder), name)
        return self.address(name)

    def address(self, name: str) -> str:
        """The address of a database of that name."""
        return f"postgresql://{self.user}@/{name}?host={self.folder}"

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection that may make and drop databases."""
        import psycopg

        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            yield connection

    def _control(self, *args: str) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", *args)


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs meanwhile; skips the test where there is none to use."""
    binaries = _binaries()
    # Not pytest's folder: that one is closed to the postgres user, and too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="tuneloop-pg-", dir="/tmp"))
    try:
        server = Server(binaries, folder)
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)


def _binaries() -> Path:
    """The folder that holds initdb; skips the test when there is none to use."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3])
    )
    found = str(debian[-1]) if debian else shutil.which("initdb")
    if found is None:
        pytest.skip("no PostgreSQL server here: install Debian's package postgresql")
    if os.geteuid() == 0 and not any(entry.pw_name == "postgres" for entry in pwd.getpwall()):
        pytest.skip("PostgreSQL doesn't run as root, and this machine has no user postgres")
    return Path(found).parent
