"""The task of a dataset and its metrics; parts of an evaluation; who may be asked."""

import pytest

from engine.core.actor import LOCAL
from engine.core.column_mapping import mapping_of
from engine.core.errors import Conflict
from engine.core.examples import Chat, Message
from engine.services.data import datasets
from engine.services.evaluation import slices, task
from engine.store import models
from engine.store.connect import writing
from tests import helpers
from tests.ui import results

ANSWERS = {
    number: ("a", number / 20, "b", 1.0 if number % 2 else 0.0)
    for number in range(12)
}  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["yes", "No.", "yes", "no", "YES", "no"], "labels"),
        (["#### 12", "so 3 + 4\n#### 7", "#### 1,000"], "numbers"),
        (["12", "$3.50", "40 km", "7%"], "numbers"),
        (['{"a": 1}', "[1, 2]"], "json"),
        (["Paris", "the river Seine", "1889, in spring"], "text"),
        (["You can renew a book three times at the desk.", "Ask us, and we look it up."], "text"),
        ([], "nothing"),
    ],
)
def test_task_follows_from_the_right_answers(answers, kind):
    assert task.of([(each,) for each in answers]).kind == kind


def test_short_and_long_texts_are_scored_by_different_words():
    assert "token_f1" in task.of([("Paris",), ("the Seine",), ("Victor Hugo",)]).metrics
    assert "bleu" in task.of([(f"A sentence of more than five words, {n}",) for n in "abc"]).metrics


@pytest.mark.parametrize(
    ("file", "columns", "kind"),
    [
        ("tasks/snips_intent/test_210.csv", {"prompt": "text", "answer": "intent"}, "labels"),
    ],
)
def test_task_of_real_datasets_is_recognised(ws, shared_data, file, columns, kind):
    project = helpers.project(ws).id
    path = shared_data / file
    data = datasets.add(
        ws, LOCAL, project, path, path.name, mapping=mapping_of(columns), held_out=0.0
    )
    assert task.guess(ws, LOCAL, data.id, None).kind == kind
    assert task.guess(ws, LOCAL, data.id, "held_out").kind == "nothing"


def test_evaluation_skips_reward_models(ws, tmp_path):
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    judge = results.adapter(ws, project, base, data)
    judge = judge.model_copy(update={"id": "model-judge", "kind": "reward", "name": "Judge"})
    with writing(ws.db) as conn:
        models.add(conn, judge)
    for kind, values in (
        ("evaluate", {"models": [base.id, judge.id], "dataset": data.id}),
        ("play", {"models": [judge.id], "prompt": "Hi"}),
    ):
        with pytest.raises(
            Conflict, match="Judge is a reward model: it scores answers and cannot generate them"
        ):
            results.submit(ws, project, kind, **values)


def test_slices_of_an_evaluation_have_their_own_scores(ws, tmp_path):
    made = evaluation(["ab", "a longer one", "the longest of all questions here"])
    sliced = slices.slicing(ws, LOCAL, made, "question")
    assert [each.split(" ")[0] for each in sliced.slice_of_row[:3]] == ["short", "middle", "long"]
    scored = slices.scores(made, "tuned", "rougeL", sliced)
    assert [one.n for one in scored] == [4, 4, 4]
    assert sum(one.mean for one in scored) == pytest.approx(1.5)


def test_slices_by_length_stand_short_before_long_whatever_row_is_first(ws):
    made = evaluation(["the longest of all questions here", "ab", "a longer one"])
    sliced = slices.slicing(ws, LOCAL, made, "question")
    assert [each.split(" ")[0] for each in sliced.order] == ["short", "middle", "long"]
    scored = slices.scores(made, "tuned", "rougeL", sliced)
    assert tuple(one.name for one in scored) == sliced.order


def test_languages_slice_rows_where_they_can_be_told(ws):
    german = (
        "Wie kann ich ein Buch verlängern, das ich letzte Woche in der Bücherei ausgeliehen habe?"
    )
    english = (
        "How can I renew a book that I have borrowed from the library in the last week, please?"
    )
    made = evaluation([german, english, "hm"])
    sliced = slices.slicing(ws, LOCAL, made, "language")
    assert (sliced.slice_of_row[:3], sliced.order) == (("de", "en", None), ("de", "en"))
    assert "language" in slices.slicings(ws, LOCAL, made)


def test_groups_come_from_the_dataset(ws, tmp_path):
    project = helpers.project(ws).id
    path = tmp_path / "groups.csv"
    rows = [f"question {n},answer {n},{'north' if n % 2 else 'south'}" for n in range(12)]
    path.write_text("\n".join(["prompt,completion,place", *rows]) + "\n")
    data = datasets.add(ws, LOCAL, project, path, path.name, held_out=0.0, group="place")
    made = evaluation(["q"]).model_copy(update={"dataset_id": data.id})
    groups = slices.slicings(ws, LOCAL, made)["group"]
    assert groups == (("south", "north") * 6, ("north", "south"))
    gone = made.model_copy(update={"dataset_id": "dataset-gone"})
    assert slices.slicing(ws, LOCAL, gone, "group") == ((None,) * 12, ())


def test_chat_is_asked_for_its_references():
    turns = (Message(role="user", content="q"), Message(role="assistant", content="a"))
    assert task.references(Chat(messages=turns)) == ("a",)
    assert task.references(Chat(messages=turns, references=("b", "c"))) == ("b", "c")


def evaluation(questions):
    """Twelve rows that ask these questions in turn."""
    made = results.evaluation("data", "base", "tuned", ANSWERS)
    rows = tuple(
        row.model_copy(
            update={"prompt": (Message(role="user", content=questions[n % len(questions)]),)}
        )
        for n, row in enumerate(made.rows)
    )
    return made.model_copy(update={"rows": rows})
