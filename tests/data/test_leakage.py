"""Questions that a test and a training share: found, and kept apart by one call."""

import json
import time

import pytest

from engine import plugins
from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.data import cleaning, datasets, leakage
from engine.services.jobs import lifecycle
from engine.store import evaluations
from engine.store.connect import writing
from engine.store.evaluations import EvaluationRef
from tests import helpers


def upload(ws, project, folder, questions, name, held_out=0.25):
    path = folder / f"{name}.jsonl"
    rows = [{"prompt": asked, "completion": f"answer {n}."} for n, asked in enumerate(questions)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, project, path, path.name, held_out=held_out)


def asked(ws, dataset, split=None):
    rows = datasets.rows(ws, LOCAL, dataset.id, split)
    return [row.example.messages[-2].content for row in rows]


def evaluated(ws, dataset, folder):
    """Note an evaluation of the version, as the job that ran it would."""
    recipe = plugins.load("jobs", "evaluate").Recipe(
        dataset=dataset.id, models=[helpers.model(ws, folder).id], metrics=["exact_match"]
    )
    job = lifecycle.submit(ws, LOCAL, dataset.project_id, recipe)
    ref = EvaluationRef(
        id=ids.new("evaluation"), project_id=dataset.project_id, job_id=job.id,
        dataset_id=dataset.id, models=(), file="x", created_at=time.time(),
    )  # fmt: skip
    with writing(ws.db) as conn:
        evaluations.add(conn, ref)


def numbers(word, count):
    return [f"{word} {n}?" for n in range(count)]


@pytest.fixture
def project(ws):
    return helpers.project(ws).id


@pytest.fixture
def test_set(ws, project, tmp_path):
    """Forty questions, ten of them held out, that a model was evaluated on."""
    found = upload(ws, project, tmp_path, numbers("tested", 40), "test")
    evaluated(ws, found, tmp_path)
    return found


@pytest.fixture
def leaky(ws, project, test_set, tmp_path):
    """Sixty training rows, the last five of which are questions of the test, written louder."""
    planted = [f" {question.upper()}" for question in asked(ws, test_set, "held_out")[:5]]
    return upload(ws, project, tmp_path, [*numbers("learned", 55), *planted], "faq", held_out=0)


def test_five_planted_test_questions_are_shown_with_their_rows(ws, leaky, test_set):
    (found,) = leakage.overlaps(ws, LOCAL, leaky.id)
    assert (found.kind, found.other, found.side) == ("evaluation", "test@1", "train")
    assert (found.count, found.rows) == (5, (56, 57, 58, 59, 60))


def test_leakage_of_a_test_set_lists_the_questions_that_training_has_seen(ws, leaky, test_set):
    (found,) = leakage.overlaps(ws, LOCAL, test_set.id)
    assert (found.kind, found.other_id, found.side) == ("training", leaky.id, "held_out")
    assert found.count == 5


def test_leakage_fix_removes_the_shared_questions_only(ws, leaky):
    mended = leakage.without_overlap(ws, LOCAL, leaky.id)
    assert leakage.overlaps(ws, LOCAL, mended.id) == []
    assert asked(ws, mended) == asked(ws, leaky)[:55]
    assert cleaning.undo(ws, LOCAL, mended.id) == leaky


def test_leakage_fix_moves_the_shared_questions_to_the_other_split(ws, leaky):
    mended = leakage.without_overlap(ws, LOCAL, leaky.id, "move")
    assert (mended.train_rows, mended.held_out_rows) == (55, 5)
    assert asked(ws, mended, "held_out") == asked(ws, leaky)[55:]
    assert leakage.overlaps(ws, LOCAL, mended.id) == []


def test_leakage_fix_moves_a_held_out_question_into_the_training_split(ws, leaky, test_set):
    mended = leakage.without_overlap(ws, LOCAL, test_set.id, "drop")
    assert mended.held_out_rows == 5
    assert {found.kind for found in leakage.overlaps(ws, LOCAL, mended.id)} <= {"evaluation"}


def test_leakage_ignores_versions_cleaned_from_one_another(ws, test_set):
    sides = datasets.splits_of(ws, test_set)[:-1]
    mended = cleaning.store_version(
        ws, LOCAL, test_set, range(len(sides)), sides, {"mended": test_set.id}
    )
    assert leakage.overlaps(ws, LOCAL, mended.id) == []


@pytest.mark.parametrize(
    ("purpose", "kind", "side"),
    [("blind_eval", "blind round", "train"), ("train_pairs", "rating round", "held_out")],
)
def test_leakage_covers_the_questions_of_rounds(ws, project, tmp_path, purpose, kind, side):
    one = helpers.open_round(ws, project, tmp_path, purpose=purpose)
    share = 0 if side == "train" else 0.5
    leaky = upload(
        ws,
        project,
        tmp_path,
        [*(q.strip("?") for q in numbers("prompt", 9)), *numbers("x", 9)],
        "l",
        share,
    )
    found = [o for o in leakage.overlaps(ws, LOCAL, leaky.id) if o.kind == kind]
    shared = [q for q in asked(ws, leaky, side) if q.startswith("prompt")]
    assert [(o.other_id, o.side, o.count) for o in found] == [(one.id, side, len(shared))]


def test_leakage_fix_of_a_version_without_overlap_makes_no_version(ws, project, tmp_path, test_set):
    clean = upload(ws, project, tmp_path, numbers("learned", 20), "faq")
    assert leakage.overlaps(ws, LOCAL, clean.id) == []
    with pytest.raises(UserError, match="shares no question"):
        leakage.without_overlap(ws, LOCAL, clean.id)
