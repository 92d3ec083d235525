"""CPU seconds and memory of a fresh process: what a person waits for before the page is there."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, time
import {module}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{{time.process_time():.2f}} {{peak:.0f}}")
"""


@pytest.mark.parametrize("module", ["engine.cli.app", "gradio", "ui.server"])
def test_start(module):
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    seconds, megabytes = min(tuple(map(float, run.stdout.split())) for run in runs)
    print(f"\nimport {module:16} {seconds:5.2f} CPU s {megabytes:5.0f} MB peak, best of 3")
