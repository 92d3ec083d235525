"""What the checks find in planted faults, and that they leave good rows alone."""

import pytest

from engine import plugins
from engine.checks.run import findings, report
from engine.core.examples import Chat, Example, Message, Preference, Prompt, Text, Unpaired
from engine.core.finding import Finding
from engine.core.parsed_file import BrokenRow, ParsedFile


def said(*turns: str) -> tuple[Message, ...]:
    """Turns written as "user: Hi"."""
    return tuple(
        Message(role=role, content=content)
        for role, _, content in (turn.partition(": ") for turn in turns)
    )


def chat(question: str, answer: str) -> Chat:
    return Chat(messages=said(f"user: {question}", f"assistant: {answer}"))


def pair(question: str, chosen: str, rejected: str) -> Preference:
    return Preference(prompt=said(f"user: {question}"), chosen=chosen, rejected=rejected)


def judged(question: str, answer: str, label: bool) -> Unpaired:
    return Unpaired(prompt=said(f"user: {question}"), completion=answer, label=label)


def run(name: str, examples: list[Example]) -> dict[str, tuple[int, ...]]:
    """The rows, counted from 1, by the id of each finding."""
    numbered = [e.model_copy(update={"source_row": n}) for n, e in enumerate(examples, 1)]
    return {found.id: found.rows for found in plugins.load("checks", name)(numbered)}


GOOD: list[Example] = [
    chat("Capital of Peru?", "Lima"),
    chat("Say <b>hi</b> and {x}", "# Title\n<s>gone</s> f() {{ return 1; }} x"),
    Chat(
        messages=said(
            "system: Be brief.", "user: Hi", "assistant: {call}", "tool: 4", "assistant: 4"
        )
    ),
    pair("Hi", "Hello", "What?"),
    judged("Hi", "Hello", True),
    Text(text="Call me Ishmael."),
    Prompt(prompt=said("user: Tell me a story.")),
]


@pytest.mark.parametrize("name", plugins.names("checks"))
def test_good_rows_and_no_rows_have_no_findings(name):
    assert run(name, GOOD) == {}
    assert run(name, []) == {}


def test_empty_answers_and_empty_turns_are_told_apart():
    blank_turn = Chat(messages=said("system: ", "user: Hi", "assistant: Hello"))
    rows = [*GOOD, chat("Hi", " \n"), blank_turn, pair("Hi", "", "no"), Text(text=" ")]
    assert run("empty_turns", rows) == {"empty_answers": (8, 10, 11), "empty_turns": (9,)}


@pytest.mark.parametrize(
    "turns",
    [
        ("assistant: Hi", "user: Hi", "assistant: Hello"),
        ("user: Hi", "user: Hi?", "assistant: Hello"),
        ("user: Hi", "assistant: Hello", "assistant: Hello!"),
        ("user: Hi", "system: Be brief.", "assistant: Hello"),
        ("system: Be brief.", "system: Be kind.", "user: Hi", "assistant: Hello"),
        ("tool: 4", "assistant: 4"),
        ("system: Be brief.", "assistant: Hello"),
    ],
)
def test_speakers_out_of_order_are_found(turns):
    assert run("role_order", [chat("Hi", "Hello"), Chat(messages=said(*turns))]) == {
        "role_order": (2,)
    }


def test_prompt_of_a_pair_must_end_before_the_answers():
    rows = [Preference(prompt=said("user: Hi", "assistant: x"), chosen="a", rejected="b")]
    assert run("role_order", rows) == {"role_order": (1,)}


def test_repeated_row_is_counted_once_for_each_repeat():
    rows = [chat("Hi", "a"), chat("Hi", "b"), chat("Hi", "a"), chat("hi", "a"), chat("Hi", "a")]
    assert run("exact_duplicates", rows) == {"exact_duplicates": (3, 5)}


def test_pair_without_a_difference_is_found_whatever_its_spacing():
    rows = [pair("Hi", "a b", "a  b\n"), pair("Hi", "a b", "A b")]
    assert run("chosen_equals_rejected", rows) == {"chosen_equals_rejected": (1,)}


def test_judgements_that_take_each_other_back_are_found():
    rows = [
        pair("Hi", "a", "b"),
        pair("Hi", "a", "c"),
        pair(" hi", "B", "a "),
        judged("Hi", "a", True),
        judged("Hi", "a", False),
        pair("Bye", "b", "a"),
    ]
    assert run("contradictory_pairs", rows) == {"contradictory_pairs": (1, 3, 4, 5)}


@pytest.mark.parametrize(
    "text",
    [
        "Hello<|im_end|>",
        "<|start_header_id|>user",
        "[INST] Hi [/INST]",
        "<<SYS>> Be kind <</SYS>>",
        "<start_of_turn>model",
        "Hello</s>",
        "### Response:\nHello",
        "Assistant: Hello",
        "Hello\n\nHuman: Hi",
    ],
)
def test_marks_of_a_chat_template_are_found(text):
    assert run("template_residue", [*GOOD, chat("Hi", text)]) == {"template_residue": (8,)}


def test_blanks_that_were_never_filled_in_are_found_in_questions_too():
    rows = [chat("Who are you?", "I am {{name}}."), chat("Hi {{ author }}", "Hello")]
    assert run("template_residue", rows) == {"unfilled_blanks": (1, 2)}


def test_row_far_longer_than_the_middle_one_is_found_unless_all_are_short():
    rows = [chat("Hi", "a" * 300) for _ in range(9)]
    assert run("length_outliers", [*rows, chat("Hi", "a" * 2300)]) == {}
    assert run("length_outliers", [*rows, chat("Hi", "a" * 2500)]) == {"length_outliers": (10,)}
    assert run("length_outliers", [chat("Hi", "a"), chat("Hi", "b" * 1990)]) == {}


def test_finding_names_the_first_twenty_rows_and_counts_them_all():
    rows = [chat(f"Question {n}", "").model_copy(update={"source_row": n}) for n in range(1, 101)]
    found: Finding = plugins.load("checks", "empty_turns")(rows)[0]
    assert (found.count, found.rows) == (100, tuple(range(1, 21)))
    assert found.message == "100 rows with an empty answer."


EMPTY_FIX = "Fill in the answer or remove the row: the model would learn to give empty answers."


def parsed(**changes) -> ParsedFile:
    rows = [chat("Hi", "").model_copy(update={"source_row": 1}), *GOOD[:1]]
    return ParsedFile("alpaca", "sft", rows, [])._replace(**changes)


def test_report_has_exactly_the_agreed_keys():
    said_so = report(parsed(broken=[BrokenRow(3, "'output' is missing")])).model_dump(mode="json")
    assert said_so == {
        "layout": "alpaca",
        "kind": "sft",
        "rows": 2,
        "findings": [
            {
                "id": "empty_answers",
                "severity": "error",
                "count": 1,
                "rows": [1],
                "message": "1 row with an empty answer.",
                "hint": EMPTY_FIX,
                "fix_id": "drop_empty_turns",
            },
            {
                "id": "broken_rows",
                "severity": "warning",
                "count": 1,
                "rows": [3],
                "message": "1 row left out as unreadable; row 3: 'output' is missing.",
                "hint": "Correct these rows and upload the file again, or go on without them.",
                "fix_id": "",
            },
        ],
    }


def test_check_reports_problems_of_the_file_itself():
    whole = findings(parsed(unused=("id", "score"), encoding="cp1252"))
    assert [(f.id, f.severity, f.count) for f in whole] == [
        ("empty_answers", "error", 1),
        ("encoding", "warning", 1),
        ("unused_columns", "info", 2),
    ]
    assert "id, score" in whole[-1].message


def test_gravest_findings_come_first():
    order = [f.severity for f in findings(parsed(unused=("id",), broken=[BrokenRow(9, "x")]))]
    assert order == ["error", "warning", "info"]
