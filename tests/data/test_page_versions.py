"""A kept version on the Data page: mended, taken back, counted, compared, removed."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict, UserError
from engine.services.data import datasets
from engine.services.data.leakage import SplitOverlap
from engine.services.data.statistics import Histogram, Sides, Statistics
from engine.services.data.usage import Use
from engine.services.models import import_folder
from tests import helpers
from ui.pages.data import charts, hub, opened_version, statistics, version_history, versions


@pytest.fixture
def base(ws, tiny_model):
    return import_folder.import_base(ws, LOCAL, str(tiny_model), "tiny")


def kept(ws, folder, rows, project=None, name="faq"):
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    project = project or helpers.project(ws).id
    return datasets.add(ws, LOCAL, project, path, path.name, held_out=0.25)


def chats(number, word="book"):
    return [
        {"prompt": f"why is {word} {n} late?", "completion": f"{word} {n} is out"}
        for n in range(number)
    ]


def test_version_is_fixed_and_the_fix_undone(ws, tmp_path):
    one = kept(ws, tmp_path, [*chats(20), *chats(2)])
    opened = versions.OpenedVersion(*opened_version.show(ws, one))
    assert [name for _, name in opened.fixes.choices] == ["drop_exact_duplicates"]
    said = opened_version.change(ws, one.id, ["drop_exact_duplicates"])
    assert "This removes 2 rows: 22 become 20." in said
    new, message = opened_version.apply_fixes(ws, one.id, ["drop_exact_duplicates"])
    assert message == "faq@2 is made: 20 rows; 2 removed."
    shown = versions.OpenedVersion(*opened_version.show(ws, new))
    assert "Made from faq@1: drop exact duplicates." in shown.about
    assert shown.undo.visible
    assert not shown.apply.visible
    earlier, message = opened_version.undo(ws, new.id)
    assert earlier.id == one.id
    assert message == "faq@2 is removed; this is faq@1 again."
    assert len(datasets.list_all(ws, LOCAL, one.project_id)) == 1


def test_fixes_without_a_tick_ask_for_one(ws, tmp_path):
    one = kept(ws, tmp_path, chats(20))
    assert "Tick a fix to preview its changes" in opened_version.change(ws, one.id, [])


def test_two_versions_are_compared_the_older_first(ws, tmp_path):
    one = kept(ws, tmp_path, [*chats(20), *chats(2)])
    new, _ = opened_version.apply_fixes(ws, one.id, ["drop_exact_duplicates"])
    for opened, other in ((one, new), (new, one)):
        shown = opened_version.difference(ws, opened.id, other.id)
        assert "From faq@1 to faq@2" in shown
        assert "Rows removed: show 2 of 2" in shown
    assert opened_version.difference(ws, one.id, "") == ""


def test_versions_of_the_same_name_are_offered_first(ws, tmp_path):
    project = helpers.project(ws).id
    one = kept(ws, tmp_path, [*chats(20), *chats(2)], project)
    kept(ws, tmp_path, chats(12, "map"), project, "another")
    kept(ws, tmp_path, [{"text": f"text {n}"} for n in range(9)], project, "plain")
    new, _ = opened_version.apply_fixes(ws, one.id, ["drop_exact_duplicates"])
    offered = opened_version.compared(one, datasets.list_all(ws, LOCAL, project)).choices
    assert [label for label, _ in offered] == ["Choose a version", "faq@2", "another@1"]
    assert offered[1][1] == new.id


def test_shared_questions_are_named_and_left_out_by_one_button(ws, tmp_path):
    project = helpers.project(ws).id
    one = kept(ws, tmp_path, chats(20), project)
    held_out = [row.example for row in datasets.rows(ws, LOCAL, one.id, "held_out")]
    again = [
        {"prompt": example.prompt[0].content, "completion": "another answer"}
        for example in held_out[:2]
    ]
    path = tmp_path / "more.jsonl"
    path.write_text("\n".join(map(json.dumps, [*again, *chats(10, "map")])))
    datasets.add(ws, LOCAL, project, path, path.name, held_out=0)
    used, shared, buttons = opened_version.related(ws, one.id)
    assert "2 held-out rows are trained on in more@1" in shared
    assert buttons.visible
    assert "Nothing uses this version" in used
    new, message = opened_version.part_overlap(ws, one.id, "drop")
    assert new.rows == one.rows - 2
    assert message.endswith("; 2 removed.")
    assert (
        "No overlap between training and held-out questions"
        in opened_version.related(ws, new.id)[1]
    )


def test_version_that_is_used_is_not_removed_and_an_idle_one_is(ws, tmp_path):
    one = kept(ws, tmp_path, [*chats(20), *chats(2)])
    new, _ = opened_version.apply_fixes(ws, one.id, ["drop_exact_duplicates"])
    assert "Later versions" in opened_version.related(ws, one.id)[0]
    with pytest.raises(Conflict, match="is used by"):
        opened_version.remove(ws, one.id)
    assert opened_version.remove(ws, new.id) == "faq@2 is removed."
    assert opened_version.remove(ws, one.id) == "faq@1 is removed."


def test_every_row_is_counted_and_cut_rows_are_named(ws, base, tmp_path):
    one = kept(ws, tmp_path, [*chats(20), {"prompt": "all?", "completion": "word " * 200}])
    box, numbers, figure, sorts = opened_version.measured(ws, one.id, 300)
    assert box.visible
    assert sum(figure.data[0].y) == 21
    assert "1 row is cut at 300 tokens (4.8 % of all)" in numbers
    assert "2 turns" in sorts
    assert "No row is cut at 100,000 tokens." in opened_version.measured(ws, one.id, 100_000)[1]


def test_token_statistics_without_a_model_are_empty(ws, tmp_path):
    one = kept(ws, tmp_path, chats(20))
    assert not opened_version.measured(ws, one.id, 512)[0].visible


@pytest.mark.parametrize("asked", [-1, 7, 10**9, "many"])
def test_length_that_makes_no_sense_is_refused(asked):
    with pytest.raises(UserError, match="8 to 1,000,000"):
        opened_version.length(asked)


def numbers(**more):
    given = {
        "rows": 4, "tokens": 100, "middle": 20, "longest": 60, "max_length": 30, "truncated": 1,
        "lengths": Histogram(edges=(0, 30, 60, 90), counts=(3, 0, 1)), "turns": {2: 4},
        "roles": {"user": 4, "assistant": 4}, "languages": {"en": 3, "": 1}, "language_rows": 4,
    }  # fmt: skip
    return Statistics(**{**given, **more})


def test_bars_beyond_the_cut_stand_out():
    figure = charts.lengths(numbers())
    colours = figure.data[0].marker.color
    assert colours[0] != colours[2]
    assert figure.layout.annotations[0].text == "cut at 30"


def test_pairs_whose_better_answers_are_longer_say_so():
    shown = statistics.sorts(
        numbers(sides=Sides(chosen_mean=50.2, rejected_mean=20, chosen_longer=0.8))
    )
    assert "longer one in 80 % of the pairs. A model may learn to write more" in shown
    assert "<b>50</b>" in shown
    even = numbers(sides=Sides(chosen_mean=50, rejected_mean=50, chosen_longer=0.5))
    assert "may learn" not in statistics.sorts(even)


def test_many_languages_end_in_one_bar():
    shown = statistics.bars("Languages", {f"l{n}": 10 - n for n in range(10)})
    assert "4 more" in shown
    assert "<b>10</b>" in shown


def test_usage_of_a_version_is_listed_by_kind():
    shown = version_history.uses(
        [Use("run", "1", "First <run>"), Use("model", "2", "M"), Use("run", "3", "B")]
    )
    assert "<dt>Jobs</dt><dd>First &lt;run&gt;, B</dd>" in shown
    assert "<dt>Models</dt><dd>M</dd>" in shown


def test_one_shared_question_is_said_in_the_singular():
    one = SplitOverlap(
        kind="evaluation", other_id="d", other="faq@1", side="train", count=1, rows=(7,)
    )
    assert "1 row to train on is a test question of faq@1 (row 7)." in version_history.overlaps(
        [one]
    )
    without = one.model_copy(update={"rows": (0,)})
    assert "is a test question of faq@1." in version_history.overlaps([without])


def test_columns_of_a_hub_data_set_are_written_in_a_line():
    said = hub.parsed_mapping(" prompt = frage, answer=antwort ")
    assert (said.kind, said.columns) == ("sft", {"prompt": "frage", "answer": "antwort"})
    assert hub.parsed_mapping("  ") is None
    with pytest.raises(UserError, match="'prompt' does not say"):
        hub.parsed_mapping("prompt")


def test_hub_name_that_is_malformed_is_refused_on_the_page(ws):
    with pytest.raises(UserError, match="is not the name of a dataset"):
        hub.fetch(ws, helpers.project(ws).id, "../etc", "", "")
