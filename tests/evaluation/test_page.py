"""The Evaluation page: what is started, what is said about the result, the rows, and the files."""

import csv
import json
import re
from io import StringIO

import gradio as gr
import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.evaluation import GainDecision, RegressionCheck
from engine.core.spreadsheet import escape_formula
from engine.services.data import datasets
from engine.services.evaluation import answers as evaluated
from engine.services.evaluation.leaderboard import LeaderboardRow
from engine.services.evaluation.recommendation import AfterEvaluation, next_step
from engine.services.jobs import lifecycle
from tests import helpers
from tests.ui import results
from ui.pages.evaluation import (
    answers,
    charts,
    checks,
    downloads,
    leaderboard,
    refresh,
    render,
    speed,
    tab,
)
from ui.pages.evaluation import start as evaluation_start
from ui.pages.evaluation.layout import EvaluationParts
from ui.pages.evaluation.refresh import Choice
from ui.pages.evaluation.tab import EvaluationView

ANSWERS = {
    3: ("wrong", 0.1, "right 3", 1.0),
    5: ("right 5", 1.0, "<b>no</b>", 0.2),
    8: ("same", 0.5, "same", 0.5),
}


def start(
    ws, project, models, dataset, *ticked, rows=5, longest=32, price=0, extras=None, schema=""
):
    extras = ["baselines", "perplexity"] if extras is None else extras
    return evaluation_start.start(
        ws, project, models, dataset, rows, longest, price, extras, schema, *ticked
    )


@pytest.fixture
def world(ws, tmp_path):
    """A project with base, adapter and data: project id, base, adapter, data."""
    project = helpers.project(ws).id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    return project, base, results.adapter(ws, project, base, data), data


@pytest.fixture
def found(ws, world):
    """A stored evaluation and its models' names."""
    project, base, tuned, data = world
    return tab.load(ws, project, results.evaluated(ws, project, data, base, tuned, ANSWERS))


def test_base_and_the_newest_adapter_are_chosen_at_first(ws, world):
    project, base, tuned, data = world
    models, sets, chosen = evaluation_start.choices(ws, project, [], None)
    assert models.value == [base.id, tuned.id]
    assert models.choices[0] == ("base (base)", base.id)
    assert sets.value == chosen == data.id
    assert evaluation_start.rows_of(ws, chosen).value == data.held_out_rows


def test_evaluation_form_keeps_its_choices(ws, world):
    project, base, tuned, data = world
    picked = [tuned.id, "model-gone", base.id]
    models, sets, _ = evaluation_start.choices(ws, project, picked, data.id)
    assert (models.value, sets.value) == ([tuned.id, base.id], data.id)


def test_panel_starts_an_evaluation(ws, world):
    project, base, tuned, data = world
    job = start(
        ws, project, [base.id, tuned.id], data.id, ["rougeL"], rows=5.0, longest=32.0, price=0.5
    )
    assert job.kind == "evaluate"
    assert job.recipe["models"] == [base.id, tuned.id]
    assert (job.recipe["max_rows"], job.recipe["max_new_tokens"]) == (5, 32)
    assert (job.recipe["metrics"], job.recipe["usd_per_hour"]) == (["rougeL"], 0.5)
    assert job.name == "SFT one on held-out faq@1"


@pytest.mark.parametrize(
    ("models", "dataset", "metrics", "says"),
    [
        ([], "d", ["rougeL"], "No model"),
        (["m"], None, ["rougeL"], "no questions"),
        (["m"], "d", [], "No metric"),
    ],
)
def test_panel_that_is_not_filled_says_what_is_missing(ws, models, dataset, metrics, says):
    with pytest.raises(UserError, match=says):
        start(ws, "project", models, dataset, metrics)


def test_whole_test_set_can_be_asked_with_guards_last_and_a_schema(ws, world):
    project, base, _, data = world
    chosen = f"{data.id}{evaluation_start.ALL}"
    assert chosen in [value for _, value in evaluation_start.askable(ws, project)]
    assert evaluation_start.rows_of(ws, chosen).value == data.rows
    job = start(
        ws, project, [base.id], chosen, ["repetition"], ["accuracy"], schema=" {} ", extras=[]
    )
    assert job.recipe["split"] == "all"
    assert job.recipe["metrics"] == ["accuracy", "json_schema:{}", "repetition"]
    assert (job.recipe["baselines"], job.recipe["perplexity"]) == (False, False)
    assert job.name == "base on all of faq@1"


def test_labels_tick_accuracy_and_say_why(ws, world, tmp_path):
    path = tmp_path / "intent.csv"
    lines = [f"{n} please,{'Book' if n % 2 else 'Play'}" for n in range(40)]
    path.write_text("\n".join(["prompt,completion", *lines]))
    data = datasets.add(ws, LOCAL, world[0], path, path.name, held_out=0.25)
    why, *ticked = evaluation_start.suited(ws, data.id)
    assert "a few fixed labels" in why
    assert "Accuracy, Macro F1" in why
    assert [names for names in ticked if names] == [["accuracy", "macro_f1"]]


def test_questions_without_answers_are_said_to_have_none(ws, world, tmp_path):
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(f'{{"prompt": "question {n}?"}}\n' for n in range(8)))
    data = datasets.add(ws, LOCAL, world[0], path, path.name, held_out=0.0)
    why, *ticked = evaluation_start.suited(ws, f"{data.id}{evaluation_start.ALL}")
    assert "None of these rows has a reference answer" in why
    assert not any(ticked)


def test_learned_questions_are_said_before_the_start(ws, world):
    _, base, tuned, data = world
    clean = evaluation_start.seen_before(ws, [base.id, tuned.id], data.id, 10)
    assert "None of the 10 questions asked" in clean
    whole = f"{data.id}{evaluation_start.ALL}"
    assert "it may have memorised the answers" in evaluation_start.seen_before(
        ws, [base.id, tuned.id], whole, 40
    )
    assert evaluation_start.seen_before(ws, [], whole, 40) == ""


def test_progress_of_the_running_evaluation_is_followed(ws, world):
    project, base, _, data = world
    job = start(ws, project, [base.id], data.id, ["rougeL"])
    helpers.claimed(ws, job.id)
    results.say(ws, job.id, ("progress", None, {"done": 2, "total": 5, "label": "base"}))
    view, html = tab.follow_runs(ws, project, EvaluationView())
    assert "base answers" in html
    assert "40" in html
    _, again = tab.follow_runs(ws, project, view)
    assert again == html
    lifecycle.cancel(ws, LOCAL, job.id)


def test_each_tuned_model_gets_its_sentence(found):
    html = render.sentences(*found, "rougeL")
    assert "SFT one" in html
    assert "Better: +0.20." in html
    assert "tl-sentence-good" in html
    assert "tl-sentence-neutral" in render.sentences(*found, "exact_match")


def test_table_holds_scores_intervals_and_verdicts(found):
    html = render.table(*found)
    for said in ("0.500", "0.400 to 0.600", "+0.200", "+0.100 to +0.300", "better", "baseline"):
        assert said in html
    assert "too few rows to tell" in html


def test_scores_that_few_rows_decide_are_marked_and_the_worst_says_what_to_do(world):
    _, base, tuned, data = world
    made = results.evaluation(data.id, base.id, tuned.id, ANSWERS)
    mean = made.means[base.id]["rougeL"].model_copy(update={"n": 50, "deciding": 20})
    few = [mean.model_copy(update={"deciding": each}) for each in (2, 3)]
    means = {base.id: {"rougeL": few[0], "exact_match": mean}, tuned.id: {"rougeL": few[1]}}
    names = {base.id: "base", tuned.id: "<b>tuned"}
    lines = [
        LeaderboardRow(
            model_id=who, name="", evaluation_id="e", split="held_out", rows=50, means=own,
            created_at=0,
        )
        for who, own in means.items()
    ]  # fmt: skip
    means[tuned.id]["exact_match"] = mean
    for html in (
        render.table(made.model_copy(update={"means": means}), names),
        leaderboard.table(lines, names, "rougeL", []),
    ):
        assert html.count("<small>few rows decide</small>") == 2
        assert html.count("Few rows decide this number: about 2 of 50, ") == 1
        assert "test on about 250 rows. The same holds for 1 other." in html
        assert "<b>tuned" not in html
    alone = made.model_copy(update={"models": (base.id,), "gains": {}, "means": means})
    assert "on 50 rows. Few rows decide" in render.sentences(alone, names, "rougeL")
    assert "decide" not in render.sentences(alone, names, "exact_match")


def test_references_that_squad_takes_as_equal_are_named_where_its_rules_score(found):
    made, names = found
    rows = [
        row.model_copy(update={"references": ("<5>" if n % 2 else "-5",)})
        for n, row in enumerate(made.rows)
    ]
    other = made.model_copy(update={"rows": rows})
    assert "SQuAD" not in checks.notices(other, names)
    scored = other.model_copy(update={"metrics": [*other.metrics, "squad_f1"]})
    assert "“-5” and “&lt;5&gt;” as equal" in checks.notices(scored, names)
    same = made.model_copy(update={"metrics": [*made.metrics, "squad_f1"]})
    assert "SQuAD" not in checks.notices(same, names)


def test_failures_and_the_price_are_said(world):
    _, base, tuned, data = world
    made = results.evaluation(data.id, base.id, tuned.id, ANSWERS)
    broken = made.rows[0].model_copy(
        update={"outputs": {**made.rows[0].outputs, tuned.id: results.output("", 0, "too long")}}
    )
    made = made.model_copy(update={"rows": (broken, *made.rows[1:])})
    names = {base.id: "base", tuned.id: "tuned"}
    html = speed.table(made, names, 0.0)
    assert "0 of 3" in html
    assert "1 of 3" in html
    assert "costs an hour" in html
    # 2 seconds for 3 answers at 36 dollars an hour: a cent a second
    assert "$6.667" in speed.table(made, names, 36.0)
    assert speed.usual_price(made) == 0.0
    assert evaluated.gain(broken, base.id, tuned.id, "rougeL") is None
    order = evaluated.ordered(made, tuned.id, "rougeL", "gains", "")
    assert order[-1].index == broken.index


def test_picture_has_a_point_and_an_interval_for_each_model_and_metric(found):
    drawn = charts.intervals(*found)
    assert [trace.name for trace in drawn.data] == ["base", "SFT one"]
    assert list(drawn.data[1].x) == [0.5, 0.5]
    assert list(drawn.data[1].error_x.array) == pytest.approx([0.1, 0.1])


def test_histogram_counts_every_row_once(found):
    ev, _ = found
    drawn = charts.gain_histogram(ev, ev.models[1], "rougeL")
    assert sum(drawn.data[0].y) == 3
    middle = len(drawn.data[0].y) // 2
    assert drawn.data[0].y[middle] == 1  # the row with the same answer


def test_rows_come_in_the_order_asked_for(found):
    ev, _ = found
    tuned = ev.models[1]
    rows = {
        order: [row.index for row in evaluated.ordered(ev, tuned, "rougeL", order, "")]
        for _, order in answers.ORDERS
    }
    assert rows == {"gains": [3, 8, 5], "losses": [5, 8, 3], "rows": [3, 5, 8]}


def test_filter_looks_into_questions_and_answers(found):
    ev, names = found
    assert [r.index for r in evaluated.ordered(ev, ev.models[1], "rougeL", "rows", "SAME")] == [8]
    choice = Choice(order="rows", words="nowhere")
    empty = refresh.table(ev, names, "rougeL", ev.models[1], choice, {})
    assert len(empty.value["data"]) == 0


def test_table_of_answers_names_models_and_gains(found):
    ev, names = found
    frame = answers.frame(list(ev.rows), ev, names, ev.models[1], "rougeL")
    assert list(frame.columns) == [
        "Row", "Gain", "Question", "base", "SFT one", "Reference",
        "ROUGE-L, base", "ROUGE-L, SFT one",
    ]  # fmt: skip
    assert list(frame["Gain"]) == pytest.approx([0.9, -0.8, 0.0])


def test_column_of_answers_is_as_wide_for_a_model_with_a_comma_in_its_name(found):
    ev, names = found
    commas = {model: f"{name}, v2" for model, name in names.items()}
    frame = answers.frame(list(ev.rows), ev, commas, ev.models[1], "rougeL")
    narrow, wide, score = "84px", "300px", "160px"
    assert answers.widths(frame, 2) == [narrow, narrow, wide, wide, wide, wide, score, score]


def test_opened_row_of_the_baseline_has_one_answer_and_no_marks(found):
    ev, names = found
    html = tab.opened(ev, names, ev.models[0], 5)
    assert html.count('class="tl-answer"') == 1
    assert "right 5" in html
    assert not re.search("<(del|ins)>|baseline", html)


def test_opened_row_marks_what_differs_and_escapes_all(found):
    ev, names = found
    html = tab.opened(ev, names, ev.models[1], 5)
    assert "<b>no</b>" not in html
    assert "<ins>&lt;b&gt;no&lt;/b&gt;</ins>" in html
    assert "<del>right 5</del>" in html


def test_only_the_words_that_differ_are_marked():
    assert answers.marked("press the red key", "press the key") == (
        "press the <del>red </del>key",
        "press the key",
    )


def test_cell_is_never_a_formula(found, tmp_path):
    ev, names = found
    nasty = ev.rows[0].outputs[ev.models[1]].model_copy(update={"text": "=HYPERLINK(1)"})
    row = ev.rows[0].model_copy(update={"outputs": {**ev.rows[0].outputs, ev.models[1]: nasty}})
    ev = ev.model_copy(update={"rows": (row, *ev.rows[1:])})
    path = tmp_path / "answers.csv"
    path.write_text(evaluated.as_csv(ev, names), newline="")
    with open(path, encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(StringIO(file.read())))
    assert lines[0]["SFT one: answer"] == "'=HYPERLINK(1)"
    assert float(lines[1]["SFT one: gain in rougeL"]) == pytest.approx(-0.8)
    assert [escape_formula(f"{mark}1")[0] for mark in "=+-@\t\r"] == ["'"] * 6
    assert escape_formula("plain") == "plain"


def test_jsonl_holds_every_row_with_models_by_name(found, tmp_path):
    ev, names = found
    path = tmp_path / "answers.jsonl"
    path.write_text(evaluated.as_jsonl(ev, names))
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert [row["index"] for row in rows] == [3, 5, 8]
    assert rows[0]["outputs"]["SFT one"]["text"] == "right 3"


def test_evaluations_are_listed_newest_first_and_drawn_whole(ws, world):
    project, base, tuned, data = world
    results.evaluated(ws, project, data, base, tuned, ANSWERS, "Old one")
    newest = results.evaluated(ws, project, data, base, tuned, {3: ANSWERS[3]}, "New one")
    listed = tab.titles(ws, project)
    assert listed[0][1] == newest
    assert [label.split(" · ")[0] for label, _ in listed] == ["New one", "Old one"]
    ev, names = tab.load(ws, project, newest)
    shown = refresh.whole(ws, ev, names, Choice(newest))
    assert "Better: +0.20." in shown["sentences"]
    assert shown["compare"].visible is False
    assert "ROUGE|v1" in shown["signatures"]
    assert "ROUGE-L" in shown["explained"]
    assert "SFT one" in shown["board"]
    assert set(shown) <= set(EvaluationParts._fields)
    assert [kind for kind in downloads.DOWNLOADS if f"{newest}/{kind}" in shown["files"]] == [
        "report", "csv", "jsonl", "card",
    ]  # fmt: skip


def test_page_is_drawn_when_an_evaluation_comes_and_then_keeps_still(ws, world):
    project, base, tuned, data = world

    def draw(project, listed, choice):
        return tab.drawn(ws, project, listed, choice)

    view, _, _, *parts = tab.poll(ws, draw, project, EvaluationView())
    assert parts[0].visible is True  # the empty state
    made = results.evaluated(ws, project, data, base, tuned, ANSWERS)
    view, fold, _, *parts = tab.poll(ws, draw, project, view)
    shown = dict(zip(EvaluationParts._fields, parts, strict=True))
    assert shown["which"].value == made
    assert shown["body"].visible is True
    assert fold.open is False
    _, *again = tab.poll(ws, draw, project, view)
    assert all(part == gr.skip() for part in again)


def test_empty_tab_says_what_to_do_first(ws, world):
    project = world[0]
    _, text, to_data, _ = tab.nothing(ws, project)
    assert "press Evaluate" in text
    assert to_data.visible is False
    _, text, to_data, _ = tab.nothing(ws, helpers.project(ws, "Other").id)
    assert "Add questions with answers first" in text
    assert to_data.visible is True


def test_next_step_is_rating_unless_the_model_lost(found):
    ev, names = found
    tuned = ev.models[-1]
    assert next_step(ev, "rougeL") is AfterEvaluation.RATE
    assert "SFT one" in render.next_words(AfterEvaluation.RATE, names[tuned])
    lost = RegressionCheck(
        id="length", model=tuned, compared_with=ev.models[0], regressed=True, before=9, after=3,
        low=0.2, high=0.5, ratio=True, message="Answers of 9 tokens became 3: regressed.",
    )  # fmt: skip
    regressed = ev.model_copy(update={"regression_checks": (lost,)})
    assert next_step(regressed, "rougeL") is AfterEvaluation.TRAIN
    gain = ev.gains[tuned]["rougeL"].model_copy(update={"decision": GainDecision.WORSE})
    worse = ev.model_copy(update={"gains": {tuned: {**ev.gains[tuned], "rougeL": gain}}})
    assert next_step(worse, "rougeL") is AfterEvaluation.TRAIN
    alone = ev.model_copy(update={"models": ev.models[:1], "gains": {}})
    assert next_step(alone, "rougeL") is AfterEvaluation.COMPARE
