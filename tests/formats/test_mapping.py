"""Columns with names of their own: what they are guessed to be, and what a person says they are."""

import pytest

from engine.core.column_mapping import ColumnMapping, mapping_of
from engine.core.errors import UserError
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.mapping_guess import guess
from engine.formats.read import understand

TEXTS = [
    ("Wo liegt Kiel?", "An der Ostsee."),
    ("Wer schrieb Faust?", "Das war Goethe."),
    ("Was ist zwei und zwei?", "Vier."),
    ("Wie heißt der Fluss?", "Die Elbe."),
    ("Wann beginnt es?", "Um acht."),
]


def rows(*names: str, **more) -> list[dict]:
    """Rows with the five texts under two names; further columns beside."""
    return [{**more, "id": n, **dict(zip(names, texts, strict=True))} for n, texts in
            enumerate(TEXTS)]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("Frage", "Antwort"),
        ("pregunta", "respuesta"),
        ("Q", "A"),
        ("UserInput", "BotReply"),
        ("customer_message", "agent_response"),
        ("utterance", "intent"),
        ("article", "highlights"),
        ("dialogue", "summary"),
        ("en", "de"),
        ("original_text", "corrected_text"),
        ("Ticket Text", "Lösung"),
        ("problem", "solution"),
        ("问题", "答案"),
        ("src", "tgt"),
    ],
)
def test_odd_headers_are_guessed(asked, answered):
    found = guess(rows(asked, answered, url="http://x.test/1", date="2024-01-01"))
    assert found == ColumnMapping(kind="sft", columns={"prompt": asked, "answer": answered})


@pytest.mark.parametrize(
    ("columns", "kind", "guessed"),
    [
        (
            {"Frage": "q", "besser": "yes it is", "schlechter": "no, it is not"},
            "preference",
            {"prompt": "Frage", "chosen": "besser", "rejected": "schlechter"},
        ),
        (
            {"question": "q", "reply": "an answer", "thumbs_up": "1"},
            "unpaired",
            {"prompt": "question", "answer": "reply", "label": "thumbs_up"},
        ),
        (
            {"persona": "You are p", "question": "q", "passage": "text", "reply": "an answer"},
            "sft",
            {"system": "persona", "context": "passage", "prompt": "question", "answer": "reply"},
        ),
        ({"instruction": "q", "response_a": "x", "response_b": "y"}, "prompts",
         {"prompt": "instruction"}),
        ({"texto": "some text"}, "text", {"text": "texto"}),
    ],
)  # fmt: skip
def test_each_kind_is_guessed_from_its_names(columns, kind, guessed):
    many = [
        {name: str(n % 2) if cell == "1" else f"{cell} {n}" for name, cell in columns.items()}
        for n in range(5)
    ]
    assert guess(many) == ColumnMapping(kind=kind, columns=guessed)


@pytest.mark.parametrize(
    "row", [{"id": "1", "score": "2"}, {}, {"a1": 3, "b2": True}, {"x": {"y": 1}}, {"n": [[]]}]
)
def test_mapping_is_not_guessed_without_text_columns(row):
    assert guess([row] * 5) is None
    assert guess([]) is None


def test_column_that_never_changes_is_no_answer():
    many = [{**row, "response": "Your model's answer here"} for row in rows("input", "gold")]
    assert guess(many).columns == {"prompt": "input", "answer": "gold"}


def read(mapping: ColumnMapping, *given: dict, group: str | None = None):
    return understand(LoadedFile(list(enumerate(given, 1)), []), mapping=mapping, group=group)


def test_mapping_makes_examples_of_every_kind():
    row = {"f": "Q", "a": "A", "b": "B", "l": "ja", "k": "About Q."}
    ways = {
        "sft": {"prompt": "f", "answer": "a", "context": "k"},
        "preference": {"prompt": "f", "chosen": "a", "rejected": "b"},
        "unpaired": {"prompt": "f", "answer": "a", "label": "l"},
        "prompts": {"prompt": "f", "references": "a", "system": "k"},
        "text": {"text": "k"},
    }
    made = {
        kind: read(mapping_of(columns, kind), row).examples[0] for kind, columns in ways.items()
    }
    assert {kind: example.kind for kind, example in made.items()} == {kind: kind for kind in ways}
    assert made["sft"].prompt[0].content == "About Q.\n\nQ"
    assert (made["preference"].chosen, made["preference"].rejected) == ("A", "B")
    assert made["unpaired"].label is True
    assert made["prompts"].references == ("A",)
    assert [turn.role for turn in made["prompts"].prompt] == ["system", "user"]


def test_kind_follows_from_the_roles():
    assert mapping_of({"prompt": "a", "answer": "b"}).kind == "sft"
    assert mapping_of({"prompt": "a"}).kind == "prompts"
    assert mapping_of({"prompt": "a", "answer": "b", "label": "c"}).kind == "unpaired"


@pytest.mark.parametrize(
    ("pairs", "kind", "problem"),
    [
        ({"asker": "a"}, None, "no role 'asker'"),
        ({"prompt": "a"}, "novel", "no kind 'novel'"),
        ({"prompt": "a"}, "sft", "No column is mapped to answer"),
        ({"prompt": "a", "answer": "b"}, "text", "No column is mapped to text"),
        ({"text": "a", "answer": "b"}, "text", "the kind text has no answer"),
    ],
)
def test_mapping_that_makes_no_sense_is_refused(pairs, kind, problem):
    with pytest.raises(UserError, match=problem) as caught:
        mapping_of(pairs, kind)
    assert caught.value.fix


def test_columns_are_found_whatever_their_case_and_missing_ones_are_named():
    mapping = mapping_of({"prompt": "Frage", "answer": "ANTWORT"})
    assert read(mapping, {"frage": "Q", "Antwort": 4}).examples[0].answer == "4"
    with pytest.raises(UserError, match="no column 'ANTWORT'") as caught:
        read(mapping, {"frage": "Q", "Reply": "A"})
    assert "frage, Reply" in caught.value.fix


def test_row_that_lacks_a_column_is_left_out_under_the_column_s_own_name():
    mapping = mapping_of({"prompt": "frage", "answer": "antwort"})
    good = {"frage": "a", "antwort": "b"}
    parsed = read(mapping, good, {"frage": "c"}, good, {**good, "antwort": []})
    assert [broken.row for broken in parsed.broken] == [2, 4]
    assert "'antwort' is missing" in parsed.broken[0].reason


def test_rows_that_share_a_value_of_the_named_column_are_one_group():
    mapping = mapping_of({"prompt": "f", "answer": "a"})
    given = [{"f": f"q{n}", "a": "x", "Kunde": n // 2} for n in range(4)]
    parsed = read(mapping, *given, group="kunde")
    assert [example.group for example in parsed.examples] == ["0", "0", "1", "1"]
    assert parsed.unused == ("Kunde",)
    with pytest.raises(UserError, match="no column 'client'"):
        read(mapping, *given, group="client")


def test_group_may_be_named_beside_a_known_layout():
    given = [{"prompt": f"q{n}", "completion": "x", "user": "u"} for n in range(3)]
    parsed = understand(LoadedFile(list(enumerate(given, 1)), []), group="user")
    assert (parsed.layout, {e.group for e in parsed.examples}) == ("prompt_completion", {"u"})
