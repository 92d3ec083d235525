"""Sheets, train and test files, files without an ending: read as the person who has them means."""

import gzip
import io
import json

import openpyxl
import pytest

from engine.core.column_mapping import mapping_of
from engine.core.errors import UserError
from engine.formats.files.any_file import rows_in
from engine.formats.files.split_names import sides_of
from engine.formats.read import known_columns, read_file, understand
from tests.formats.test_containers import HEAD, LINE, workbook, zipped


def rows(data, name="upload", sheet=None):
    return rows_in(data, name, known_columns(), sheet)


def lines(start, number):
    return "\n".join(
        json.dumps({"prompt": f"question {n * 7919}", "completion": f"answer {n}"})
        for n in range(start, start + number)
    )


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        (("train.jsonl", "test.jsonl"), ["train", "held_out"]),
        (
            ("data/train-00000-of-00002.parquet", "data/validation-0.parquet", "data/test.parquet"),
            ["train", "held_out", "held_out"],
        ),
        (("faq_training.csv", "faq.held-out.csv"), ["train", "held_out"]),
        (("a.jsonl", "test.jsonl"), None),
        (("train1.jsonl", "train2.jsonl"), None),
        (("test.jsonl", "val.jsonl"), None),
        (("contest.jsonl", "training.jsonl"), None),
        (("train/test.jsonl", "train/train.jsonl"), None),
    ],
)
def test_sides_are_those_that_every_name_says(names, sides):
    assert sides_of(names) == sides


def test_rows_of_an_archive_know_where_each_side_begins():
    found = rows(zipped(("train.jsonl", LINE * 3), ("test.jsonl", LINE * 2)))
    assert found.sides == ((1, "train"), (4, "held_out"))
    assert rows(zipped(("a.jsonl", LINE), ("b.jsonl", LINE))).sides == ()


@pytest.mark.parametrize("name", ["Notes", " notes "])
def test_sheet_of_a_workbook_is_chosen_by_its_name(name):
    book = workbook(Data=[HEAD, ["a", "b"]], Notes=[["text"], ["hello"]])
    found = rows(book, sheet=name)
    assert found.rows == [(2, {"text": "hello"})]
    assert found.sheets == ("Data", "Notes")
    assert found.notes == ("Only the sheet 'Notes' was read, not 'Data'.",)


def test_sheet_that_is_not_there_is_refused_with_those_that_are():
    book = workbook(Data=[HEAD, ["a", "b"]], Empty=[])
    with pytest.raises(UserError, match=r"no filled sheet 'Empty'\. It has 'Data'"):
        rows(book, sheet="Empty")
    with pytest.raises(UserError, match="no Excel workbook"):
        rows(LINE.encode(), "rows.jsonl", sheet="Data")


def test_sheet_passes_through_the_process_that_reads(tmp_path):
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook(Notes=[["x"], ["y"]], Data=[HEAD, ["a", "b"]]))
    parsed = read_file(path, path.name, sheet="data")
    assert [example.answer for example in parsed.examples] == ["b"]


@pytest.mark.parametrize("inner", ["rows.csv", None])
def test_gz_without_an_ending_is_read_by_its_stored_name_or_its_content(inner):
    text = "\n".join(f"turn the light on in {n},light" for n in range(5)).encode()
    out = io.BytesIO()
    with gzip.GzipFile(filename=inner or "", fileobj=out, mode="wb", mtime=0) as file:
        file.write(text)
    for name in ("download.gz", "download"):
        found = rows(out.getvalue(), name)
        assert len(found.rows) == 4
        assert found.headers[0].cells == ("turn the light on in 0", "light")


def test_archive_entries_without_an_ending_are_read_by_their_content():
    found = rows(zipped(("data/part-0", LINE * 2), ("LICENSE", "Do as you like."), ("a.md", "x")))
    assert len(found.rows) == 2
    assert found.notes == ("Of the archive 2 entries are no data files: not read.",)
    beside = rows(zipped(("rows.jsonl", LINE), ("part-0", LINE)))
    assert len(beside.rows) == 1


def test_text_without_an_ending_stays_text():
    found = rows(b"One, two, and three.\n\nFour.", "story")
    assert [row["text"] for _, row in found.rows] == ["One, two, and three.", "Four."]


def test_tables_without_header_in_an_archive_keep_their_first_rows():
    def part(start):
        return "\n".join(f"question {n}\tanswer {n}" for n in range(start, start + 10))

    archive = zipped(("train.tsv", part(0)), ("test.tsv", part(10)))
    found = rows(archive)
    assert [first.row for first in found.headers] == [1, 11]
    columns = {"prompt": "1", "answer": "2"}
    parsed = understand(found, mapping=mapping_of(columns, header=False))
    assert [e.answer for e in parsed.examples] == [f"answer {n}" for n in range(20)]
    assert [e.source_row for e in parsed.examples] == list(range(1, 21))
    by_cell = mapping_of({"prompt": "Question 0", "answer": "answer 0"}, header=False)
    assert understand(rows(archive), mapping=by_cell).examples == parsed.examples


ODD = [
    "../../../etc/x.jsonl",
    "C:\\x.jsonl",
    "a\x1b[31m\n.jsonl",
    "\u202egnp.jsonl",
    "ß/ü 🙂.jsonl",
    "/abs/x.jsonl",
]


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_odd_name_of_an_entry_is_spoken_of_in_printable_characters(name):
    found = rows(zipped((name, LINE + "{oops\n")))
    assert len(found.rows) == 1
    told = [found.broken[0].reason, *(shown for shown, _ in found.parts)]
    assert all(text.isprintable() for text in told)
    with pytest.raises(UserError) as caught:
        rows(zipped((name, b"%PDF-1.7")))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


def test_entries_of_one_name_are_told_apart():
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped(("a/x.jsonl", LINE), ("b/x.jsonl", LINE), ("b/x.jsonl", LINE))
    assert [name for name, _ in rows(archive).parts] == ["a/x.jsonl", "b/x.jsonl", "b/x.jsonl (2)"]


def test_entries_of_one_name_and_two_layouts_are_not_mixed():
    other = '{"instruction": "a", "output": "b"}'
    with pytest.raises(UserError, match=r"such as a/x\.jsonl and b/x\.jsonl"):
        understand(rows(zipped(("a/x.jsonl", LINE), ("b/x.jsonl", other))))


def test_workbook_of_one_sheet_offers_no_choice():
    book = openpyxl.Workbook()
    book.active.append(HEAD)
    book.active.append(["a", "b"])
    out = io.BytesIO()
    book.save(out)
    assert rows(out.getvalue()).notes == ()
