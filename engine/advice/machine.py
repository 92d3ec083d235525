"""What this machine has: memory that a training may take, and a GPU where there is one."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

RESERVED_SHARE = 0.1  # of the memory: the system and the web process need some
NO_LIMIT = 2**60  # cgroups write a number near 2**63 for "none"
LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
ASK_GPU = ("--query-gpu=memory.total", "--format=csv,noheader,nounits")


class Machine(NamedTuple):
    """Bytes; `limit` is a container's or None, `gpu` the memory of the first GPU or 0."""

    memory: int
    free: int
    limit: int | None = None
    gpu: int = 0
    bits16: bool = True  # whether its processor has units of its own for bfloat16

    @property
    def usable(self) -> int:
        """Bytes that one training may take here, on the GPU where there is one."""
        if self.gpu:
            return int(self.gpu * (1 - RESERVED_SHARE))
        return int(min(self.memory, self.limit or self.memory) * (1 - RESERVED_SHARE))

    @property
    def where(self) -> str:
        """What holds the training, in words."""
        if self.gpu:
            return "this GPU"
        return "this container" if self.limit and self.limit < self.memory else "this machine"


def here() -> Machine:
    """The machine that this runs on, as it is now."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(memory, _free(memory), _limit(), _gpu(), _bits16())


def of(memory: float) -> Machine:
    """A machine like this one with `memory` bytes and no GPU, for a question of "what if"."""
    return Machine(int(memory), int(memory), bits16=_bits16())


def _free(memory: int) -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return memory
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kilobytes[0] * 1024 if kilobytes else memory


@cache
def _bits16() -> bool:
    """Whether trainings will choose 16 bits here; they measure it, this only reads the name."""
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}.isdisjoint(words)


def _limit() -> int | None:
    found = []
    for path in LIMITS:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < NO_LIMIT:
            found.append(int(text))
    return min(found, default=None)


@cache
def _gpu() -> int:
    """Asked once: a machine's GPU doesn't change, and the answer takes a moment."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        done = subprocess.run(
            [program, *ASK_GPU], capture_output=True, text=True, timeout=5, check=False
        )
        return int(done.stdout.split()[0]) * 2**20 if done.returncode == 0 else 0
    except (OSError, subprocess.TimeoutExpired, IndexError, ValueError):
        return 0
