"""A perplexity whose interval tells little says so, on the page and in the report."""

from types import SimpleNamespace

import pytest

from engine.core.evaluation import Perplexity
from engine.reports import evaluation_html
from ui.pages.evaluation import speed


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(3.0, 4.0, False), (3.0, 4.5, False), (3.0, 4.6, True), (1.0, 12.4, True)],
)
def test_perplexity_with_a_wide_interval_gets_a_word(low, high, said):
    found = Perplexity(score=3.5, low=low, high=high, tokens=90, n=6).caution
    assert bool(found) == said
    if said:
        assert found == (
            f"The interval is wide ({low:.2f} to {high:.2f}): a few of the 6 rows decide it. "
            "Evaluate more rows before you compare."
        )


@pytest.mark.parametrize("shown", [speed.surprise, evaluation_html._perplexities])
def test_page_and_report_show_the_word(shown):
    wide = Perplexity(score=3.5, low=1.0, high=12.4, tokens=90, n=6)
    narrow = Perplexity(score=3.5, low=3.2, high=3.8, tokens=9000, n=600)
    found = SimpleNamespace(perplexity={"a": wide, "b": narrow})
    html = shown(found, {"a": "first", "b": "second"})
    assert html.count("The interval is wide") == 1
    assert "1.00 to 12.40" in html
