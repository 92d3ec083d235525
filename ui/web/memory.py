"""How many pools of memory the C library keeps for the threads of the web process."""

import ctypes
import os

M_ARENA_MAX = -8  # of glibc's malloc.h
POOLS = 2
BY_HAND = "MALLOC_ARENA_MAX"


def limit_pools() -> bool:
    """Keep two pools, of which each thread takes one; whether this C library does so.

    By itself glibc makes up to eight for each core, and what one of them has free no other uses: a
    process whose threads serve files grows by some megabytes with each opened page for a long time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or BY_HAND in os.environ:
        return False
    return bool(mallopt(M_ARENA_MAX, POOLS))
