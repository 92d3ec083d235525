"""Small files that people have, and what is right to make of each."""

import io
import json

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import plugins
from engine.checks.run import findings
from engine.core.column_mapping import mapping_of
from engine.core.errors import UserError
from engine.core.parsed_file import ParsedFile
from engine.formats.mapping_guess import guess
from engine.formats.read import load, read_file, understand
from engine.services.data.datasets import stem

TURNS = [
    [
        {"role": "user", "content": f"Where is shop {n}?"},
        {"role": "assistant", "content": f"On street {n}."},
    ]
    for n in range(12)
]
NUMBERS = [0, "2", 4.0, True, 10**25, 0.1 + 0.2]
AS_TEXT = ["0", "2", "4.0", "true", "1" + "0" * 25, "0.30000000000000004"]


@pytest.fixture
def given(tmp_path):
    """Writes rows as JSON lines, or text or bytes as they are, and gives the path."""

    def write(rows, name: str = "rows.jsonl"):
        path = tmp_path / name
        if isinstance(rows, list):
            rows = "\n".join(json.dumps(row) for row in rows)
        path.write_bytes(rows.encode() if isinstance(rows, str) else rows)
        return path

    return write


def read(path, **how) -> ParsedFile:
    return read_file(path, path.name, **how)


def guessed(path) -> ParsedFile:
    """The file through the mapping that its columns suggest."""
    loaded = load(path, path.name)
    mapping = guess([row for _, row in loaded.rows])
    assert mapping
    return understand(loaded, mapping=mapping)


@pytest.mark.parametrize(
    "rejected",
    ["No idea.", ["No idea."], [{"role": "assistant", "content": "No idea."}]],
)
def test_rejected_response_beside_messages_makes_pairs(given, rejected):
    rows = [{"messages": turns, "rejected_response": rejected} for turns in TURNS]
    parsed = read(given(rows))
    assert (parsed.kind, len(parsed.examples), parsed.broken) == ("preference", 12, [])
    one = parsed.examples[3]
    assert (one.prompt[0].content, one.chosen) == ("Where is shop 3?", "On street 3.")
    assert one.rejected == "No idea."


def test_several_rejected_responses_make_several_pairs_of_one_group(given):
    rows = [{"messages": turns, "rejected_response": ["No.", "Never."]} for turns in TURNS]
    pairs = read(given(rows)).examples
    assert [pair.rejected for pair in pairs[:2]] == ["No.", "Never."]
    assert pairs[0].group == pairs[1].group != pairs[2].group


def test_query_response_and_rejected_response_make_pairs(given):
    rows = [
        {"query": f"q {n}", "response": f"good {n}", "rejected_response": f"bad {n}"}
        for n in range(12)
    ]
    parsed = read(given(rows))
    assert parsed.kind == "preference"
    assert (parsed.examples[1].chosen, parsed.examples[1].rejected) == ("good 1", "bad 1")


def test_rejected_messages_answer_the_same_conversation(given):
    bad = [[turns[0], {"role": "assistant", "content": "No."}] for turns in TURNS]
    rows = [{"messages": m, "rejected_messages": b} for m, b in zip(TURNS, bad, strict=True)]
    assert [pair.rejected for pair in read(given(rows)).examples] == ["No."] * 12
    rows[2]["rejected_messages"] = bad[3]
    assert [flaw.row for flaw in read(given(rows)).broken] == [3]


@pytest.mark.parametrize("names", [("chosen_chat", "rejected_chat"), ("better", "worse")])
def test_whole_chats_as_chosen_and_rejected_need_no_prompt_column(given, names):
    bad = [[turns[0], {"role": "assistant", "content": "No. " * 20}] for turns in TURNS]
    rows = [dict(zip(names, pair, strict=True)) for pair in zip(TURNS, bad, strict=True)]
    parsed = guessed(given(rows))
    assert (parsed.kind, len(parsed.examples)) == ("preference", 12)
    assert parsed.examples[0].chosen == "On street 0."
    assert [turn.content for turn in parsed.examples[0].prompt] == ["Where is shop 0?"]


@pytest.mark.parametrize(
    "names",
    [
        ("ask", "reply", "rejected_reply"),
        ("question", "answer", "worse"),
        ("question", "x", "dispreferred_answer"),
    ],
)
def test_guessed_mapping_never_trains_on_rejected_answers(names):
    rows = [
        dict(zip(names, (f"q {n}", f"good {n}", f"bad {n} and long"), strict=True))
        for n in range(9)
    ]
    found = guess(rows)
    taught = [found.columns.get(role) for role in ("answer", "chosen", "prompt", "text")]
    assert names[2] not in taught


@pytest.mark.parametrize("name", ["attribution", "licence", "license", "source", "url"])
def test_guess_passes_over_the_column_that_says_where_rows_come_from(name):
    long = "https://example.org/a/long/address/of/sentence/" if name == "url" else "CC-BY 2.0 of "
    rows = [{"en": f"number {n}", "fr": f"nombre {n}", name: f"{long}{n}"} for n in range(30)]
    assert guess(rows).columns == {"prompt": "en", "answer": "fr"}


def test_numbers_are_read_as_their_text_and_counted_once(given):
    rows = [{"prompt": f"What is {n}?", "completion": value} for n, value in enumerate(NUMBERS)]
    parsed = read(given(rows))
    assert [e.answer for e in parsed.examples] == AS_TEXT
    assert [note for note in parsed.notes if "5 rows" in note] == list(parsed.notes)
    lines = "\n".join(f'What is {n}?,"{text}"' for n, text in enumerate(AS_TEXT))
    table = read(given("prompt,completion\n" + lines, "rows.csv"))
    assert [e.answer for e in table.examples] == AS_TEXT


def test_numbers_keep_the_digits_that_the_file_writes(given):
    lines = [f'{{"prompt": "p", "completion": {text}}}' for text in ("1.10", "1e3", "-0.50")]
    assert [e.answer for e in read(given("\n".join(lines))).examples] == ["1.10", "1e3", "-0.50"]


def test_numbers_dates_and_booleans_of_parquet_are_texts(given):
    import datetime

    out = io.BytesIO()
    for values, texts in (
        ([1, 2, None], ["1", "2"]),
        ([True, False, True], ["true", "false", "true"]),
        ([datetime.date(2026, 11, n) for n in (1, 2, 3)], ["2026-11-01", "2026-11-02",
                                                           "2026-11-03"]),
    ):  # fmt: skip
        out = io.BytesIO()
        pq.write_table(pa.table({"prompt": ["a", "b", "c"], "completion": values}), out)
        parsed = read(given(out.getvalue(), "rows.parquet"))
        assert [e.answer for e in parsed.examples] == texts


def test_days_of_a_workbook_are_written_as_other_files_write_them(given):
    import datetime

    book, out = openpyxl.Workbook(), io.BytesIO()
    day, moment = datetime.date(2026, 11, 3), datetime.datetime(2026, 11, 3, 12, 30)
    for row in (["prompt", "completion"], ["a", day], ["b", moment], ["c", moment.replace(hour=0)]):
        book.active.append(row)
    midnight = datetime.datetime(2026, 11, 3)
    book.active.append(["d", midnight])
    book.active.cell(5, 2).number_format = "dd.mm.yyyy"
    book.save(out)
    assert [e.answer for e in read(given(out.getvalue(), "rows.xlsx")).examples] == [
        "2026-11-03", "2026-11-03 12:30:00", "2026-11-03 00:30:00", "2026-11-03",
    ]  # fmt: skip


def test_exchanges_of_human_and_assistant_are_turns(given):
    exchanges = [{"human": "One?", "assistant": "1"}, {"human": "Two?", "assistant": "2"}]
    rows = [{"system": "Be short.", "conversation": exchanges} for _ in range(3)]
    parsed = read(given(rows))
    assert (parsed.layout, parsed.kind) == ("exchanges", "sft")
    assert [turn.content for turn in parsed.examples[0].messages] == [
        "Be short.", "One?", "1", "Two?", "2",
    ]  # fmt: skip
    rows[1] = {"conversation": [exchanges[0], {"human": "Two?"}]}
    assert [(flaw.row, flaw.reason) for flaw in read(given(rows)).broken] == [
        (2, "'assistant' is missing")
    ]


def test_history_becomes_earlier_turns(given):
    rows = [
        {"query": f"And {n}?", "response": "It is.", "history": [["First?", "On day 1."]]}
        for n in range(12)
    ]
    chats = read(given(json.dumps(rows), "rows.json")).examples
    assert [turn.content for turn in chats[2].messages] == [
        "First?", "On day 1.", "And 2?", "It is.",
    ]  # fmt: skip


def test_threads_by_parent_ids_are_conversations_under_any_names(given):
    rows = []
    for n in range(12):
        asked = {"post": f"q{n}", "reply_to": None, "author_role": "prompter", "text": f"{n}+{n}?"}
        answer = {
            "post": f"a{n}",
            "reply_to": f"q{n}",
            "author_role": "assistant",
            "text": str(2 * n),
        }
        rows += [asked, answer]
    parsed = read(given(json.dumps(rows), "rows.json"))
    assert (len(parsed.examples), parsed.broken, parsed.unused) == (12, [], ())
    assert [turn.content for turn in parsed.examples[4].messages] == ["4+4?", "8"]


def test_rows_with_pictures_are_left_out_with_a_count_in_every_layout(given):
    seen = [{"messages": turns, "images": [f"{n}.jpg"]} for n, turns in enumerate(TURNS)]
    with pytest.raises(UserError, match=r"12 of 12 rows .* holds an image in 'images'"):
        read(given(seen))
    mixed = [{"messages": turns} for turns in TURNS] + seen[:2]
    assert [flaw.row for flaw in read(given(mixed)).broken] == [13, 14]
    asked = [{"question": "What is it?", "answer": "A cup", "audio": {"path": "a.wav"}}]
    with pytest.raises(UserError, match="holds a sound in 'audio'"):
        read(given(asked * 3))


def test_typed_parts_are_read_or_named_with_their_turn(given):
    def said(*parts):
        return [{"role": "user", "content": list(parts)}, TURNS[0][1]]

    good = [{"type": "text", "text": "a"}, {"type": "text", "value": "b"}]
    rows = [{"messages": said(*good)}] * 3
    rows.append({"messages": said({"type": "reasoning", "summary": []})})
    rows.append({"messages": said({"type": "text", "text": None})})
    parsed = read(given(rows))
    assert parsed.examples[0].prompt[0].content == "ab"
    assert [flaw.reason for flaw in parsed.broken] == [
        "turn 1 of 'messages' has part 1 of type 'reasoning'; only text can be learned",
        "turn 1 of 'messages' has part 1 of type 'text' whose text is empty",
    ]


def test_chat_that_ends_with_the_user_is_cut_after_its_last_answer(given):
    thanks = {"role": "user", "content": "thanks"}
    rows = [{"messages": [*turns, thanks] if n < 2 else turns} for n, turns in enumerate(TURNS)]
    parsed = read(given(rows))
    (found,) = [one for one in findings(parsed) if one.id == "unanswered"]
    assert (found.count, found.rows, found.severity) == (2, (1, 2), "warning")
    assert [e.answer for e in parsed.examples[:3]] == [f"On street {n}." for n in range(3)]
    fixed = plugins.load("fixes", found.fix_id)(parsed.examples)
    assert [len(chat.messages) for chat in fixed] == [2] * 12
    assert not [one for one in findings(parsed._replace(examples=fixed)) if one.id == "unanswered"]


@pytest.mark.parametrize("lines", [False, True])
def test_arrays_of_pairs_are_read_with_columns_called_by_their_numbers(given, lines):
    pairs = [[f"turn the light {('on', 'off')[n % 2]} in {n}", f"l_{n % 2}"] for n in range(30)]
    text = "\n".join(map(json.dumps, pairs)) if lines else json.dumps(pairs)
    parsed = guessed(given(text, "pairs.json"))
    assert (len(parsed.examples), parsed.examples[1].answer) == (30, "l_1")
    with pytest.raises(UserError, match="prompt = 1, answer = 2"):
        read(given(text, "pairs.json"))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("faq.v1.2026.jsonl", "faq.v1.2026"),
        ("faq.v2.2026.jsonl", "faq.v2.2026"),
        ("rows.csv.gz", "rows"),
        (".jsonl", "data"),
        ("v1.5", "v1.5"),
    ],
)
def test_dataset_keeps_the_dots_of_its_name(file, name):
    assert stem(file) == name


def test_refusals_are_short(given):
    wide = [{f"column_{n}_" + "x" * 80: str(n) for n in range(50)} for _ in range(3)]
    for rows in (wide, [{"prompt": {"a" * 500: 1}, "completion": "b"}] * 3):
        with pytest.raises(UserError) as caught:
            read(given(rows))
        assert len(str(caught.value)) <= 300


BY_NUMBER = {"prompt": "1", "answer": "2"}


@pytest.mark.parametrize("columns", [BY_NUMBER, {"prompt": "Question 0", "answer": "answer 0"}])
def test_file_without_header_keeps_its_first_row(given, columns):
    text = "\n".join(f"Question {n}\tanswer {n}" for n in range(40))
    path = given(text, "rows.tsv")
    parsed = read(path, mapping=mapping_of(columns, header=False))
    assert [e.source_row for e in parsed.examples] == list(range(1, 41))
    first = parsed.examples[0]
    assert (first.prompt[0].content, first.answer) == ("Question 0", "answer 0")
    large = given(text + "\n" + "\n".join(f"q {n} {'x' * 90}\ta" for n in range(4000)), "l.tsv")
    assert read(large, mapping=mapping_of(BY_NUMBER, header=False)).examples[0] == first
    with pytest.raises(UserError, match="no header to read"):
        read(given([{"1": "a", "2": "b"}]), mapping=mapping_of(BY_NUMBER, header=False))


def test_no_header_and_map_work_in_every_command(tuneloop, given):
    path = given("\n".join(f"Question {n}\tanswer {n}" for n in range(40)), "faq.v1.tsv")
    said = ("--no-header", "--map", "prompt=1", "--map", "answer=2", "--json")
    code, out, _ = tuneloop("data", "check", path, *said)
    assert (code, json.loads(out)["rows"]) == (0, 40)
    code, out, _ = tuneloop("data", "add", path, *said)
    kept = json.loads(out)
    assert (code, kept["name"], kept["rows"]) == (0, "faq.v1", 40)
    assert kept["origin"]["mapping"]["header"] is False
    code, _, err = tuneloop("data", "check", path, "--no-header")
    assert (code, "needs --map" in " ".join(err.split())) == (2, True)
