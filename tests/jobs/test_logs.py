"""Logs stay of bounded size, and whoever writes them goes on."""

import logging

import gradio as gr
import pytest

from engine.services.jobs import logs
from ui.web import errors


def test_log_that_has_grown_too_large_keeps_its_end_and_its_writer(tmp_path):
    path = tmp_path / "log.txt"
    with path.open("ab", buffering=0) as out:
        for number in range(300_000):
            out.write(b"line %d\n" % number)
        logs.bound(path, most=2**21)
        out.write(b"after\n")
    lines = path.read_bytes().splitlines()
    assert path.stat().st_size < logs.KEPT + 200
    assert lines[0].startswith(b"[earlier lines were dropped")
    assert lines[1].startswith(b"line ")
    assert lines[-2:] == [b"line 299999", b"after"]


def test_log_within_its_bound_stays_as_it_is(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"x\n" * 1000)
    logs.bound(path)
    logs.bound(tmp_path / "none.txt")
    assert path.read_bytes() == b"x\n" * 1000


def test_traceback_of_one_place_is_written_once(caplog):
    @errors.shows_errors
    def broken():
        raise ZeroDivisionError("on purpose")

    with caplog.at_level(logging.ERROR, logger="tuneloop.ui"):
        for _ in range(50):
            with pytest.raises(gr.Error):
                broken()
    assert sum(record.exc_info is not None for record in caplog.records) == 1
    assert len(caplog.records) == 50
    assert len(caplog.text) < 20_000
