"""Pools of the C library, in a process of its own: they are never given back."""

import os
import platform
import subprocess
import sys

import pytest

from ui.web import memory

COUNT = """
import ctypes, sys, threading
from ui.web import memory

print(memory.limit_pools())
meet = threading.Barrier(9)

def work():
    kept = [bytes(5000) for _ in range(50)]
    meet.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads:
    each.start()
meet.wait()
for each in threads:
    each.join()
sys.stdout.flush()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def pools(**environment):
    """What `limit_pools` said, and how many pools nine threads use after it."""
    usual = {name: value for name, value in os.environ.items() if name != memory.BY_HAND}
    ran = subprocess.run(
        [sys.executable, "-c", COUNT], env=usual | environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return ran.stdout.split()[0], ran.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no such pools")
def test_threads_share_two_pools_unless_somebody_chose_a_number():
    assert pools() == ("True", memory.POOLS)
    assert pools(**{memory.BY_HAND: "5"}) == ("False", 5)
