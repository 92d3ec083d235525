"""What is held out from training pairs: read once, and current when something is added."""

import pytest

from engine.core.actor import LOCAL
from engine.core.examples import Message
from engine.services.data import datasets
from engine.services.preferences import holdout
from engine.services.rating import pasted_prompts
from tests import helpers
from tests.ui import seed


@pytest.fixture
def project(ws, tmp_path):
    """A project with one dataset of chats and one open blind round."""
    made = helpers.project(ws)
    helpers.dataset(ws, made.id, tmp_path)
    seed.open_round(ws, tmp_path, project=made.id, purpose="blind_eval", pairs=4)
    return made


def test_holdout_reads_each_dataset_once(ws, project, monkeypatch):
    before = holdout.of_project(ws, LOCAL, project.id)
    monkeypatch.setattr(datasets, "each_row", lambda *_: pytest.fail("read again"))
    again = holdout.of_project(ws, LOCAL, project.id)
    assert again == before
    assert before.questions


def test_holdout_of_a_cold_process_is_the_same(ws, project):
    before = holdout.of_project(ws, LOCAL, project.id)
    holdout._PARTS.clear()
    assert holdout.of_project(ws, LOCAL, project.id).sha256 == before.sha256


def test_holdout_has_a_test_question_as_soon_as_it_is_added(ws, project):
    asked = (Message(role="user", content="which moon is the largest of them all here now?"),)
    key = holdout.question_key(asked)
    assert key not in holdout.of_project(ws, LOCAL, project.id).questions
    pasted_prompts.store(ws, LOCAL, project.id, [asked[0].content], "blind_eval")
    found = holdout.of_project(ws, LOCAL, project.id)
    assert key in found.questions
    assert "which moon is the largest of them all here now" in found.texts


def test_holdout_has_the_questions_of_a_round_that_opened_meanwhile(ws, project, tmp_path):
    waiting = seed.preparing(ws, tmp_path, project=project.id, purpose="blind_eval", pairs=2)
    before = holdout.of_project(ws, LOCAL, project.id).questions
    seed.answer(ws, waiting, [(f"brand new question {n}", f"one {n}", f"two {n}") for n in "ab"])
    after = holdout.of_project(ws, LOCAL, project.id).questions
    assert set(after) - set(before) == {"brand new question a", "brand new question b"}


def test_holdout_keeps_no_more_parts_than_it_may(ws, project, monkeypatch):
    monkeypatch.setattr(holdout, "MOST_PARTS", 1)
    holdout.of_project(ws, LOCAL, project.id)
    assert len(holdout._PARTS) == 1
