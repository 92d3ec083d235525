"""An upload that is larger than the limit, to a real server; and what is left of others."""

import http.client
import os
import time

from engine.worker import Worker
from tests.serving import serving

MB = 2**20
LIMIT_MB = 200


def test_upload_over_the_limit_is_refused_before_it_is_in_memory(home, tmp_path):
    with serving({"TUNELOOP_HOME": str(home)}, tmp_path / "log") as server:
        before = server.megabytes
        answer, most, hardest = upload(server, LIMIT_MB + 100)
        assert answer == 413
        assert most - before < 60
        assert hardest < 2.0
        assert [path for path in (home / "uploads").rglob("*") if path.is_file()] == []


def upload(server, megabytes):
    """The status, the most memory, and the CPU seconds that another answer cost meanwhile."""
    head = (
        b'--edge\r\nContent-Disposition: form-data; name="files"; filename="big.jsonl"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = b"\r\n--edge--\r\n"
    sent = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    sent.putrequest("POST", "/gradio_api/upload")
    sent.putheader("Content-Type", "multipart/form-data; boundary=edge")
    sent.putheader("Content-Length", str(len(head) + megabytes * MB + len(tail)))
    sent.endheaders(head)
    most, hardest, block = server.megabytes, 0.0, b"x" * MB
    try:
        for n in range(megabytes):
            sent.send(block)
            if n % 25 == 0:
                most = max(most, server.megabytes)
                hardest = max(hardest, health(server))
        sent.send(tail)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused on the way
    return sent.getresponse().status, most, hardest


def health(server):
    """CPU seconds of the server until it says that it is there, while the upload waits."""
    other, start = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300), server.cpu_s
    other.request("GET", "/health")
    assert other.getresponse().status == 200
    other.close()
    return server.cpu_s - start


def test_uploads_that_were_cut_off_are_removed_after_a_day(space):
    day, now = 24 * 3600, time.time()
    ages = {"cut/old.csv": day + 60, "cut/new.csv": day - 60}
    for name, age in ages.items():
        path = space.settings.uploads / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half a file")
        os.utime(path, (now - age, now - age))
    clock = [0.0]
    worker = Worker(space, clock=lambda: clock[0])
    worker.poll(now)
    left = [path.name for path in space.settings.uploads.rglob("*.csv")]
    assert left == ["new.csv"]
    worker.poll(now + 120)  # it looks once an hour
    assert (space.settings.uploads / "cut/new.csv").exists()
    clock[0] += 3600
    worker.poll(now + 120)
    assert not (space.settings.uploads / "cut/new.csv").exists()
