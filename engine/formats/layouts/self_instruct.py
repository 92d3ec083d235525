"""Self-Instruct: an instruction with several instances of input and output."""

from engine.core.errors import RowError
from engine.core.examples import Chat, Kind
from engine.core.parsed_file import FileRow
from engine.formats.files.loaded_file import NumberedRow
from engine.formats.layouts import alpaca
from engine.formats.turns import kind_of, share

TITLE = "Self-Instruct"
KIND: Kind = "sft"
SUMMARY = "instruction, instances: a list of {input, output}"
COLUMNS = frozenset({"instruction", "instances", "input", "output", "system", "group"})

SHARED = ("instruction", "system", "group")


def sniff(rows: list[FileRow]) -> float:
    """The share of rows with an instruction and instances."""
    return share(rows, lambda row: "instruction" in row and _instances(row))


def unfold(rows: list[NumberedRow]) -> list[NumberedRow]:
    """One row an instance, under the number of its task; the instances of a task are one group."""
    return [
        (number, each)
        for number, row in rows
        for each in (_opened(row, f"task {number}") if _instances(row) else [row])
    ]


def read(row: FileRow, number: int) -> Chat:
    """A chat as Alpaca's: instruction and input are asked, the output is learned."""
    if "output" in row:
        return alpaca.read(row, number)
    if not _instances(row):
        raise RowError(f"'instances' is {kind_of(row.get('instances'))}, not a list of objects")
    return alpaca.read(_opened(row, None)[0], number)


def _opened(row: FileRow, group: str | None) -> list[FileRow]:
    instances = _instances(row)
    shared: FileRow = {
        name: row[name] for name in ("instruction", "system", "group") if name in row
    }
    if len(instances) > 1 and group:
        shared = {"group": group, **shared}
    return [{**shared, "input": one.get("input"), "output": one.get("output")} for one in instances]


def _instances(row: FileRow) -> list[FileRow]:
    found = row.get("instances")
    whole = isinstance(found, list) and all(isinstance(one, dict) for one in found)
    return found if isinstance(found, list) and whole else []
