"""The Data tab: what a person sees of a file before and after it is kept."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Preference
from engine.models.chat import Piece
from engine.services import bring, datasets, look
from engine.services.look import Seen
from tests import helpers
from ui.tabs import data
from ui.views import charts_data, findings, seen


@pytest.fixture
def base(ws, tiny_model):
    return bring.folder(ws, LOCAL, str(tiny_model), "tiny")


def jsonl(folder, rows, name="file.jsonl"):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def chats(number):
    return [{"prompt": f"why {n}?", "completion": f"because {n}"} for n in range(number)]


def test_a_dropped_file_is_described_and_previewed_and_nothing_is_stored(ws, base, tmp_path):
    project = helpers.project(ws)
    report, preview, keep, add, _ = data.look_at(ws, jsonl(tmp_path, chats(40)), 25, "")
    assert "Questions with answers" in report
    assert ">30<" in report and ">10<" in report  # to train, held out  # noqa: PT018
    assert '<mark class="tl-learned">because 0' in preview
    assert keep.visible and add.interactive  # noqa: PT018
    assert datasets.list_all(ws, LOCAL, project.id) == []


def test_findings_name_rows_and_say_what_to_do(ws, base, tmp_path):
    rows = [*chats(20), chats(1)[0], {"prompt": "why?", "completion": ""}]
    report, *_ = data.look_at(ws, jsonl(tmp_path, rows), 15, "")
    assert "mend this" in report
    assert "Row 22" in report
    assert "Row 21" in report
    assert "Remove them: a repeated row weighs twice in training." in report


def test_an_unknown_layout_is_explained_and_cannot_be_added(ws, tmp_path):
    path = tmp_path / "intents.csv"
    path.write_text("text,intent\nplay a song,PlayMusic\n")
    report, preview, keep, add, _ = data.look_at(ws, str(path), 15, "")
    assert "No known layout fits the columns found: text, intent." in report
    assert "messages: a list of {role, content}" in report
    assert preview == ""
    assert keep.visible
    assert not add.interactive


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b'{"prompt": "a"'])
def test_a_broken_file_is_refused_in_a_sentence(ws, tmp_path, content):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    report, preview, _, add, _ = data.look_at(ws, str(path), 15, "")
    assert "tl-notice tl-bad" in report
    assert "Traceback" not in report
    assert preview == ""
    assert not add.interactive


def test_a_file_too_small_to_split_cannot_be_added_until_nothing_is_held_out(ws, base, tmp_path):
    path = jsonl(tmp_path, chats(3))
    report, _, _, add, _ = data.look_at(ws, path, 15, "")
    assert "too few" in report
    assert not add.interactive
    assert data.look_at(ws, path, 0, "")[3].interactive


def test_a_layout_chosen_by_hand_is_used(ws, base, tmp_path):
    path = jsonl(tmp_path, [{"prompt": f"why {n}?", "note": "x"} for n in range(10)])
    report, *_ = data.look_at(ws, path, 15, "prompts")
    assert "Questions only" in report


def test_without_a_file_the_tab_says_what_a_file_may_hold(ws):
    report, preview, keep, *_ = data.look_at(ws, None, 15, "")
    assert report == findings.guide()
    assert preview == ""
    assert not keep.visible


def test_before_the_model_is_there_rows_are_shown_as_who_says_what(ws, tmp_path):
    _, preview, *_ = data.look_at(ws, jsonl(tmp_path, chats(10)), 15, "")
    assert "still being fetched" in preview
    assert "because 0" in preview


def test_a_file_is_added_under_the_name_given(ws, tmp_path):
    project = helpers.project(ws)
    kept = data.add_file(ws, project.id, jsonl(tmp_path, chats(40)), "  help v1.2 / a ", 25, "")
    assert kept.label == "help v1-2 - a@1"
    assert (kept.train_rows, kept.held_out_rows) == (30, 10)


def test_adding_needs_a_project_and_a_file(ws, tmp_path):
    with pytest.raises(UserError, match="No project is open"):
        data.add_file(ws, None, jsonl(tmp_path, chats(40)), "a", 15, "")
    with pytest.raises(UserError, match="no file"):
        data.add_file(ws, helpers.project(ws).id, None, "a", 15, "")


def test_the_sample_data_is_added_once_however_often_it_is_asked_for(ws):
    project = helpers.project(ws)
    first = data.add_samples(ws, project.id)
    assert data.add_samples(ws, project.id).id == first.id
    kinds = {one.kind for one in datasets.list_all(ws, LOCAL, project.id)}
    assert kinds == {"sft", "prompts"}
    assert first.kind == "sft"


def test_the_shelf_shows_every_version_and_the_way_on(ws, tmp_path):
    project = helpers.project(ws)
    kept = helpers.dataset(ws, project.id, tmp_path)
    _, cards, onward = data.shelf_of(ws, project.id)
    assert f'data-pick="{kept.id}"' in cards
    assert "<b>30</b> to train" in cards
    assert onward.visible


@pytest.mark.parametrize("has_project", [True, False])
def test_an_empty_shelf_says_what_to_do(ws, has_project):
    project = helpers.project(ws).id if has_project else None
    title, cards, onward = data.shelf_of(ws, project)
    assert "No data in this project yet" in title
    assert cards == ""
    assert not onward.visible


def test_an_opened_version_shows_its_rows_and_how_long_they_are(ws, base, tmp_path):
    kept = helpers.dataset(ws, helpers.project(ws).id, tmp_path)
    detail, about, picture, figure, rows = data.show(ws, kept.id)
    assert detail.visible and picture.visible  # noqa: PT018
    assert "faq@1" in about
    assert sum(figure.data[0].y) == kept.rows
    assert rows.count('class="tl-row"') == data.FEW


def test_an_opened_version_has_no_picture_while_there_is_no_model(ws, tmp_path):
    kept = helpers.dataset(ws, helpers.project(ws).id, tmp_path)
    _, _, picture, figure, rows = data.show(ws, kept.id)
    assert not picture.visible
    assert figure is None
    assert "answer" in rows


def test_text_of_a_file_never_becomes_markup(ws, base, tmp_path):
    evil = "<script>alert(1)</script> {{value}} ${value} <|im_end|>"
    rows = [{"prompt": f"{evil} {n}", "completion": evil} for n in range(10)]
    project = helpers.project(ws)
    path = jsonl(tmp_path, rows)
    _, preview, *_ = data.look_at(ws, path, 15, "")
    kept = data.add_file(ws, project.id, path, "<img src=x>", 15, "")
    shown = "".join([preview, data.card(kept), *data.show(ws, kept.id)[1::3]])
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in preview


def test_special_tokens_step_back_and_line_breaks_are_seen():
    html = seen.rows([Seen([Piece("<|im_start|>user\nhi", False)], 4, False)])
    assert '<span class="tl-token">&lt;|im_start|&gt;</span>' in html
    assert "↵</span>\nhi" in html


def test_a_pair_shows_the_worse_answer_without_repeating_the_prompt(ws, base):
    asked = (Message(role="user", content="why?"),)
    pair = Preference(prompt=asked, chosen="because", rejected="no idea")
    html = seen.rows(look.see(ws, LOCAL, [pair], base.id))
    assert html.count("why?") == 1
    assert html.index("because") < html.index("Rejected") < html.index("no idea")


def test_a_row_that_is_cut_says_so(ws, base):
    long = Message(role="assistant", content="x" * 600)
    chat = Chat(messages=(Message(role="user", content="why?"), long))
    assert "the end is cut off" in seen.rows(look.see(ws, LOCAL, [chat], base.id))


@pytest.mark.parametrize("tokens", [[7], [3, 3, 3], list(range(1, 700)), [1, 100_000]])
def test_every_row_is_counted_in_the_picture_of_lengths(tokens):
    figure = charts_data.lengths(tokens, 512)
    assert sum(figure.data[0].y) == len(tokens)
