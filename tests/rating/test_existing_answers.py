"""Answers that exist in a file become an open round; nothing is generated."""

import json

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.formats.votes.answers import read_answers
from engine.services.jobs import lifecycle
from engine.services.preferences import build
from engine.services.rating import existing_answers, report, rounds
from engine.services.rating.existing_answers import AnswerColumns
from engine.services.rating.plans import RoundRecipe
from tests import helpers
from tests.rating import screen
from tests.rating.rated import rate_all, rater


def rows_of(number=6):
    return [
        {"prompt": f"Question number {n}?", "answer_1": f"new {n}", "answer_2": f"old {n}",
         "model_1": "gpt-x", "model_2": "llama-y"}
        for n in range(number)
    ]  # fmt: skip


def file_of(folder, rows, name="answers.jsonl"):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def start(ws, project, path, columns=AnswerColumns(), actor=LOCAL, **options):  # noqa: B008
    recipe = RoundRecipe(**{"model": "", "dataset": "", "prompts": 2000, **options})
    return existing_answers.start(ws, actor, project.id, path, path.name, recipe, columns)


@pytest.fixture
def place(ws):
    return helpers.project(ws)


def test_answers_of_a_file_are_rated_and_make_pairs(ws, place, tmp_path):
    made = start(ws, place, file_of(tmp_path, rows_of()))
    one = made.round
    assert (one.status, made.comparisons, one.job_id, one.imported) == ("open", 6, None, False)
    assert lifecycle.list_all(ws, LOCAL, place.id) == []
    assert rate_all(ws, one, "ada", lambda shown: "left" if "new" in shown.left else "right") == 6
    pairs = build.preview(ws, LOCAL, place.id).judged.pairs
    assert {pair.chosen.split()[0] for pair in pairs} == {"new"}


def test_blind_round_of_a_file_has_a_verdict_and_shows_no_model(ws, place, tmp_path):
    one = start(
        ws, place, file_of(tmp_path, rows_of(8)), purpose="blind_eval", model="llama-y"
    ).round
    shown = screen.next_pair(ws, rater("ada"), one.id)
    assert "gpt" not in shown.model_dump_json()
    rate_all(ws, one, "ada", lambda shown: "left" if "new" in shown.left else "right")
    rounds.close(ws, LOCAL, one.id)
    found = report.report(ws, LOCAL, one.id)
    assert (found.verdict.wins, found.verdict.losses) == (0, 8)
    assert found.tally.left == found.tally.right == 4


def test_answers_that_tell_or_are_the_same_are_left_out(ws, place, tmp_path):
    rows = rows_of(5)
    rows[0]["answer_1"] = "I am gpt-x, a model."
    rows[1]["answer_2"] = rows[1]["answer_1"]
    rows[2]["answer_1"] = "  "
    made = start(ws, place, file_of(tmp_path, rows))
    assert (made.comparisons, made.left_out["identity"], made.left_out["identical"]) == (2, 1, 1)
    with pytest.raises(UserError, match="no prompt with two answers"):
        start(ws, place, file_of(tmp_path, rows[2:3], "one.jsonl"))
    failed = start(ws, place, file_of(tmp_path, rows[:2], "none.jsonl")).round
    assert failed.status == "failed"


def test_every_usual_shape_of_answers_is_read(tmp_path):
    expected = ["A one.", "B two."]
    shapes = [
        [{"prompt": "Why?", "answers": expected}],
        [{"question": "Why?", "response_a": expected[0], "response_b": expected[1]}],
        [{"prompt": "Why?", "chosen": expected[0], "rejected": expected[1]}],
        [{"prompt": "Why?", "model": f"m{n}", "response": text} for n, text in enumerate(expected)],
        [{"prompt": [{"role": "user", "content": "Why?"}],
          "completions": [{"model": "m", "text": text} for text in expected]}],
        [{"prompt": "Why?", "output1": expected[0], "output2": expected[1]}],
        [{"chosen": [{"role": "user", "content": "Why?"},
                     {"role": "assistant", "content": expected[0]}],
          "rejected": [{"role": "user", "content": "Why?"},
                       {"role": "assistant", "content": expected[1]}]}],
    ]  # fmt: skip
    for n, rows in enumerate(shapes):
        path = file_of(tmp_path, rows, f"{n}.jsonl")
        (one,) = read_answers(path, path.name).prompts
        assert one.prompt[-1].content == "Why?"
        assert [text for _, text in one.answers] == expected, rows


def test_columns_may_be_called_like_their_models(ws, place, tmp_path):
    rows = [{"frage": f"Wo {n}?", "gpt": f"hier {n}", "qwen": f"dort {n}"} for n in range(3)]
    columns = AnswerColumns("frage", ("gpt", "qwen"))
    made = start(ws, place, file_of(tmp_path, rows), columns)
    assert (made.comparisons, made.round.arm_new != made.round.arm_base) == (3, True)


def test_more_than_two_answers_are_a_chain_and_single_ones_stand_alone(ws, place, tmp_path):
    rows = [{"prompt": f"Question {n}?", "answers": [f"{w} {n}" for w in "abcd"]} for n in range(2)]
    path = file_of(tmp_path, rows)
    assert start(ws, place, path).comparisons == 6
    assert start(ws, place, path, prompts=1).comparisons == 3
    single = start(ws, place, path, mode="single").round
    assert rate_all(ws, single, "ada", lambda shown: "good") == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"purpose": "aa_control"}, "for training or as a blind test"),
        ({"purpose": "blind_eval", "mode": "single"}, "for training only"),
        ({"model": "nobody"}, "No answer is of 'nobody'"),
        ({"decision": "sequential"}, "Only a blind test"),
        ({"spare": 1.0}, "there already"),
        ({"samples": 3}, "there already"),
        ({"gold": 0.1}, "no references"),
    ],
)
def test_options_that_need_generated_answers_are_refused(ws, place, tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        start(ws, place, file_of(tmp_path, rows_of()), **options)
    assert rounds.list_all(ws, LOCAL, place.id) == []


def test_blind_test_of_answers_without_models_is_refused(ws, place, tmp_path):
    rows = [{"prompt": "Why?", "answers": ["a b", "c d"]}]
    with pytest.raises(UserError, match="the file names 0"):
        start(ws, place, file_of(tmp_path, rows), purpose="blind_eval")


def test_only_trainers_of_the_project_start_it(ws, place, tmp_path):
    path = file_of(tmp_path, rows_of())
    with pytest.raises(Forbidden):
        start(ws, place, path, actor=Actor(name="r", role=Role.RATER))
    other = Actor(name="t", role=Role.TRAINER, projects=frozenset({"elsewhere"}))
    with pytest.raises(NotFound):
        start(ws, place, path, actor=other)
    with pytest.raises(NotFound):
        existing_answers.preview(ws, other, place.id, path, path.name)


ODD = [None, [], {}, [[]], [None], 1, True, "", [{"text": {}}], [{"role": "x"}], "\u202e"]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_are_refused_rows(tmp_path, odd):
    good = {"prompt": "Why?", "answers": ["a", "b"]}
    rows = [good, {**good, "prompt": odd}, {**good, "answers": odd}, {"prompt": "P", "chosen": odd,
            "rejected": odd}, {"prompt": "Q", "model": odd, "response": odd}]  # fmt: skip
    path = file_of(tmp_path, rows)
    found = read_answers(path, path.name)
    assert [text for _, text in found.prompts[0].answers][:2] == ["a", "b"]


def test_answers_beyond_those_that_are_shown_are_counted(ws, place, tmp_path):
    rows = [{"prompt": f"Q {n}?", "answers": [f"{w} {n}" for w in "abcdef"]} for n in range(3)]
    made = start(ws, place, file_of(tmp_path, rows), answers=3)
    assert (made.comparisons, made.not_shown) == (3, 9)
    assert made.not_shown_words == "9 answers of the file are not shown: 3 of a prompt are shown."
    made = start(ws, place, file_of(tmp_path, rows), answers=3, prompts=1)
    assert (made.comparisons, made.not_shown) == (1, 3)
    assert start(ws, place, file_of(tmp_path, rows)).not_shown_words == ""


def test_answer_that_has_no_partner_of_the_other_model_is_counted(ws, place, tmp_path):
    more = [{"prompt": "Question number 0?", "answer": "newer 0", "model": "gpt-x"}]
    flat = [
        {"prompt": row["prompt"], "answer": row[f"answer_{n}"], "model": row[f"model_{n}"]}
        for row in rows_of(3)
        for n in (1, 2)
    ]
    made = start(ws, place, file_of(tmp_path, flat + more), purpose="blind_eval")
    assert (made.comparisons, made.not_shown) == (3, 1)
    assert made.not_shown_words.startswith("1 answer of the file is not shown: ")
