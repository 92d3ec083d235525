"""What a training takes of the machine: processor, memory, graphics memory."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

EVERY_S = 2.0
MB = 1 << 20
STATUS = Path("/proc/self/status")


class ResourceMeter:
    """Reads this process, and its graphics card where it has one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first reading is the zero of the next
        self._read_at = clock()
        self._peak_mb = 0.0

    def now(self) -> dict[str, float]:
        """`cpu_percent` (100 for one core), `memory_mb`, and `gpu_...`; empty within 2 s."""
        if self._clock() - self._read_at < EVERY_S:
            return {}
        self._read_at = self._clock()
        used = round(self._process.memory_info().rss / MB, 1)
        self._peak_mb = max(self._peak_mb, used)
        return {"cpu_percent": self._process.cpu_percent(), "memory_mb": used, **_card()}

    def peak(self) -> dict[str, float]:
        """`peak_memory_mb` of the process, and of the graphics card where there is one."""
        import torch

        now = self._process.memory_info().rss / MB
        peak = {"peak_memory_mb": round(max(self._peak_mb, now, _high_water_mb()), 1)}
        if torch.cuda.is_available():
            peak["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / MB, 1)
        return peak


def _high_water_mb() -> float:
    """The most this process ever held, as Linux counted it; 0 elsewhere.

    Not getrusage: that number is the parent's where a large process started a small one.
    """
    if not STATUS.exists():
        return 0.0
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else 0.0


def _card() -> dict[str, float]:
    import torch

    if not torch.cuda.is_available():
        return {}
    used = {"gpu_memory_mb": round(torch.cuda.memory_allocated() / MB, 1)}
    return used | _busy(torch)


def _busy(torch: Any) -> dict[str, float]:
    try:
        return {"gpu_percent": float(torch.cuda.utilization())}
    except (ModuleNotFoundError, RuntimeError):  # the driver's library is optional
        return {}
