"""The page, the card and the table of an evaluation: complete, escaped, and on their own."""

import re
from html.parser import HTMLParser

import pytest
import yaml
from huggingface_hub import ModelCard

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound
from engine.core.evaluation import Mean, Overlap, Perplexity, RegressionCheck
from engine.core.job_outcome import Outcome
from engine.services import job_outcomes, model_card
from engine.services.evaluation import leaderboard, report
from engine.services.jobs import lifecycle
from tests import helpers
from tests.ui import results

EVIL = '<img src="http://x.example/a.png" onerror=alert(1)></pre><script>alert(2)</script>'
ANSWERS = {n: (f"no {n}", 0.1, EVIL if n == 2 else f"right {n}", 0.9) for n in range(6)}
VOID = {"meta", "line", "circle", "img"}


@pytest.fixture
def world(ws, tmp_path):
    """A tuned model whose evaluation has all there can be: (data, base, tuned, evaluation id)."""
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path, "<b>base")
    data = helpers.dataset(ws, project.id, tmp_path)
    tuned = results.adapter(ws, project.id, base, data, "tuned: *one*")
    found = results.evaluation(data.id, base.id, tuned.id, ANSWERS)
    mean = Mean(score=0.2, low=0.1, high=0.3, n=6, signature="s")
    plain = {"rougeL": mean, "exact_match": mean}
    gain = found.gains[tuned.id]["rougeL"]
    watched = RegressionCheck(
        id="length", model=tuned.id, compared_with=base.id, regressed=True, before=9, after=2,
        low=0.1, high=0.4, ratio=True, message="Answers of 9 tokens became 2: regressed.",
    )  # fmt: skip
    update = {
        "baselines": {"baseline:copy": plain},
        "over_baselines": {tuned.id: {"baseline:copy": {"rougeL": gain}}},
        "perplexity": {tuned.id: Perplexity(score=3.5, low=3.0, high=4.0, tokens=90, n=6)},
        "regression_checks": (watched,),
        "overlap": Overlap(count=1, near_count=0, asked=6, compared=9, message="1 is known."),
    }
    values = {"models": [base.id, tuned.id], "dataset": data.id}
    job = helpers.claimed(ws, results.submit(ws, project.id, "evaluate", **values).id)
    job_outcomes.store(ws, job, Outcome(evaluation=found.model_copy(update=update)))
    return data, base, tuned, lifecycle.get(ws, LOCAL, job.id).result.evaluation_id


class Tags(HTMLParser):
    """Which tags a page has, and which it left open."""

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_report_holds_every_result(ws, world):
    page = report.html(ws, LOCAL, world[3])
    for text in (
        "Copy the question", "3.50", "Answers of 9 tokens became 2: regressed.", "1 is known.",
        "Better: +0.20.", "ROUGE|v1", "question 2?", "right 3", "tuned: *one*",
    ):  # fmt: skip
        assert text in page


def test_report_is_self_contained_and_runs_no_script(ws, world):
    tags = Tags()
    tags.feed(report.html(ws, LOCAL, world[3]))
    assert tags.open == []
    assert not {tag for tag, _ in tags.seen} & {"script", "img", "iframe", "link", "object"}
    names = {name for _, attributes in tags.seen for name in attributes}
    assert not names & {"src", "href", "onerror", "onclick", "style"}


def test_hostile_text_is_shown_and_stays_text(ws, world):
    page = report.html(ws, LOCAL, world[3])
    assert "&lt;script&gt;alert(2)" in page
    assert "&lt;b&gt;base" in page
    assert "<script" not in page


def test_card_is_read_by_the_hub_with_its_scores(ws, world):
    data, _, tuned, _ = world
    text = model_card.model_card(ws, LOCAL, tuned.id)
    read = ModelCard(text, ignore_metadata_errors=False).data
    assert {r.metric_type: r.metric_value for r in read.eval_results} == {
        "rougeL": 0.5,
        "exact_match": 0.5,
    }
    assert read.eval_results[0].dataset_revision == data.sha256
    assert read.base_model == "_b_base"
    assert yaml.safe_load(text.split("---")[1])["library_name"] == "peft"
    assert "Answers of 9 tokens became 2: regressed." in text
    assert not re.search(r"<b>|<script", text)


def test_six_rows_are_said_to_be_few(ws, world):
    said = "Few rows decide this number: about 6 of 6"
    assert said in report.html(ws, LOCAL, world[3])
    assert said in model_card.model_card(ws, LOCAL, world[2].id)


def test_base_has_a_card_without_scores(ws, world):
    assert "model-index" not in model_card.model_card(ws, LOCAL, world[1].id)


def test_table_has_every_model_and_baseline_once_the_best_first(ws, world):
    data, base, tuned, evaluation_id = world
    lines = leaderboard.leaderboard(ws, LOCAL, data.id, "rougeL")
    assert {line.model_id for line in lines[:2]} == {base.id, tuned.id}
    assert lines[2].model_id == "baseline:copy"
    assert [line.trivial for line in lines] == [False, False, True]
    assert lines[2].name == "Copy the question"
    assert {line.evaluation_id for line in lines} == {evaluation_id}
    assert next(x for x in lines if x.model_id == tuned.id).perplexity.score == 3.5
    assert [line.rows for line in lines] == [6, 6, 6]


def test_evaluation_job_stores_its_regressions(ws, world):
    done = next(job for job in lifecycle.list_all(ws, LOCAL, world[0].project_id, ("evaluate",)))
    assert done.result.regressed == ("Answers of 9 tokens became 2: regressed.",)
    assert done.result.learned == 1


def test_report_is_refused_to_strangers_and_for_missing_jobs(ws, world):
    rater = Actor(name="r", role=Role.RATER)
    for look in (report.html, model_card.model_card, leaderboard.leaderboard):
        with pytest.raises(Forbidden):
            look(ws, rater, "x")
        with pytest.raises(NotFound):
            look(ws, LOCAL, "x")
