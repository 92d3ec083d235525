"""Datasets leave as OpenAI's fine-tuning takes them, and files are judged by its rules."""

import json

import pytest

from engine.checks.run import findings
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, UserError
from engine.formats import openai_file
from engine.formats.read import read_file
from engine.services.data import datasets, openai_files
from tests import helpers
from tests.recipe_files import runs

USER = {"role": "user", "content": "q"}
BOT = {"role": "assistant", "content": "a"}


def problems(*rows):
    return [one.problem for one in openai_file.check(map(line, rows)).problems]


def line(row):
    return row if isinstance(row, bytes) else json.dumps(row).encode()


def chat(*messages, **more):
    return {"messages": list(messages), **more}


def pair(**changes):
    return {
        "input": {"messages": [USER], "tools": [], "parallel_tool_calls": True},
        "preferred_output": [BOT],
        "non_preferred_output": [{**BOT, "content": "b"}],
        **changes,
    }


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
RESULT = {"role": "tool", "content": "4", "tool_call_id": "1"}


@pytest.mark.parametrize(
    "row",
    [
        chat(USER, BOT),
        chat({"role": "system", "content": "s"}, USER, {**BOT, "weight": 0}, USER, BOT),
        chat({"role": "developer", "content": "s"}, USER, {**BOT, "weight": 1}),
        chat(USER, CALL, RESULT, BOT, tools=[{"type": "function"}]),
        chat({**USER, "content": [{"type": "text", "text": "q"}], "name": "ada"}, BOT),
        pair(),
    ],
)
def test_openai_check_lets_right_rows_through(row):
    assert problems(*[row] * 10) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not an object"),
        ({"text": "a"}, "unknown key 'text'"),
        ({"messages": []}, "not a list of messages"),
        ({"messages": ["a"]}, "message 1 is not an object"),
        (chat(USER), "the last message is not from the assistant"),
        (chat(USER, BOT, USER), "the last message is not from the assistant"),
        (chat({"role": "robot", "content": "q"}, BOT), "the role 'robot'"),
        (chat(USER, {"role": "assistant"}), "has no content"),
        (chat(USER, {**BOT, "weight": 2}), "weight is 0 or 1"),
        (chat(USER, {**BOT, "weight": True}), "weight is 0 or 1"),
        (chat({**USER, "weight": 1}, BOT), "of the assistant alone"),
        (chat(USER, {**BOT, "weight": 0}), "every message of the assistant has the weight 0"),
        (chat(USER, {**BOT, "mood": "fine"}), "unknown key 'mood'"),
        (chat(USER, CALL, {"role": "tool", "content": "4"}, BOT), "names no tool_call_id"),
        (pair(input="q"), "input is not an object"),
        (pair(input={"messages": []}), "input.messages is not a list"),
        (pair(preferred_output=[]), "preferred_output is not a list of messages"),
        (pair(non_preferred_output="b"), "non_preferred_output is not a list"),
        (pair(preferred_output=[USER]), "preferred_output is not one message of the assistant"),
        (pair(preferred_output=[BOT, BOT]), "is not one message of the assistant"),
        ({"preferred_output": [BOT]}, "input is not an object"),
    ],
)
def test_openai_check_names_what_would_be_refused(row, said):
    found = openai_file.check([b"\n", *map(line, [row])])
    assert any(said in one.problem for one in found.problems), found.problems
    assert all(one.line == 2 for one in found.problems)


def test_openai_check_warns_of_few_examples_and_refuses_a_mixed_file():
    few = openai_file.check([line(chat(USER, BOT))] * 9)
    assert (few.problems, len(few.warnings)) == ((), 1)
    assert "at least 10 examples; this has 9" in few.warnings[0]
    assert problems(chat(USER, BOT), pair()) == ["the file mixes chats and preferences"]


def test_openai_check_lists_the_first_problems_only():
    found = openai_file.check([b"{"] * 100)
    assert len(found.problems) == openai_file.SHOWN
    assert "100 lines have problems; the first are listed." in found.warnings


@pytest.mark.parametrize("make", [runs.chats, runs.pairs], ids=["chats", "pairs"])
def test_dataset_leaves_and_comes_back_the_same(ws, tmp_path, make):
    project = helpers.project(ws)
    path = make(tmp_path)
    data = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.25)
    found = openai_files.write(ws, LOCAL, data.id, tmp_path / "out.jsonl")
    assert (found.rows, found.left_out, found.warnings) == (data.rows, {}, ())
    assert openai_files.check(tmp_path / "out.jsonl").problems == ()
    back = read_file(tmp_path / "out.jsonl", "out.jsonl")
    before = [row.example for row in datasets.rows(ws, LOCAL, data.id)]
    assert [one.model_dump(exclude={"source_row"}) for one in back.examples] == [
        one.model_dump(exclude={"source_row"}) for one in before
    ]
    held = openai_files.write(ws, LOCAL, data.id, tmp_path / "held.jsonl", "held_out")
    assert held.rows == data.held_out_rows


def test_dataset_with_turns_of_tools_leaves_them_out_and_says_so(ws, tmp_path):
    project = helpers.project(ws)
    rows = [chat(USER, BOT), chat(USER, CALL | {"tool_calls": FUNCTION}, RESULT, BOT)]
    path = tmp_path / "tools.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0)
    found = openai_files.write(ws, LOCAL, data.id, tmp_path / "out.jsonl")
    assert (found.rows, found.left_out) == (1, {openai_files.TOOL: 1})


FUNCTION = [{"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}]


def test_dataset_of_texts_and_a_file_that_exists_are_refused(ws, tmp_path):
    project = helpers.project(ws)
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(f"A text of number {n}." for n in range(12)))
    data = datasets.add(ws, LOCAL, project.id, path, path.name)
    with pytest.raises(UserError, match="text rows"):
        openai_files.write(ws, LOCAL, data.id, tmp_path / "out.jsonl")
    chats = datasets.add(ws, LOCAL, project.id, runs.chats(tmp_path), "chats.jsonl")
    with pytest.raises(UserError, match="is there already"):
        openai_files.write(ws, LOCAL, chats.id, path)
    rater = Actor(name="ada", role=Role.RATER, projects=frozenset({project.id}))
    with pytest.raises(Forbidden):
        openai_files.write(ws, rater, chats.id, tmp_path / "out.jsonl")


def test_answers_of_weight_zero_are_counted_when_a_file_is_read(tmp_path):
    path = tmp_path / "weights.jsonl"
    row = chat(USER, {**BOT, "weight": 0}, USER, BOT)
    path.write_text(f"{json.dumps(row)}\n" * 3)
    (found,) = [
        one for one in findings(read_file(path, path.name))
        if one.id == "answers_of_weight_zero"
    ]  # fmt: skip
    assert (found.count, found.rows, found.severity) == (3, (1, 2, 3), "info")
    assert "3 rows with 3 answers of the weight 0" in found.message


def test_row_without_an_answer_of_weight_one_is_left_out_with_its_number(tmp_path):
    path = tmp_path / "weights.jsonl"
    silent = {**BOT, "weight": 0}
    rows = [
        chat(USER, BOT), chat(USER, silent), chat(USER, BOT, USER, silent), chat(BOT, USER, silent),
        chat(USER, {**BOT, "weight": 0.5}), chat(USER, {**BOT, "weight": True}),
        *[chat(USER, BOT)] * 6,
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = read_file(path, path.name)
    assert len(found.examples) == 8
    assert [(each.row, each.reason) for each in found.broken] == [
        (2, "every answer has the weight 0, so there is none to learn"),
        (4, "every answer has the weight 0, so there is none to learn"),
        (5, "turn 2 of 'messages' has the weight '0.5'; it is 0 or 1"),
        (6, "turn 2 of 'messages' has the weight 'True'; it is 0 or 1"),
    ]


def test_weight_of_a_turn_that_is_no_answer_is_named(tmp_path):
    path = tmp_path / "weights.jsonl"
    rows = [chat({**USER, "weight": 1}, {**BOT, "weight": 1}), chat({**USER, "weight": 0}, BOT)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    notes = " ".join(read_file(path, path.name).notes)
    assert "'weight' of turns is left out in 1 row (1)." in notes


def test_weight_of_an_answer_comes_back_in_the_exported_file(ws, tmp_path):
    project = helpers.project(ws)
    path = tmp_path / "weights.jsonl"
    rows = [
        chat(USER, {**BOT, "weight": 0}, {**USER, "content": f"{n}"}, {**BOT, "content": f"{n}"})
        for n in range(12)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    data = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0)
    openai_files.write(ws, LOCAL, data.id, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_commands_check_and_export_for_openai(tuneloop, tmp_path):
    path = runs.chats(tmp_path)
    assert tuneloop("data", "add", path)[0] == 0
    code, out, err = tuneloop(
        "data", "export", "chats", "--to", "openai", "--out", tmp_path / "out.jsonl", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["rows"] == 30
    code, out, _ = tuneloop("data", "check", tmp_path / "out.jsonl", "--openai", "--json")
    assert (code, json.loads(out)) == (0, {"examples": 30, "problems": [], "warnings": []})
    (tmp_path / "bad.jsonl").write_text("{\n")
    code, out, _ = tuneloop("data", "check", tmp_path / "bad.jsonl", "--openai")
    assert code == 1
    assert "line 1: it is not JSON in UTF-8" in out
