"""Workbooks and archives: what is read of them, and what is refused before it does harm."""

import io
import stat
import struct
import zipfile

import openpyxl
import pytest

from engine.core.errors import UserError
from engine.formats.files.any_file import rows_in
from engine.formats.read import known_columns, understand

HEAD = ["prompt", "completion"]
LINE = '{"prompt": "a", "completion": "b"}\n'


def rows(data: bytes, name: str = "upload"):
    return rows_in(data, name, known_columns())


def workbook(**sheets: list[list]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, cells in sheets.items():
        sheet = book.create_sheet(title)
        for row in cells:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def zipped(*files: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(UserError) as caught:
        rows(data)
    assert caught.value.fix
    return caught.value.problem


def test_first_sheet_with_content_is_read_and_the_others_are_named():
    found = rows(workbook(Empty=[], Data=[HEAD, ["a", "b"]], Notes=[["hello"]]))
    assert found.rows == [(2, {"prompt": "a", "completion": "b"})]
    assert found.notes == ("Only the first sheet 'Data' was read, not 'Notes'.",)


def test_cells_become_texts_and_rows_keep_their_numbers():
    found = rows(workbook(Data=[["Prompt ", "completion", None], [1, 2.5], [], [True, "b", "x"]]))
    assert found.rows == [
        (2, {"prompt": "1", "completion": "2.5"}),
        (4, {"prompt": "true", "completion": "b"}),
    ]


def test_formula_is_never_calculated():
    found = rows(workbook(Data=[HEAD, ["a", '=HYPERLINK("http://x.test")'], ["c", "d"]]))
    assert found.rows[0] == (2, {"prompt": "a", "completion": ""})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (workbook(Empty=[]), "workbook is empty"),
        (workbook(Data=[["a", "a"], ["x", "y"]]), "names the column 'a' twice"),
        (zipped(("xl/workbook.xml", "<broken")), "workbook is damaged"),
        (zipped(("word/document.xml", "x"), ("[Content_Types].xml", "x")), "an Office document"),
        (zipped(("picture.png", b"x")), "holds no data file"),
        (zipped(("a.zip", zipped(("a.jsonl", LINE)))), "holds no data file"),
        (zipped(("a.csv", zipped(("a.jsonl", LINE)))), "In a.csv: It is an archive itself"),
        (zipped(("a.csv", b"%PDF-1.7")), "In a.csv: The file is a PDF"),
        (zipped(*((f"{n}.jsonl", LINE) for n in range(1001))), "has 1,001 entries"),
        (zipped(("a.jsonl", b" " * 5_000_000)), "unpacks to 5,000,000 bytes from"),
        (zipped(("a.jsonl", LINE), method=zipfile.ZIP_LZMA), "packed in a way"),
        (zipped(("a.jsonl", LINE))[:-10], "damaged"),
    ],
)
def test_container_that_is_not_read_says_why(data, problem):
    assert problem in refusal(data)


def test_name_that_points_out_of_the_archive_is_a_name_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = rows(zipped(("../../etc/evil.jsonl", LINE), ("/abs.jsonl", LINE)))
    assert len(found.rows) == 2
    assert list(tmp_path.iterdir()) == []
    assert found.parts == (("evil.jsonl", 1), ("abs.jsonl", 1))


def test_link_is_refused():
    entry = zipfile.ZipInfo("a.jsonl")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "holds a link" in refusal(buffer.getvalue())


def central(data: bytes) -> int:
    """Where the list of entries of an archive begins."""
    return data.index(b"PK\x01\x02")


def test_encrypted_archive_is_refused():
    data = bytearray(zipped(("a.jsonl", LINE)))
    data[central(data) + 8] |= 1
    assert "encrypted" in refusal(bytes(data))


def test_entries_that_share_their_bytes_are_refused():
    data = bytearray(zipped(("a.jsonl", LINE), ("b.jsonl", LINE)))
    second = data.index(b"PK\x01\x02", central(data) + 4)
    struct.pack_into("<I", data, second + 42, 0)  # both begin where the first does
    assert "overlap" in refusal(bytes(data))


def test_entry_that_is_larger_than_it_says_is_not_read_on(monkeypatch):
    data = bytearray(zipped(("a.jsonl", LINE * 100)))
    struct.pack_into("<I", data, central(data) + 24, len(LINE))  # the size unpacked, a lie
    assert "damaged" in refusal(bytes(data))


def test_files_that_unpack_to_more_than_the_budget_together_are_refused(monkeypatch):
    monkeypatch.setattr("engine.formats.files.archive.MAX_FILE", 1000)
    assert "unpacks to more than" in refusal(zipped(("a.jsonl", LINE * 20), ("b.jsonl", LINE * 20)))


def test_rows_count_on_through_the_files_of_an_archive():
    found = rows(zipped(("a.jsonl", LINE * 3), ("b.jsonl", "{oops\n" + LINE), ("LICENSE.txt", "x")))
    assert [number for number, _ in found.rows] == [1, 2, 3, 5]
    assert [flaw.row for flaw in found.broken] == [4]
    assert "(in b.jsonl)" in found.broken[0].reason
    assert found.notes == ("Of the archive 1 entry is no data file: not read.",)


def test_files_of_different_layouts_are_not_mixed():
    other = '{"instruction": "a", "output": "b"}'
    found = rows(zipped(("a.jsonl", LINE), ("b.jsonl", other)))
    with pytest.raises(UserError, match=r"different layouts, such as a\.jsonl and b\.jsonl"):
        understand(found)


def test_archive_of_texts_is_read_as_text():
    parsed = understand(rows(zipped(("a.txt", "One.\n\nTwo."), ("b.txt", "Three."))))
    assert [example.text for example in parsed.examples] == ["One.", "Two.", "Three."]
