"""Prompts that the API captured: for rounds that collect preferences, never for a blind one."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.core.examples import Message
from engine.services import feedback, projects
from engine.services.data import cleaning, datasets
from engine.services.feedback import ArenaChoice
from tests import helpers
from ui.pages.rating import start

ASKED = ("Where is my parcel?", "When do you open?", "Where is my parcel?")


@pytest.fixture
def models(ws, tmp_path):
    return [helpers.model(ws, tmp_path, name) for name in ("one", "two")]


@pytest.fixture
def project(ws, models):
    """A project whose API kept three answers to two prompts, and one without its texts."""
    made = projects.create(ws, LOCAL, "Support").id
    for number, text in enumerate((*ASKED, "Never kept")):
        feedback.keep(
            ws, LOCAL, made, ArenaChoice(models[0], models[1]),
            completion_id=f"chatcmpl-{number}", key_id=None, captures=text in ASKED,
            prompt=[Message(role="user", content=text)], text="An answer.",
        )  # fmt: skip
    return made


def questions(ws, project, purpose):
    return start.choices(ws, project, purpose, None, None, None)[2]


def planned(ws, project, purpose, models, dataset):
    return start.plan(ws, project, purpose, models[0].id, models[1].id, dataset, 6, 1, 32)


def test_captured_prompts_are_offered_where_preferences_are_collected(ws, project):
    offered = questions(ws, project, "train_pairs")
    assert offered.choices == [
        ("Captured from traffic, not blind (2 prompts)", f"{start.TRAFFIC}{project}")
    ]
    assert questions(ws, project, "blind_eval").choices == []
    assert questions(ws, projects.create(ws, LOCAL, "Other").id, "train_pairs").choices == []


def test_round_of_captured_prompts_is_of_a_dataset_that_says_traffic(ws, project, models):
    traffic = f"{start.TRAFFIC}{project}"
    assert "2 questions" in start.power(ws, "train_pairs", traffic, 6, 1)
    made = planned(ws, project, "train_pairs", models, traffic)
    asked = datasets.get(ws, LOCAL, made.plan.dataset)
    assert asked.from_traffic
    assert asked.name == "Prompts from traffic"
    assert asked.rows == 2


@pytest.mark.parametrize("purpose", ["blind_eval", "aa_control"])
def test_blind_round_of_captured_prompts_is_refused(ws, project, models, purpose):
    made = feedback.to_dataset(ws, LOCAL, project, "prompts", held_out=0)
    assert questions(ws, project, purpose).choices == []
    same = models if purpose == "blind_eval" else models[:1] * 2
    with pytest.raises(Conflict, match="come from traffic"):
        planned(ws, project, purpose, same, made.id)


def test_cleaned_version_of_captured_prompts_is_traffic_too(ws, project):
    made = feedback.to_dataset(ws, LOCAL, project, "prompts", held_out=0)
    changed = cleaning.apply(ws, LOCAL, made.id, [cleaning.system_prompt("Be kind.")])
    assert changed.id != made.id
    assert changed.from_traffic
