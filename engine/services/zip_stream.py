"""A ZIP archive made while it is sent: nothing of it is held."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any


def zipped(parts: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The archive piece by piece; each file is stored as it is, without a time of this machine."""
    sink = _Pieces()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, pieces in parts:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as inside:
                for piece in pieces:
                    inside.write(piece)
                    yield sink.taken()
    yield sink.taken()


class _Pieces(io.RawIOBase):
    """What a ZIP archive writes, until somebody takes it."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any) -> int:
        """Keep `data`; how long it is."""
        self._kept.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """All that was written since the last call."""
        kept, self._kept = self._kept, []
        return b"".join(kept)
