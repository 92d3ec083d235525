"""Whatever a file holds, a refusal is short, printable and says what to do."""

import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.core.parsed_file import ParsedFile
from engine.formats.files.any_file import rows_in
from engine.formats.read import known_columns, understand
from tests.formats.test_containers import workbook

LONGEST = 300
NAMES = ("rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "rows.txt", "rows.parquet", "rows.gz",
         "rows", "rows.zip")  # fmt: skip
KEYS = ("messages", "prompt", "completion", "chosen", "rejected", "role", "content", "label",
        "text", "conversations", "from", "value", "instruction", "input", "output", "tool_calls",
        "x" * 400)  # fmt: skip
LONG = st.sampled_from(["", "a", "ü" * 2000, "x\u202ey", "[INST]" * 90, "\x1b[31m"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | LONG
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
# zipfile itself cuts a name at a NUL
NAME = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=300)
ROWS = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), min_size=1, max_size=4)


def outcome(data: bytes, name: str) -> ParsedFile | UserError:
    """What a file gives, read as every entry point does."""
    try:
        return understand(rows_in(data, name, known_columns()))
    except UserError as error:
        return error


def read(data: bytes, name: str) -> None:
    """Read a file; a refusal must keep to its form."""
    found = outcome(data, name)
    if isinstance(found, UserError):
        assert len(str(found)) <= LONGEST, str(found)
        assert found.fix
        return
    for flaw in found.broken:
        assert flaw.row > 0
        assert len(flaw.reason) <= LONGEST, flaw.reason


@settings(max_examples=150)
@given(rows=ROWS, array=st.booleans())
def test_refusal_of_json_is_short(rows, array):
    text = json.dumps(rows) if array else "\n".join(map(json.dumps, rows))
    read(text.encode(), "rows.json" if array else "rows.jsonl")


@settings(max_examples=100)
@given(data=st.binary(max_size=300), name=st.sampled_from(NAMES))
def test_refusal_of_bytes_is_short(data, name):
    read(data, name)


@settings(max_examples=100)
@given(
    text=st.text(st.sampled_from('a,"\t;|\n\r x' + "ü\u2028"), max_size=300),
    name=st.sampled_from(NAMES),
)
def test_refusal_of_a_table_is_short(text, name):
    read(text.encode(), name)


@settings(max_examples=30)
@given(cells=st.lists(st.lists(st.sampled_from(KEYS), max_size=4), max_size=4))
def test_refusal_of_a_workbook_is_short(cells):
    read(workbook(Data=cells), "rows.xlsx")


@settings(max_examples=60)
@given(name=NAME, data=st.sampled_from([b"%PDF", b"", b"{oops", b"a"]))
def test_refusal_of_an_archive_is_short_and_printable(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        try:
            archive.writestr(name.encode(errors="replace").decode() + ".jsonl", data)
        except (ValueError, UnicodeEncodeError):
            return
    with pytest.raises(UserError) as caught:
        understand(rows_in(out.getvalue(), "rows.zip", known_columns()))
    assert len(str(caught.value)) <= LONGEST
    assert str(caught.value).isprintable()


ANSWER = {"role": "assistant", "content": "b"}
ROLE = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "x" * 500}]}


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (
            {"messages": [ROLE, {"role": "assistant", "content": "b"}]},
            "turn 1 of 'messages' has part 2",
        ),
        ({"messages": [{"role": "r" * 500, "content": "a"}]}, "turn 1 of 'messages'"),
        ({"prompt": {"k" * 500: 1}, "completion": "b"}, "'prompt'"),
    ],
    ids=["part", "role", "column"],
)
def test_refusal_names_row_turn_and_part(row, named):
    lines = "\n".join([json.dumps(row)] * 3)
    with pytest.raises(UserError) as caught:
        understand(rows_in(lines.encode(), "rows.jsonl", known_columns()))
    assert "row 1" in str(caught.value)
    assert named in str(caught.value)
    assert len(str(caught.value)) <= LONGEST


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_object_without_a_field_is_refused_in_a_sentence(name):
    with pytest.raises(UserError, match="No known layout fits the columns found: none"):
        understand(rows_in(b"{}", name, known_columns()))
