"""What a file holds before it is kept, and rows of every kind as a model sees them."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Preference, Prompt, Text, Unpaired
from engine.models import folder_check
from engine.services.data import datasets, preview
from engine.services.models import import_folder, registry
from tests import helpers


def user(text):
    return (Message(role="user", content=text),)


@pytest.fixture
def base(ws, tiny_model):
    return import_folder.import_base(ws, LOCAL, str(tiny_model), "tiny")


def test_check_says_what_adding_the_file_would_give(ws, tmp_path):
    path = helpers.chat_file(tmp_path, rows=40)
    found = helpers.previewed(ws, path, held_out=0.25)
    kept = datasets.add(ws, LOCAL, helpers.project(ws).id, path, path.name, held_out=0.25)
    assert (found.layout, found.kind, found.rows) == (kept.layout, kept.kind, kept.rows)
    assert (found.train_rows, found.held_out_rows) == (kept.train_rows, kept.held_out_rows)


def test_check_stores_nothing(ws, tmp_path):
    project = helpers.project(ws)
    path = helpers.chat_file(tmp_path)
    helpers.previewed(ws, path)
    assert datasets.list_all(ws, LOCAL, project.id) == []


def odd_file(folder, rows=40):
    path = folder / "odd.csv"
    lines = [f"Frage {n}?,Antwort {n},Kunde {n // 10}" for n in range(rows)]
    path.write_text("\n".join(["frage,antwort,kunde", *lines]))
    return path


def test_file_of_unknown_columns_is_shown_through_a_guess_and_not_kept_before_it_is_confirmed(
    ws, tmp_path
):
    project = helpers.project(ws)
    path = odd_file(tmp_path)
    found = helpers.previewed(ws, path)
    assert (found.layout, found.confirmed) == ("", False)
    assert found.columns == ("frage", "antwort", "kunde")
    assert found.mapping.columns == {"prompt": "frage", "answer": "antwort"}
    assert found.examples[0].answer == "Antwort 0"
    assert "No known layout fits the columns found: frage, antwort, kunde" in found.refusal
    with pytest.raises(UserError, match="prompt = frage, answer = antwort"):
        datasets.add(ws, LOCAL, project.id, path, path.name)
    assert datasets.list_all(ws, LOCAL, project.id) == []

    again = helpers.previewed(ws, path, mapping=found.mapping)
    kept = datasets.add(ws, LOCAL, project.id, path, path.name, mapping=found.mapping)
    assert (again.confirmed, again.refusal, again.rows) == (True, "", kept.rows)
    assert (kept.layout, kept.kind) == ("mapped", "sft")
    assert kept.origin["mapping"]["columns"] == {"prompt": "frage", "answer": "antwort"}


def test_columns_that_cannot_be_guessed_are_named_all_the_same(ws, tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("x1,x2\n1,2\n3,4\n")
    found = helpers.previewed(ws, path)
    assert (found.columns, found.mapping, found.confirmed) == (("x1", "x2"), None, False)
    assert (found.examples, found.rows) == ([], 2)


def test_rows_of_one_group_are_never_on_both_sides(ws, tmp_path):
    path = odd_file(tmp_path)
    mapping = helpers.previewed(ws, path).mapping
    kept = datasets.add(
        ws, LOCAL, helpers.project(ws).id, path, path.name,
        held_out=0.25, mapping=mapping, group="kunde",
    )  # fmt: skip
    rows = datasets.rows(ws, LOCAL, kept.id)
    held, trained = ({r.example.group for r in rows if r.split == s} for s in ("held_out", "train"))
    assert len(held) == 1
    assert not held & trained


def test_file_too_small_to_split_is_reported_with_the_reason(ws, tmp_path):
    path = helpers.chat_file(tmp_path, rows=3)
    found = helpers.previewed(ws, path)
    assert (found.rows, found.held_out_rows) == (3, 0)
    assert "too few" in found.refusal


def test_only_the_answer_of_a_chat_is_marked_as_learned(ws, base):
    chat = Chat(messages=(*user("why?"), Message(role="assistant", content="because")))
    (seen,) = preview.preview_rows(ws, LOCAL, [chat], base.id)
    assert [p.text for p in seen.pieces if p.trained] == ["because<|im_end|>"]
    assert "why?" in seen.pieces[0].text


def test_both_answers_of_a_pair_are_shown(ws, base):
    pair = Preference(prompt=user("why?"), chosen="because", rejected="no idea")
    (seen,) = preview.preview_rows(ws, LOCAL, [pair], base.id)
    assert "because" in seen.pieces[-1].text
    assert "no idea" in seen.rejected[-1].text


@pytest.mark.parametrize(
    ("example", "learned"),
    [
        (Prompt(prompt=user("why?")), False),
        (Unpaired(prompt=user("why?"), completion="because", label=True), True),
        (Text(text="because"), True),
    ],
)
def test_rows_of_the_other_kinds_can_be_seen(ws, base, example, learned):
    (seen,) = preview.preview_rows(ws, LOCAL, [example], base.id)
    assert any(piece.trained for piece in seen.pieces) is learned


def test_row_longer_than_the_limit_is_marked_as_cut(ws, base):
    chat = Chat(messages=(*user("why?"), Message(role="assistant", content="x" * 200)))
    (seen,) = preview.preview_rows(ws, LOCAL, [chat], base.id, max_length=100)
    assert seen.truncated
    assert sum(len(piece.text) for piece in seen.pieces) < 200


def test_whole_model_folder_becomes_a_base_once(ws, tiny_model):
    first = import_folder.import_base(ws, LOCAL, str(tiny_model), "tiny")
    again = import_folder.import_base(ws, LOCAL, f"  {tiny_model}  ")
    assert first.id == again.id
    assert [one.name for one in registry.list_all(ws, LOCAL)] == ["tiny"]


def test_folder_that_is_no_model_is_refused_with_what_it_lacks(ws, tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        import_folder.import_base(ws, LOCAL, str(tmp_path / "half"))


def test_weights_that_could_run_code_are_refused(ws, tmp_path):
    for name in folder_check.NEEDED:
        (tmp_path / name).write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(UserError, match="safetensors"):
        import_folder.import_base(ws, LOCAL, str(tmp_path))


def test_adapter_is_not_taken_for_a_base(ws, tiny_model, tmp_path):
    for file in tiny_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(UserError, match="architecture"):
        import_folder.import_base(ws, LOCAL, str(tmp_path))


@pytest.mark.parametrize(("path", "said"), [("", "No folder"), ("~/no/such", "There is no folder")])
def test_missing_folder_is_reported_as_missing(ws, path, said):
    with pytest.raises(UserError, match=said):
        import_folder.import_base(ws, LOCAL, path)
