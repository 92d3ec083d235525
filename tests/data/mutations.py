"""Files of every kind that is uploaded, and seeded damage to them."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook

ROWS = [{"prompt": f"question {n}?", "completion": f"grün {n}"} for n in range(12)]
CHATS = [
    {"messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": f"q {n}"},
                  {"role": "assistant", "content": f"a {n}", "weight": 1}]}
    for n in range(8)
]  # fmt: skip
PAIRS = [{"prompt": f"q {n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(8)]
VOTES = [
    {"prompt": f"q {n}", "model_a": "new", "model_b": "old", "response_a": f"x {n}",
     "response_b": f"y {n}", "winner": ("model_a", "model_b", "tie")[n % 3], "judge": "ada",
     "turn": 1, "tstamp": 1.7e9 + n}
    for n in range(9)
]  # fmt: skip
STUDIO = [
    {"id": n, "data": {"prompt": f"q {n}", "answer1": "x", "answer2": "y"},
     "annotations": [{"completed_by": 1, "result": [
         {"type": "pairwise", "value": {"selected": "left"}}]}]}
    for n in range(4)
]  # fmt: skip
SHAREGPT = [{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}] * 6
YAML = (
    "base_model: makers/base\nadapter: qlora\nload_in_4bit: true\nlora_r: 32\nnum_epochs: 2\n"
    "learning_rate: 2e-4\ndatasets:\n  - path: data.jsonl\n    type: chat_template\n"
    "lora_target_modules: [q_proj, v_proj]\nstrict: false\n"
)
# pieces that parsers trip over
SPLICES = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"{" * 200, b"[" * 200, b'"', b"'", b",",
    b"\r", b"\r\n", b"\n\n", b"\t", b";", b"|", b"\\u0000", b"\\ud800", b"1e999", b"-1e-999",
    b"NaN", b"Infinity", b"null", b"true", b"9" * 500, b"=1+1", b"\x1b[31m", b"\xe2\x80\xae",
    b"&a [*a, *a]", b"!!python/object/apply:os.system [id]", b"<!ENTITY x SYSTEM 'file:///'>",
    b"x" * 5000, b'{"role": 5}', b'"content": {"a": 1}', b"\xc2\x85", b"\xe2\x80\xa8",
]  # fmt: skip


class Sample(NamedTuple):
    """A sound file, by its name."""

    name: str
    data: bytes


def jsonl(rows: list[dict[str, object]]) -> bytes:
    """JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def table(rows: list[dict[str, object]], separator: str) -> bytes:
    """A table of text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def parquet() -> bytes:
    """A table of Parquet."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


def workbook() -> bytes:
    """A workbook of Excel."""
    book, out = Workbook(), io.BytesIO()
    sheet = book.active
    for row in [list(ROWS[0]), *(list(one.values()) for one in ROWS)]:
        sheet.append(row)
    book.save(out)
    return out.getvalue()


def archive() -> bytes:
    """A ZIP of files with rows."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("train.jsonl", jsonl(ROWS))
        packed.writestr("test.csv", table(ROWS, ","))
        packed.writestr("README.md", "Rows.")
    return out.getvalue()


ROW_FILES = [
    Sample("rows.jsonl", jsonl(ROWS)),
    Sample("chats.jsonl", jsonl(CHATS)),
    Sample("pairs.json", json.dumps(PAIRS).encode()),
    Sample("gpt.json", json.dumps(SHAREGPT).encode()),
    Sample("rows.csv", table(ROWS, ",")),
    Sample("rows.tsv", table(ROWS, "\t")),
    Sample("rows.txt", b"one text\n\nanother text\n" * 9),
    Sample("rows.parquet", parquet()),
    Sample("rows.xlsx", workbook()),
    Sample("rows.zip", archive()),
    Sample("rows.jsonl.gz", gzip.compress(jsonl(ROWS), mtime=0)),
]
VOTE_FILES = [
    Sample("votes.jsonl", jsonl(VOTES)),
    Sample("votes.csv", table(VOTES, ";")),
    Sample("studio.json", json.dumps(STUDIO).encode()),
]
LLAMAFACTORY = {"stage": "sft", "do_train": True, "finetuning_type": "lora", "template": "qwen"}
RECIPES = [
    Sample("config.yaml", YAML.encode()),
    Sample("config.json", json.dumps(LLAMAFACTORY).encode()),
]


def damaged(data: bytes, number: int) -> bytes:
    """The bytes with one to four faults; the same for the same number."""
    chance = random.Random(number)
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(DAMAGES)(data, chance)
    return data


def _at(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _flip(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: _at(data, chance)]


def _drop(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + data[at + chance.randint(1, 40) :]


def _splice(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.choice(SPLICES) + data[at:]


def _double(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted((_at(data, chance), _at(data, chance)))
    return data[:last] + data[first:last] * chance.randint(1, 20) + data[last:]


def _swap(data: bytes, chance: random.Random) -> bytes:
    """One word of the file for another one of it."""
    words = data.split(b'"')
    if len(words) < 4:
        return data[::-1]
    one, other = chance.randrange(len(words)), chance.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return b'"'.join(words)


def _other_value(data: bytes, chance: random.Random) -> bytes:
    values = [b"null", b"5", b"[]", b"{}", b'""', b"[[]]", b"true", b"-0.0", b'{"a":{"b":[1]}}']
    parts = data.split(b": ")
    if len(parts) < 2:
        return data
    at = chance.randrange(1, len(parts))
    _, comma, rest = parts[at].partition(b",")
    parts[at] = chance.choice(values) + comma + rest
    return b": ".join(parts)


Damage = Callable[[bytes, random.Random], bytes]
DAMAGES: list[Damage] = [_flip, _cut, _drop, _splice, _double, _swap, _other_value, _other_value]
