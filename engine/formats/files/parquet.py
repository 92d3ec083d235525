"""Parquet -> numbered rows."""

import io
from typing import Any

import pyarrow
import pyarrow.parquet

from engine.core.errors import UserError
from engine.formats.files.loaded_file import MAX_FILE, LoadedFile

MAGIC = b"PAR1"


def parquet_rows(data: bytes) -> LoadedFile:
    """The rows in their order, counted from 1; UserError when the file is damaged."""
    try:
        rows = _rows(data)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError):
        state = "damaged" if data.endswith(MAGIC) else "incomplete"
        problem = f"The Parquet file is {state}: it cannot be read."
        raise UserError(problem, "Write it again and upload the whole file.") from None
    return LoadedFile(list(enumerate(rows, 1)), [])


def _rows(data: bytes) -> list[dict[str, Any]]:
    file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
    groups = range(file.metadata.num_row_groups)
    if sum(file.metadata.row_group(n).total_byte_size for n in groups) > MAX_FILE:
        raise UserError(
            f"The Parquet file unpacks to more than {MAX_FILE // 1024**2} MiB.", "Split it."
        )
    table = file.read(use_threads=False)
    table.validate(full=True)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
