"""Files that are damaged, hostile or odd: nothing of a refused file is kept, whatever it is."""

import gzip
import io
import json
import random
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.data import datasets
from tests import helpers

ROWS = [{"prompt": f"question {n}?", "completion": f"grün {n}"} for n in range(20)]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), buffer)
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.jsonl", b" " * 20_000_000)
    return buffer.getvalue()


REFUSED = {
    "empty.jsonl": b"",
    "nul.jsonl": JSONL.replace(b"question 7", b"question\0 7"),
    "cut.parquet": parquet()[:-200],
    "flipped.parquet": bytes(b ^ (255 * (n % 97 == 5)) for n, b in enumerate(parquet())),
    "cut.jsonl.gz": gzip.compress(JSONL)[:-30],
    "bomb.zip": bomb(),
    "line.jsonl": b'{"prompt": "' + b"a" * 10_000_000 + b'", "completion": "b"}',
    "line.txt": b"a" * 10_000_000,
    "half.jsonl": JSONL[: len(JSONL) // 2].replace(b"}", b""),
    "noise.csv": random.Random(4).randbytes(400_000),
    "deep.json": b'{"data": ' + b"[" * 200_000,
    "utf16.csv": "prompt,completion\na,b\n".encode("utf-16")[:-1],
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_file_leaves_nothing_behind(ws, tmp_path, name):
    project = helpers.project(ws)
    path = tmp_path / name
    path.write_bytes(REFUSED[name])
    with pytest.raises(UserError) as caught:
        datasets.add(ws, LOCAL, project.id, path, name)
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert datasets.list_all(ws, LOCAL, project.id) == []
    assert not [one for one in ws.files.rglob("*") if one.is_file()]


# name -> bytes, and the rows that are left out
ODD = {
    "bom.jsonl": (b"\xef\xbb\xbf" + JSONL, []),
    "utf16.jsonl": (JSONL.decode().encode("utf-16"), []),
    "cp1252.jsonl": (JSONL.decode().encode("cp1252"), []),
    "surrogate.jsonl": (JSONL + b'{"prompt": "\\ud800", "completion": "x"}\n', [21]),
    "long.jsonl": (JSONL + b'{"prompt": "' + b"a" * 10_000_000 + b'", "completion": "x"}', [21]),
    "cut.jsonl": (JSONL + b'{"prompt": "question 2', [21]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_file_is_read_and_its_broken_rows_are_numbered(ws, tmp_path, name):
    data, left_out = ODD[name]
    path = tmp_path / name
    path.write_bytes(data)
    found = helpers.previewed(ws, path)
    assert found.rows == 20
    assert found.examples[0].answer == "grün 0"
    assert [
        row for one in found.findings if one.id == "broken_rows" for row in one.rows
    ] == left_out


def test_parquet_file_cut_anywhere_is_refused(ws, tmp_path):
    whole = parquet()
    path = tmp_path / "cut.parquet"
    for end in (4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"The Parquet file is (incomplete|damaged)"):
            helpers.previewed(ws, path)
