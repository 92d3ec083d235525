"""Parquet -> numbered rows."""

import io
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from engine.core.errors import UserError, quoted
from engine.core.parsed_file import FileRow
from engine.formats.files.loaded_file import MAX_FILE, MAX_ROWS, LoadedFile

MAGIC = b"PAR1"
BATCH_ROWS = 8192


def parquet_rows(data: bytes) -> LoadedFile:
    """The rows in their order, counted from 1; UserError when the file is damaged."""
    try:
        rows = _rows(data)
    except KeyError as error:  # of pytz and zoneinfo: a time zone that nobody knows
        raise UserError(
            f"The Parquet file has a time in the zone {quoted(str(error.args[0]))}, which is "
            "unknown.",
            "Write the times as UTC.",
        ) from None
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError):
        state = "damaged" if data.endswith(MAGIC) else "incomplete"
        problem = f"The Parquet file is {state}: it cannot be read."
        raise UserError(problem, "Write it again and upload the whole file.") from None
    return LoadedFile(list(enumerate(rows, 1)), [])


def _rows(data: bytes) -> list[FileRow]:
    file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
    groups = range(file.metadata.num_row_groups)
    if sum(file.metadata.row_group(n).total_byte_size for n in groups) > MAX_FILE:
        raise _too_large()
    if file.metadata.num_rows > MAX_ROWS:
        raise UserError(f"The Parquet file has more than {MAX_ROWS:,} rows.", "Split it.")
    rows: list[FileRow] = []
    unpacked = 0
    # in parts: a dictionary makes gigabytes of a few bytes, which no header tells
    for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
        batch.validate(full=True)
        unpacked += sum(_unpacked_bytes(column) for column in batch.columns)
        if unpacked > 2 * MAX_FILE:
            raise _too_large()
        rows += batch.to_pylist()
    return rows


def _unpacked_bytes(column: Any) -> int:
    """Bytes of a column once each row holds its value itself."""
    if not pyarrow.types.is_dictionary(column.type):
        return int(column.nbytes)
    values = column.dictionary
    if not (pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type)):
        return int(values.nbytes) * len(column)  # nested values: an upper bound
    lengths = pyarrow.compute.binary_length(values).take(column.indices)
    return int(pyarrow.compute.sum(lengths).as_py() or 0)


def _too_large() -> UserError:
    return UserError(
        f"The Parquet file unpacks to more than {MAX_FILE // 1024**2} MiB.", "Split it."
    )
