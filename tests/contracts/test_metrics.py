"""What every registered metric promises, ours or installed."""

import math
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.metrics import descriptions
from engine.services.evaluation import metrics
from engine.services.evaluation.metrics import GROUPS
from tests.cpu import cpu_seconds_below
from tests.metrics.pairs import LATIN_PAIRS, NO_REFERENCE, OTHER_PAIRS, UNICODE_PAIRS, right

PREDICTIONS, REFERENCES = zip(*(LATIN_PAIRS + OTHER_PAIRS + UNICODE_PAIRS), strict=True)
FAMILIES = ("metrics", "metric_factories")
every_metric = pytest.mark.parametrize("name", plugins.names("metrics"))


@every_metric
def test_metric_gives_a_perfect_prediction_the_best_score(name):
    text = right(name)
    scores = plugins.load("metrics", name)([text], [[text]])
    assert (scores.overall, *scores.each) == pytest.approx((1, 1), abs=1e-3)


@every_metric
def test_metric_scores_are_finite_and_between_zero_and_one(name):
    scores = plugins.load("metrics", name)(PREDICTIONS, REFERENCES)
    assert len(scores.each) == len(PREDICTIONS)
    assert all(math.isfinite(score) and 0 <= score <= 1 for score in (scores.overall, *scores.each))
    assert scores.signature


@every_metric
def test_metric_score_does_not_depend_on_the_order_of_rows(name):
    metric = plugins.load("metrics", name)
    backwards = metric(PREDICTIONS[::-1], REFERENCES[::-1])
    forwards = metric(PREDICTIONS, REFERENCES)
    assert backwards.overall == pytest.approx(forwards.overall, abs=1e-12)
    assert backwards.each == pytest.approx(forwards.each[::-1])


@every_metric
def test_metric_parts_add_up_to_the_overall_score(name):
    metric = plugins.load("metrics", name)
    scores = metric(PREDICTIONS, REFERENCES)
    if scores.parts is None:
        assert scores.overall == pytest.approx(np.mean(scores.each))
    else:
        assert scores.overall == pytest.approx(metric.from_parts(np.sum(scores.parts, axis=0)))


@every_metric
def test_metric_gives_an_empty_or_unrelated_answer_nothing(name):
    silent, unrelated = plugins.load("metrics", name)(["", "xyzzy"], [["a cat"], ["a dog"]]).each
    assert silent == 0
    assert unrelated == 0 or name in NO_REFERENCE


@every_metric
def test_metric_is_never_lowered_by_another_reference(name):
    text = right(name)
    [score] = plugins.load("metrics", name)([text], [["something else", text]]).each
    assert score == pytest.approx(1, abs=1e-3)


@every_metric
def test_metric_refuses_lists_of_different_lengths(name):
    with pytest.raises(UserError):
        plugins.load("metrics", name)(["a"], [["a"], ["b"]])


@every_metric
@pytest.mark.parametrize(
    "text",
    ["lorem ipsum dolor " * 1111, "y" * 20_000, "天地玄黄宇宙洪荒" * 2500, "a,b.c-d!" * 2500],
)
def test_metric_scores_twenty_thousand_characters_within_five_cpu_seconds(name, text):
    metric = plugins.load("metrics", name)
    with cpu_seconds_below(5):
        [score] = metric([text], [[text[::-1]]]).each
    assert 0 <= score <= 1


@every_metric
def test_metric_refuses_what_it_cannot_score_in_one_sentence(name):
    metric = plugins.load("metrics", name)
    for predictions, references in (([], []), (["a"], [[]]), (["a"], ["a"])):
        with pytest.raises(UserError):
            metric(predictions, references)
    assert metric(["", " ", "!"], [[""], [" "], ["?"]]).overall >= 0


@pytest.mark.parametrize(
    ("family", "name"),
    [(family, name) for family in FAMILIES for name in plugins.names(family)],
)
def test_metric_has_a_title_and_a_summary(family, name):
    """An installed one may leave them out: its name and docstring stand in."""
    about = descriptions.about(name)
    assert 2 <= len(about.title) <= 30
    assert 20 <= len(about.summary) <= 200
    assert about.summary.endswith(".")
    assert about.group in GROUPS
    if name in plugins.BUILT_IN[family]:
        metric = plugins.load(family, name)
        assert about == (metric.TITLE, metric.SUMMARY, metric.GROUP)


def test_metric_titles_are_used_once():
    titles = [descriptions.title(name) for family in FAMILIES for name in plugins.names(family)]
    assert len(set(titles)) == len(titles)


def test_metric_is_offered_in_one_group():
    names = [name for group in metrics.offered() for name in group.names]
    assert len(set(names)) == len(names)
    assert set(names) == set(descriptions.offered()) >= set(plugins.names("metrics"))


def test_metric_without_a_title_is_shown_by_its_name_and_docstring(monkeypatch):
    def own_measure(predictions, references):
        """The share of answers in lower case."""

    entry = EntryPoint("own_measure", "unused", "tuneloop.metrics")
    monkeypatch.setattr(EntryPoint, "load", lambda self: own_measure)
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [entry] if group == entry.group else []
    )
    descriptions.about.cache_clear()
    assert metrics.title("own_measure") == "own measure"
    assert metrics.summary("own_measure") == "The share of answers in lower case."
    assert metrics.offered()[-1].names == ("own_measure",)
    descriptions.about.cache_clear()


def test_metric_that_is_not_installed_is_shown_by_its_name():
    assert metrics.title("was_here_once") == "was here once"
    assert metrics.summary("was_here_once") == ""


def test_metric_groups_end_with_the_guards():
    asked = ["repetition", "bleu", "json_schema:{}", "bleu"]
    assert metrics.guards_last(asked) == ["bleu", "json_schema:{}", "repetition"]


@pytest.mark.parametrize("name", plugins.names("metric_factories"))
def test_metric_factory_names_a_missing_option(name):
    with pytest.raises(UserError, match=name):
        plugins.load("metric_factories", name)("")
