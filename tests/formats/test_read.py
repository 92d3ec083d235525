"""Files of every type, whole and damaged."""

import gzip
import io
import json
import random
import time
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.errors import NotFound, UserError
from engine.formats.content_hash import to_line
from engine.formats.files.any_file import rows_of
from engine.formats.read import ParsedFile, known_columns, read_file, understand

ROWS = [{"prompt": f"Frage {n}: grün, ja?\nA: ", "completion": f"Antwort {n}"} for n in range(12)]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def table(delimiter: str, end: str = "\n") -> str:
    lines = [["prompt", "completion"], *[[*map(quoted, row.values())] for row in ROWS]]
    return "".join(delimiter.join(line) + end for line in lines)


def parquet(rows: list[dict] = ROWS) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def workbook(*sheets: list[list]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for n, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet {n}")
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


HEAD = ["prompt", "completion"]
GOOD = {
    "jsonl": JSONL.encode(),
    "jsonl_bom": b"\xef\xbb\xbf" + JSONL.encode(),
    "jsonl_crlf": JSONL.replace("\n", "\r\n").encode(),
    "jsonl_escaped": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "jsonl_utf16": JSONL.encode("utf-16"),
    "jsonl_utf16_no_mark": JSONL.encode("utf-16-le"),
    "jsonl_cp1252": JSONL.encode("cp1252"),
    "json": json.dumps(ROWS).encode(),
    "json_indented": json.dumps(ROWS, indent=2).encode(),
    "csv": table(",").encode(),
    "csv_bom_crlf": b"\xef\xbb\xbf" + table(",", "\r\n").encode(),
    "csv_semicolon_cp1252": table(";").encode("cp1252"),
    "csv_utf16": table(",").encode("utf-16"),
    "tsv": table("\t").encode(),
    "pipes": table("|").encode(),
    "parquet": parquet(),
    "xlsx": workbook([HEAD, *[[*row.values()] for row in ROWS]]),
    "zip": zipped({"a/rows.jsonl": JSONL}),
    "zip_csv": zipped(
        {"rows.csv": table(","), "README.md": "Read me.", "__MACOSX/._rows.csv": "x"}
    ),
    "zip_gz": zipped({"rows.jsonl.gz": gzip.compress(JSONL.encode())}, zipfile.ZIP_STORED),
    "zip_two": zipped(
        {"1.jsonl": "\n".join(JSONL.split("\n")[:5]), "2.jsonl": "\n".join(JSONL.split("\n")[5:])}
    ),
    "jsonl_gz": gzip.compress(JSONL.encode()),
    "csv_gz_two_members": gzip.compress(table(",").encode()[:99])
    + gzip.compress(table(",").encode()[99:]),
}
NAMES = ["upload", "upload.txt", "upload.csv", "upload.jsonl"]


@pytest.fixture
def read(tmp_path):
    """Reads bytes or text as if they were an uploaded file."""

    def read_bytes(
        data: bytes | str, name: str = "upload", layout: str | None = None
    ) -> ParsedFile:
        path = tmp_path / "file"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return understand(rows_of(path, name, known_columns()), layout)

    return read_bytes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", GOOD)
def test_same_rows_come_out_of_every_type_whatever_its_name(read, form, name):
    parsed = read(GOOD[form], name)
    assert parsed.layout == "prompt_completion"
    found = [{"prompt": e.prompt[0].content, "completion": e.answer} for e in parsed.examples]
    assert found == ROWS
    first = 2 if form.startswith(("csv", "tsv", "pipes", "xlsx", "zip_csv")) else 1
    assert [e.source_row for e in parsed.examples] == list(range(first, first + 12))


def test_guessed_encoding_is_reported_and_a_certain_one_is_named(read):
    assert read(GOOD["jsonl_cp1252"]).encoding == "cp1252"
    assert read(GOOD["csv_utf16"]).encoding == "utf-16-le"
    assert read(GOOD["csv"]).encoding == "utf-8"


def test_paragraphs_of_a_text_file_become_texts_with_the_line_they_start_at(read):
    parsed = read("First, one.\nSecond, two.\r\n\r\n\n[Third]\n", "story.txt")
    assert [(e.text, e.source_row) for e in parsed.examples] == [
        ("First, one.\nSecond, two.", 1),
        ("[Third]", 5),
    ]


def test_table_with_one_column_is_read_as_a_table_when_it_is_named_one(read):
    parsed = read("text\nCall me Ishmael.\nYes, yes\n".replace("Yes, yes", '"Yes, yes"'), "a.csv")
    assert [e.text for e in parsed.examples] == ["Call me Ishmael.", "Yes, yes"]


def test_columns_without_a_name_and_empty_records_are_passed_over(read):
    parsed = read(",prompt,completion\n0,a,b\n\n1,c,d\n", "a.csv")
    assert [(e.answer, e.source_row) for e in parsed.examples] == [("b", 2), ("d", 4)]
    assert parsed.unused == ()


def test_columns_that_the_layout_does_not_read_are_named(read):
    assert read('{"prompt": "a", "completion": "b", "id": 1, "score": 2}').unused == ("id", "score")


def test_null_counts_as_absent(read):
    row = {"instruction": "a", "input": None, "output": "b", "response": None}
    assert read(json.dumps(row)).examples[0].answer == "b"


def test_parquet_with_turns_is_read(read):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    parsed = read(parquet([{"messages": turns, "references": ["Hello"]}]))
    assert (parsed.layout, parsed.examples[0].references) == ("messages", ("Hello",))


def test_layout_that_is_asked_for_is_used(read):
    row = '{"prompt": "a", "completion": "b", "label": true}'
    assert read(row).layout == "kto"
    assert read(row, layout="prompt_completion").kind == "sft"
    with pytest.raises(UserError, match="'nonsense'"):
        read(row, layout="nonsense")


def test_columns_of_no_layout_are_listed_with_a_guess(read):
    with pytest.raises(UserError) as caught:
        read("text,category\nMy card is lost,lost_card\nHello,greeting\n", "bank.csv")
    assert "columns found: text, category" in caught.value.problem
    assert "prompt = text, answer = category" in caught.value.fix


def test_file_without_a_guess_asks_for_a_mapping(read):
    with pytest.raises(UserError) as caught:
        read("id,worker\n1,2\n3,4\n", "a.csv")
    assert "columns found: id, worker" in caught.value.problem
    assert caught.value.fix.startswith("Map the columns, or rename them")
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize(
    "whole",
    [
        {f"row {n}": row for n, row in enumerate(ROWS)},
        {"version": "1", "data": ROWS},
        {"rows": [{"row_idx": n, "row": row} for n, row in enumerate(ROWS)], "features": []},
        {key: {str(n): row[key] for n, row in enumerate(ROWS)} for key in ROWS[0]},
    ],
    ids=["named rows", "a list inside", "the Hub's viewer", "pandas' columns"],
)
def test_object_that_holds_rows_gives_them(read, whole):
    parsed = read(json.dumps(whole))
    assert parsed.layout == "prompt_completion"
    assert [e.answer for e in parsed.examples] == [row["completion"] for row in ROWS]


def test_single_row_whose_fields_are_objects_is_not_taken_for_named_rows(read):
    turns = {"messages": [{"role": "user", "content": "Hi"}]}
    answer = {"role": "assistant", "content": "Hello"}
    row = {"input": turns, "preferred_output": answer, "non_preferred_output": answer}
    assert read(json.dumps(row)).layout == "openai_preference"


def line(n: int) -> str:
    return json.dumps(ROWS[n])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"prompt": "a", ', "not valid JSON"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("nonsense", "not valid JSON"),
        ('{"prompt": "a", "completion": "\\ud800"}', "not valid Unicode"),
        ('{"prompt": "a", "completion": "\\u0000"}', "NUL"),
        ('{"prompt": "a"}', "'completion' is missing"),
        ('{"prompt": "a", "completion": {}}', "'completion' is an object, not text"),
        ('{"prompt": "a", "completion": ' + "[" * 100_000, "nested too deeply"),
        ('{"prompt": "a", "completion": ' + "1" * 5000 + "}", "number too long"),
        (json.dumps({"prompt": "a" * 1_000_001, "completion": "b"}), "1,000,001 characters"),
    ],
)
def test_broken_line_is_left_out_with_its_number_and_reason(read, bad, reason):
    parsed = read("\n".join([line(0), line(1), bad, line(2)]))
    assert [e.source_row for e in parsed.examples] == [1, 2, 4]
    assert [broken.row for broken in parsed.broken] == [3]
    assert reason in parsed.broken[0].reason


def test_line_with_bytes_that_are_not_utf8_is_left_out_and_the_rest_is_not_garbled(read):
    parsed = read(JSONL.encode().replace("Frage 3: grün".encode(), b"Frage 3: gr\xfcn"))
    assert [broken.row for broken in parsed.broken] == [4]
    assert "grün" in parsed.examples[0].prompt[0].content


def test_broken_first_line_does_not_hide_that_the_rest_is_jsonl(read):
    parsed = read('{"prompt": \n' + JSONL)
    assert ([b.row for b in parsed.broken], len(parsed.examples)) == ([1], 12)


def test_csv_record_of_another_width_is_left_out_with_its_row(read):
    parsed = read("prompt,completion\na,b\nc\nd,e,f\ng,h\n", "a.csv")
    assert [e.answer for e in parsed.examples] == ["b", "h"]
    assert parsed.broken == [
        (3, "has 1 fields where the header has 2"),
        (4, "has 3 fields where the header has 2"),
    ]


@pytest.mark.parametrize(
    ("text", "answers", "broken"),
    [
        ('a,b\n"c,d\ne,f\n', ["b", "f"], [3]),
        ('a,b\na,"b"c\ne,f\n', ["b", "f"], [3]),
        ('a,b\n"Open,c\nplain,d\nclose",e\n', ["b", "c", "d", "e"], []),
        ('a,b\n"Open,c\nd,e"\nf,g\n', ["b", 'e"', "g"], [3]),
        ('"a, b",c\nWrite,"Red\nblue, green"\nf,g\n', ["c", "Red\nblue, green", "g"], []),
        ('Write,"Roses\nViolets\n"\nf,g\n', ["Roses\nViolets\n", "g"], []),
    ],
)
def test_csv_rows_do_not_merge_and_one_broken_row_refuses_no_file(read, text, answers, broken):
    parsed = read(f"prompt,completion\n{text}", "a.csv")
    assert [e.answer for e in parsed.examples] == answers
    assert [flaw.row for flaw in parsed.broken] == broken


def test_tsv_without_quoting_keeps_its_quotes(read):
    lines = [f"question {n}\tanswer {n}" for n in range(40)]
    odd = [
        '"Stop here" is a sign, what colour?\tred',
        'What is 5\' 10" in words?\t"five foot ten" is what people say',
        '"Open\ta shop sign',
        "plain\tanswer",
    ]
    parsed = read("\n".join(["question\tanswer", *lines[:20], *odd, *lines[20:]]), "a.tsv")
    assert (len(parsed.examples), parsed.broken) == (44, [])
    assert [f"{e.prompt[0].content}\t{e.answer}" for e in parsed.examples[20:24]] == odd
    assert "quotes kept" in parsed.notes[0]


def test_tsv_with_quoting_loses_its_quotes(read):
    parsed = read('question\tanswer\n"a ""b"""\t"c"\nd\te\n"f" g\th\n', "a.tsv")
    assert [e.answer for e in parsed.examples] == ["c", "e"]
    assert [flaw.row for flaw in parsed.broken] == [4]


def test_open_quotes_cost_no_quadratic_time(read):
    body = 'x,"y\n' + 'a,"b""\n' * 50_000
    before = time.process_time()
    with pytest.raises(UserError, match="rows cannot be read"):
        read(f"prompt,completion\n{body}", "a.csv")
    assert time.process_time() - before < 20


BAD = {
    "empty": (b"", "empty"),
    "blank": (b" \r\n\n", "empty"),
    "only a mark": (b"\xef\xbb\xbf", "empty"),
    "header only": (b"prompt,completion\n", "no rows"),
    "empty array": (b"[]", "no rows"),
    "SQuAD": (b'{"data": [{"paragraphs": []}], "version": "1"}', "columns found: paragraphs"),
    "cut array": (json.dumps(ROWS, indent=1).encode()[:-30], r"breaks off in line \d+"),
    "wrong array": (b'[{"prompt": "a",\n "completion" "b"}]', "Line 2 is not valid JSON"),
    "one cut line": (b'{"prompt": "a", "compl', "breaks off in line 1"),
    "mostly broken": ((line(0) + "\n{\n{\n").encode(), "2 of 3 rows cannot be read; row 2"),
    "NUL": (JSONL.encode().replace(b"Antwort 2", b"Antw\0rt 2"), "Line 3 holds a NUL byte"),
    "binary": (bytes(range(1, 32)) * 50, "binary"),
    "random": (random.Random(0).randbytes(5000), "NUL|binary|not text"),
    "zip": (b"PK\x03\x04rest", "ZIP archive is damaged"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "Shift-JIS": ("質問,答え\n".encode("shift-jis") * 9, "not text in UTF-8 or Windows-1252"),
    "odd UTF-16": (JSONL.encode("utf-16")[:-1], "not text in UTF-16"),
    "cut gzip": (gzip.compress(JSONL.encode())[:-20], "gzip file is (incomplete|damaged)"),
    "Parquet of 4 bytes": (b"PAR1", "Parquet file is"),
    "open quote": (b'prompt,completion\n"c,d\n', r"1 of 1 .*row 2: .*never ends"),
    "huge field": (b"prompt,completion\na," + b"b" * 1_000_001, r"row 2: .* over 1,000,000"),
    "stray quote": (b'prompt,completion\na,"b"c\n', "row 2: .*not valid CSV"),
    "column twice": (b"prompt,prompt,completion\na,b,c\n", "'prompt' twice"),
}


@pytest.mark.parametrize("case", BAD)
def test_file_that_cannot_be_read_says_why_and_what_to_do(read, case):
    data, problem = BAD[case]
    with pytest.raises(UserError, match=problem) as caught:
        read(data)
    assert caught.value.problem.endswith(".")
    assert caught.value.fix.endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.jsonl", "Line 1 is not JSON"),
        ("a.json.gz", "is not JSON"),
        ("a.parquet", "but is not a Parquet file"),
    ],
)
def test_file_name_that_contradicts_the_content_is_reported(read, name, problem):
    with pytest.raises(UserError, match=problem):
        read("Call me Ishmael.", name)


def test_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="gone"):
        read_file(tmp_path / "gone.csv", "gone.csv")


def test_packed_bomb_is_refused_before_it_is_unpacked(read, monkeypatch):
    monkeypatch.setattr("engine.formats.files.any_file.MAX_FILE", 10_000)
    with pytest.raises(UserError, match="larger than"):
        read(gzip.compress(b"a" * 5_000_000))


def test_truncated_parquet_file_is_called_incomplete(read):
    whole = parquet()
    for end in range(4, len(whole), len(whole) // 60):
        with pytest.raises(UserError, match=r"The Parquet file is (incomplete|damaged)"):
            read(whole[:end])


def outcome(read, data: bytes, name: str) -> str:
    """The layout that was read, or what the person is told to do: both can be stored as UTF-8."""
    try:
        parsed = read(data, name)
    except UserError as error:
        str(error).encode()
        return error.fix
    for each in parsed.examples:
        to_line(each)
    return parsed.layout


@pytest.mark.parametrize("form", GOOD)
def test_flipped_bytes_never_raise_anything_but_a_user_error(read, form):
    for seed in range(60):
        rng = random.Random(seed)
        damaged = bytearray(GOOD[form])
        for _ in range(rng.choice([1, 3, 20])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        assert outcome(read, bytes(damaged), rng.choice(NAMES))


@pytest.mark.parametrize("form", GOOD)
def test_file_cut_anywhere_is_read_in_part_or_refused(read, form):
    whole = GOOD[form]
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        assert outcome(read, whole[:end], "upload")
