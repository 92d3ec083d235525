"""The Rating page makes datasets for KTO and SFT and leads to the training on them."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.data import datasets
from tests import helpers
from tests.rating.votes_in_tables import WORDS, a_pair, a_round, arms, cast
from ui.pages.rating import other_datasets


@pytest.fixture
def project(ws, tmp_path):
    found = helpers.project(ws)
    one = a_round(ws, found.id, arms(ws, tmp_path))
    for n in range(20):
        pair = a_pair(ws, one, WORDS[n], f"<b>start {n}", f"other {n}")
        side, left_is = ("left", "right")[n % 2], ("a", "b")[n % 2]
        edit = {"side": side, "text": f"<b>start {n}, mended"}
        cast(ws, pair, "r", side, left_is=left_is, edit=edit)
    return found


@pytest.mark.parametrize(
    ("of", "method", "kind", "words"),
    [
        ("ratings", "kto", "unpaired", "60 rated answers</b> from 20 votes"),
        ("accepted", "sft", "sft", "20 accepted answers</b> from 20 votes"),
    ],
)
def test_dataset_of_votes_leads_to_its_training(ws, project, of, method, kind, words):
    made, report, train = other_datasets.make(ws, of, project.id)
    target, tabs = other_datasets.aim(made)
    assert (target.method, target.dataset) == (method, made.dataset)
    assert datasets.get(ws, LOCAL, target.dataset).kind == kind
    assert words in report.value
    assert report.visible
    assert train.visible
    assert tabs.selected == "training"


def test_dataset_of_too_few_votes_is_refused_in_a_sentence(ws):
    empty = helpers.project(ws)
    with pytest.raises(UserError, match="no rating round to take votes from"):
        other_datasets.make(ws, "accepted", empty.id)


def test_training_on_nothing_is_refused(ws):
    with pytest.raises(UserError, match="Nothing has been made yet"):
        other_datasets.aim(None)
    with pytest.raises(UserError, match="No project is open"):
        other_datasets.make(ws, "ratings", None)
