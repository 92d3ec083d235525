"""A bound on the processor time of this process, which a busy machine does not change much."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cpu_seconds_below(most: float) -> Iterator[None]:
    """AssertionError where the block takes `most` CPU seconds or more, all threads together."""
    began = time.process_time()
    yield
    used = time.process_time() - began
    assert used < most, f"{used:.2f} CPU seconds, the bound is {most:g}"
