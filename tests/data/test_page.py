"""The Data page: what a person sees of a file before and after it is kept."""

import json
import shutil
from pathlib import Path

import gradio as gr
import pytest

from engine.core.actor import LOCAL
from engine.core.column_mapping import ColumnMapping
from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Preference
from engine.models.chat_template import Piece
from engine.services.data import cleaning, datasets
from engine.services.data import preview as data_preview
from engine.services.data.preview import PreviewRow
from engine.services.models import import_folder
from tests import helpers
from ui.pages.data import (
    findings,
    mapping,
    opened_version,
    preview,
    row_view,
    tab,
    upload,
    versions,
)
from ui.pages.data.preview import FormInput


@pytest.fixture
def base(ws, tiny_model):
    return import_folder.import_base(ws, LOCAL, str(tiny_model), "tiny")


def jsonl(folder, rows, name="file.jsonl"):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def dropped(ws, path, *given, **named):
    upload, _, _ = preview.dropped_files(ws, [path])
    return FormInput(upload, *given, **named)


def chats(number):
    return [{"prompt": f"why {n}?", "completion": f"because {n}"} for n in range(number)]


def intents(folder, rows=20):
    path = folder / "intents.csv"
    lines = [f"play song {n},{'Play' if n % 2 else 'Book'},u{n % 4}" for n in range(rows)]
    path.write_text("text,intent,person\n" + "\n".join(lines) + "\n")
    return str(path)


def test_dropped_file_is_described_and_previewed_and_nothing_is_stored(ws, base, tmp_path):
    project = helpers.project(ws)
    found = preview.updates(ws, dropped(ws, jsonl(tmp_path, chats(40)), 25))
    assert "Questions with answers" in found.report
    assert ">30<" in found.report and ">10<" in found.report  # to train, held out  # noqa: PT018
    assert '<mark class="tl-learned">because 0' in found.preview
    assert found.keep.visible and found.add.interactive  # noqa: PT018
    assert datasets.list_all(ws, LOCAL, project.id) == []


def test_findings_name_rows_show_them_and_say_what_to_do(ws, base, tmp_path):
    rows = [*chats(20), chats(1)[0], {"prompt": "why not?", "completion": ""}]
    found = preview.updates(ws, dropped(ws, jsonl(tmp_path, rows)))
    assert "fix this" in found.report
    assert "Row 22" in found.report
    assert "Row 21" in found.report
    assert "Remove them: a repeated row weighs twice in training." in found.report
    folded = found.report[found.report.index("<details") :]
    assert "why not?" in folded


def test_fixes_of_a_file_can_be_ticked_and_say_what_they_would_change(ws, base, tmp_path):
    rows = [*chats(20), chats(1)[0], {"prompt": "why not?", "completion": ""}]
    one = dropped(ws, jsonl(tmp_path, rows))
    offered = {name: words for words, name in preview.updates(ws, one).fixes.choices}
    assert offered["drop_exact_duplicates"].endswith("(1)")
    said = preview.fix_change(ws, one, ["drop_exact_duplicates", "drop_empty_turns"])
    assert "This removes 2 rows: 22 become 20." in said
    assert "Row 22, removed" in said


def test_file_added_with_fixes_gives_the_original_and_the_fixed_version(ws, base, tmp_path):
    project = helpers.project(ws)
    path = jsonl(tmp_path, [*chats(20), chats(1)[0]])
    kept = preview.add(ws, project.id, dropped(ws, path), "faq", ["drop_exact_duplicates"])
    assert (kept.label, kept.rows) == ("faq@2", 20)
    assert [d.rows for d in datasets.list_all(ws, LOCAL, project.id)] == [20, 21]


def test_file_without_findings_offers_no_fix(ws, base, tmp_path):
    found = preview.updates(ws, dropped(ws, jsonl(tmp_path, chats(20))))
    assert not found.fixes.visible


def test_unknown_columns_open_a_panel_with_the_guess_and_nothing_can_be_added(ws, base, tmp_path):
    found = preview.updates(ws, dropped(ws, intents(tmp_path)))
    assert "Map the columns" in found.report
    assert found.panel.visible
    assert not found.add.visible
    kind, *roles = found.columns
    said = {role: box.value for role, box in zip(mapping.ROLES, roles, strict=True) if box.value}
    assert (kind, said) == ("sft", {"prompt": "text", "answer": "intent"})
    assert '<mark class="tl-learned">Book' in found.example


def test_preview_refresh_keeps_the_columns_that_a_person_chose(ws, base, tmp_path):
    found = preview.updates(ws, dropped(ws, intents(tmp_path), 20), fill_guess=False)
    assert found.panel.visible
    assert all(update == tab.gr.skip() for update in found.columns)


def test_unconfirmed_mapping_adds_nothing(ws, tmp_path):
    project = helpers.project(ws)
    with pytest.raises(UserError, match="No known layout fits the columns found: text, intent"):
        preview.add(ws, project.id, dropped(ws, intents(tmp_path)), "a")
    with pytest.raises(UserError, match="not confirmed"):
        preview.add(
            ws, project.id, dropped(ws, jsonl(tmp_path, chats(9)), layout=preview.BY_HAND), "a"
        )
    assert datasets.list_all(ws, LOCAL, project.id) == []


def test_confirmed_mapping_is_previewed_and_added(ws, base, tmp_path):
    said = mapping.chosen("sft", columns_of(prompt="text", answer="intent"))
    one = dropped(ws, intents(tmp_path), mapping=said)
    found = preview.updates(ws, one)
    assert "prompt = text, answer = intent" in found.report
    assert found.add.interactive and found.remap.visible  # noqa: PT018
    assert not found.panel.visible
    kept = preview.add(ws, helpers.project(ws).id, one, "intents")
    assert (kept.layout, kept.rows) == ("mapped", 20)


def columns_of(**said):
    return [said.get(role, "") for role in mapping.ROLES]


def test_two_rows_show_what_the_chosen_columns_would_give(ws, base, tmp_path):
    shown = preview.mapping_example(
        ws, dropped(ws, intents(tmp_path)), "sft", columns_of(prompt="intent", answer="text")
    )
    assert '<mark class="tl-learned">play song 0' in shown
    assert shown.count('class="tl-row"') == 2


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        ("sft", {"prompt": "text"}, "No column is chosen for: answer"),
        ("preference", {"prompt": "text", "chosen": "intent"}, "rejected answer"),
        ("sft", {"prompt": "text", "answer": "gone"}, "no column"),
        ("nonsense", {"prompt": "text"}, "no kind"),
        (None, {}, "no kind"),
    ],
)
def test_mapping_of_unsuitable_columns_is_refused_in_a_sentence(
    ws, base, tmp_path, kind, said, words
):
    shown = preview.mapping_example(ws, dropped(ws, intents(tmp_path)), kind, columns_of(**said))
    assert "tl-notice tl-warn" in shown
    assert words in shown


def test_panel_shows_the_roles_of_the_kind(ws):
    shown = dict(zip(mapping.ROLES, mapping.shown_for("preference"), strict=True))
    assert {role for role, box in shown.items() if box.visible} == {
        "prompt", "chosen", "rejected", "context", "system",
    }  # fmt: skip
    assert not any(box.visible for box in mapping.shown_for("nonsense"))


def test_columns_can_be_named_by_hand_though_a_layout_fits(ws, base, tmp_path):
    found = preview.updates(ws, dropped(ws, jsonl(tmp_path, chats(20)), layout=preview.BY_HAND))
    assert found.panel.visible
    assert not found.add.interactive


def test_rows_of_a_group_stay_on_one_side(ws, base, tmp_path):
    said = ColumnMapping(kind="sft", columns={"prompt": "text", "answer": "intent"})
    one = dropped(ws, intents(tmp_path), 25, group="person", mapping=said)
    found = preview.updates(ws, one)
    assert ("intent", "intent") in found.group.choices
    kept = preview.add(ws, helpers.project(ws).id, one, "intents")
    sides = {}
    for row in datasets.rows(ws, LOCAL, kept.id):
        sides.setdefault(row.example.group, set()).add(row.split)
    assert len(sides) == 4
    assert all(len(each) == 1 for each in sides.values())


def test_preview_validates_what_the_browser_sends():
    one = preview.form_input(None, "much", ["x"], None, None)
    assert one == FormInput("", 15, "['x']", "", None)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b'{"prompt": "a"'])
def test_broken_file_is_refused_in_a_sentence(ws, tmp_path, content):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    found = preview.dropped_files(ws, [str(path)])[2]
    assert "tl-notice tl-bad" in found.report
    assert "Traceback" not in found.report
    assert found.preview == ""
    assert not found.add.interactive


def test_file_too_small_to_split_cannot_be_added_until_nothing_is_held_out(ws, base, tmp_path):
    path = jsonl(tmp_path, chats(3))
    found = preview.updates(ws, dropped(ws, path))
    assert "too few" in found.report
    assert not found.add.interactive
    assert preview.updates(ws, dropped(ws, path, 0)).add.interactive


def test_layout_chosen_by_hand_is_used(ws, base, tmp_path):
    path = jsonl(tmp_path, [{"prompt": f"why {n}?", "note": "x"} for n in range(10)])
    found = preview.updates(ws, dropped(ws, path, layout="prompts"))
    assert "Questions only" in found.report


def test_data_page_without_a_file_lists_the_layouts(ws):
    found = preview.dropped_files(ws, [])[2]
    assert found.report == findings.guide()
    assert found.preview == ""
    assert not found.keep.visible


def test_rows_without_a_model_are_shown_by_role(ws, tmp_path):
    found = preview.updates(ws, dropped(ws, jsonl(tmp_path, chats(10))))
    assert "still being fetched" in found.preview
    assert "because 0" in found.preview


def test_file_is_added_under_the_name_given(ws, tmp_path):
    project = helpers.project(ws)
    kept = preview.add(
        ws, project.id, dropped(ws, jsonl(tmp_path, chats(40)), 25), "  help v1.2 / a "
    )
    assert kept.label == "help v1.2 - a@1"
    assert (kept.train_rows, kept.held_out_rows) == (30, 10)


def test_adding_needs_a_project_and_a_file(ws, tmp_path):
    with pytest.raises(UserError, match="No project is open"):
        preview.add(ws, None, dropped(ws, jsonl(tmp_path, chats(40))), "a")
    with pytest.raises(UserError, match="no file"):
        preview.add(ws, helpers.project(ws).id, FormInput(""), "a")


def test_sample_data_is_added_once_however_often_it_is_asked_for(ws):
    project = helpers.project(ws)
    first = tab.add_samples(ws, project.id)
    assert tab.add_samples(ws, project.id).id == first.id
    kinds = {one.kind for one in datasets.list_all(ws, LOCAL, project.id)}
    assert kinds == {"sft", "prompts"}
    assert first.kind == "sft"


def test_version_list_shows_every_version_and_the_next_step(ws, tmp_path):
    project = helpers.project(ws)
    kept = helpers.dataset(ws, project.id, tmp_path)
    _, cards, step, ready, label = versions.version_list(ws, project.id)
    assert f'data-pick="{kept.id}"' in cards
    assert "<b>30</b> to train" in cards
    assert step.visible
    assert "faq@1</b> is ready: 30 rows to train, 10 held out." in ready
    assert label == "Train on it"


@pytest.mark.parametrize("has_project", [True, False])
def test_version_list_that_is_empty_says_what_to_do(ws, has_project):
    project = helpers.project(ws).id if has_project else None
    title, cards, step, *_ = versions.version_list(ws, project)
    assert "No data in this project yet" in title
    assert cards == ""
    assert not step.visible


def test_opened_version_says_where_it_came_from_and_shows_its_rows(ws, base, tmp_path):
    kept = helpers.dataset(ws, helpers.project(ws).id, tmp_path)
    opened = versions.OpenedVersion(*opened_version.show(ws, kept))
    assert opened.id == kept.id
    assert opened.detail.visible
    assert "faq@1" in opened.about
    assert "From the file faq.jsonl. 30 to train, 10 held out." in opened.about
    assert opened.rows.count('class="tl-row"') == preview.FEW
    assert not opened.undo.visible


def test_opened_version_is_shown_before_there_is_a_model(ws, tmp_path):
    kept = helpers.dataset(ws, helpers.project(ws).id, tmp_path)
    opened = versions.OpenedVersion(*opened_version.show(ws, kept))
    assert "answer" in opened.rows


def test_preview_updates_reach_the_components_of_their_names(ws):
    with gr.Blocks():
        form = upload.build()
    shown = preview.updates(ws, FormInput(""))
    components, updates = upload.outputs(form), upload.flat(shown)
    assert len(components) == len(updates)
    assert components[: len(shown) - 1] == [
        form.report, form.preview, form.keep, form.add, form.sample, form.group, form.sheet,
        form.held_out, form.fixes, form.change, form.remap, form.panel.whole, form.panel.example,
    ]  # fmt: skip
    assert components[len(shown) - 1 :] == [form.panel.kind, *form.panel.roles]


def test_text_of_a_file_never_becomes_markup(ws, base, tmp_path):
    evil = "<script>alert(1)</script> {{value}} ${value} <|im_end|>"
    rows = [{"prompt": f"{evil} {n}", "completion": evil} for n in range(10)]
    project = helpers.project(ws)
    one = dropped(ws, jsonl(tmp_path, rows))
    found = preview.updates(ws, one)
    kept = preview.add(ws, project.id, one, "<img src=x>")
    opened = versions.OpenedVersion(*opened_version.show(ws, kept))
    related = opened_version.related(ws, kept.id)[:2]
    shown = "".join([found.report, found.preview, versions.card(kept), opened.about, *related])
    shown += opened.rows
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in found.preview


def test_special_tokens_are_muted_and_line_breaks_are_visible():
    html = row_view.rows([PreviewRow([Piece("<|im_start|>user\nhi", False)], 4, False)])
    assert '<span class="tl-token">&lt;|im_start|&gt;</span>' in html
    assert "↵</span>\nhi" in html


def test_pair_shows_the_worse_answer_without_repeating_the_prompt(ws, base):
    asked = (Message(role="user", content="why?"),)
    pair = Preference(prompt=asked, chosen="because", rejected="no idea")
    html = row_view.rows(data_preview.preview_rows(ws, LOCAL, [pair], base.id))
    assert html.count("why?") == 1
    assert html.index("because") < html.index("Rejected") < html.index("no idea")


def test_row_that_is_cut_says_so(ws, base):
    long = Message(role="assistant", content="x" * 600)
    chat = Chat(messages=(Message(role="user", content="why?"), long))
    assert "the end is cut off" in row_view.rows(
        data_preview.preview_rows(ws, LOCAL, [chat], base.id)
    )


def test_next_step_takes_the_opened_version_to_the_page_that_uses_it(ws, tmp_path):
    project = helpers.project(ws)
    older = helpers.dataset(ws, project.id, tmp_path)
    path = jsonl(tmp_path, [{"prompt": f"why {n}?"} for n in range(9)], "ask.jsonl")
    newer = datasets.add(ws, LOCAL, project.id, Path(path), "ask.jsonl")
    aim, tabs = versions.go_on(ws, project.id, older.id)
    assert (aim.method, aim.dataset, tabs.selected) == ("sft", older.id, "training")
    assert newer.kind == "prompts"
    aim, tabs = versions.go_on(ws, project.id, "")  # none is opened: the newest
    assert (aim.method, tabs.selected) == ("", "rating")
    with pytest.raises(UserError, match="No data in this project"):
        versions.go_on(ws, helpers.project(ws, "empty").id, "")


def test_long_prompt_is_folded_so_that_its_answer_is_seen():
    given = "a passage " * 200
    shown = row_view.rows([PreviewRow([Piece(given, False), Piece("the answer", True)], 9, False)])
    folded = shown[shown.index("<details") : shown.index("</details>")]
    assert len(folded) > 1000
    assert shown.index("</details>") < shown.index("the answer")
    assert "1,520 more characters" in folded


def test_short_prompt_is_not_folded():
    shown = row_view.rows([PreviewRow([Piece("why?", False), Piece("so", True)], 9, False)])
    assert "<details" not in shown


def test_system_prompt_of_the_template_is_said_where_rows_have_none(ws, tiny_model, tmp_path):
    folder = tmp_path / "talking"
    shutil.copytree(tiny_model, folder)
    template = (folder / "chat_template.jinja").read_text()
    default = (
        "{% if messages[0]['role'] != 'system' %}"
        "<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(default + template)
    import_folder.import_base(ws, LOCAL, str(folder), "talking")
    _, _, shown = preview.dropped_files(ws, [jsonl(tmp_path, chats(10))])
    assert "The chat template adds a system prompt" in shown.preview
    assert "<q>You are a helpful AI assistant" in shown.preview
    rows = [{**row, "system": "Be brief."} for row in chats(10)]
    _, _, shown = preview.dropped_files(ws, [jsonl(tmp_path, rows, "own.jsonl")])
    assert "The chat template adds" not in shown.preview


def test_system_prompt_is_previewed_added_and_taken_back(ws, base, tmp_path):
    kept = helpers.dataset(ws, helpers.project(ws).id, tmp_path)
    assert versions.OpenedVersion(*opened_version.show(ws, kept)).system.visible
    assert opened_version.system_change(ws, kept.id, "  ") == ""
    assert "This changes 40 rows: 40 become 40." in opened_version.system_change(
        ws, kept.id, "Be brief."
    )
    new, _ = opened_version.apply_fixes(ws, kept.id, [cleaning.system_prompt(" Be brief. ")])
    opened = versions.OpenedVersion(*opened_version.show(ws, new))
    assert "Made from faq@1: system prompt “Be brief.”." in opened.about
    assert "Be brief." in opened.rows
    assert "You are a helpful AI assistant" not in opened.rows
    assert not opened.system.visible
    assert opened_version.undo(ws, new.id)[0].id == kept.id
