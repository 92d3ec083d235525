"""Files that programs hand in: how many of them a project keeps."""

import io

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.services.training import by_program
from tests import helpers


def hand_in(ws, project_id, content=b'{"messages": []}\n'):
    return by_program.add_file(
        ws, LOCAL, project_id, "rows.jsonl", "fine-tune", io.BytesIO(content)
    )


def kept(ws):
    return len(list((ws.files / by_program.FOLDER).iterdir()))


def test_project_keeps_so_many_files_and_no_more(ws, monkeypatch):
    monkeypatch.setattr(by_program, "MOST_FILES", 2)
    one, other = helpers.project(ws).id, helpers.project(ws, "Other").id
    first = hand_in(ws, one)
    hand_in(ws, one)
    with pytest.raises(Conflict, match="has 2 files already"):
        hand_in(ws, one)
    assert kept(ws) == 2
    hand_in(ws, other)
    by_program.remove_file(ws, LOCAL, first.id)
    hand_in(ws, one)
    assert kept(ws) == 3


def test_project_keeps_so_many_bytes_of_files_and_no_more(ws, monkeypatch):
    monkeypatch.setattr(by_program, "MOST_BYTES", 20)
    one = helpers.project(ws).id
    hand_in(ws, one)
    hand_in(ws, one)  # the limit is looked at before a file, not within it
    with pytest.raises(Conflict, match="files of the project take"):
        hand_in(ws, one)
    assert kept(ws) == 2
