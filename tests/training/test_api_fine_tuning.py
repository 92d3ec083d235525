"""Files that programs hand in: how many of them a project keeps."""

import io

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.services.training import api_fine_tuning
from tests import helpers


def hand_in(ws, project_id, content=b'{"messages": []}\n'):
    return api_fine_tuning.add_file(
        ws, LOCAL, project_id, "rows.jsonl", "fine-tune", io.BytesIO(content)
    )


def kept(ws):
    return len(list((ws.files / api_fine_tuning.FOLDER).iterdir()))


def test_project_keeps_so_many_files_and_no_more(ws, monkeypatch):
    monkeypatch.setattr(api_fine_tuning, "MOST_FILES", 2)
    one, other = helpers.project(ws).id, helpers.project(ws, "Other").id
    first = hand_in(ws, one)
    hand_in(ws, one)
    with pytest.raises(Conflict, match="has 2 files already"):
        hand_in(ws, one)
    assert kept(ws) == 2
    hand_in(ws, other)
    api_fine_tuning.remove_file(ws, LOCAL, first.id)
    hand_in(ws, one)
    assert kept(ws) == 3


def test_project_keeps_so_many_bytes_of_files_and_no_more(ws, monkeypatch):
    monkeypatch.setattr(api_fine_tuning, "MOST_BYTES", 20)
    one = helpers.project(ws).id
    hand_in(ws, one)
    hand_in(ws, one)  # the limit is looked at before a file, not within it
    with pytest.raises(Conflict, match="files of the project take"):
        hand_in(ws, one)
    assert kept(ws) == 2
