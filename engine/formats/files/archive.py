"""A ZIP archive, opened with care: nothing is unpacked before the whole list has been judged."""

import io
import stat
import zipfile
import zlib

from engine.core.errors import UserError
from engine.formats.files.loaded_file import MAX_FILE

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
MOST_ENTRIES = 1000
MOST_RATIO = 200  # text packs 3 to 20 times; a bomb about 1,000 times
SMALL = 1024**2  # bytes: below this no ratio is suspicious
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LOCAL_HEADER = 30  # bytes before the name of an entry
PACK_AGAIN = "Pack the data files into a new ZIP file."


def opened(data: bytes) -> zipfile.ZipFile:
    """The archive; UserError when it is damaged or holds what could do harm."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, OverflowError):
        raise damaged() from None
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise UserError(
            f"The ZIP archive has {len(entries):,} entries; the limit is {MOST_ENTRIES:,}.",
            "Pack fewer files.",
        )
    for entry in entries:
        _refuse(entry)
    _refuse_overlaps(archive, entries)
    if sum(entry.file_size for entry in entries) > MAX_FILE:
        raise too_large()
    return archive


def content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: int = MAX_FILE) -> bytes:
    """The bytes of an entry, counted while they are unpacked; UserError above `budget`."""
    try:
        with archive.open(entry) as file:
            data = file.read(budget + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError):
        raise damaged() from None
    if len(data) > budget:
        raise too_large()
    return data


def damaged() -> UserError:
    """What to say of an archive that cannot be read."""
    return UserError("The ZIP archive is damaged or incomplete.", "Upload the whole file again.")


def too_large() -> UserError:
    """What to say of an archive that unpacks to more than memory holds."""
    limit = MAX_FILE // 1024**2
    return UserError(f"The ZIP archive unpacks to more than {limit} MiB.", "Split it.")


def _refuse(entry: zipfile.ZipInfo) -> None:
    name = repr(entry.filename[:60])
    if entry.flag_bits & 0x1:
        raise UserError(
            f"The ZIP archive is encrypted ({name} needs a password).", "Pack it without one."
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"The ZIP archive holds a link ({name}), not only files.", PACK_AGAIN)
    if entry.compress_type not in METHODS:
        raise UserError(f"The entry {name} is packed in a way that is not read here.", PACK_AGAIN)
    if entry.file_size > SMALL and entry.file_size > MOST_RATIO * entry.compress_size:
        raise UserError(
            f"The entry {name} unpacks to {entry.file_size:,} bytes from {entry.compress_size:,}.",
            "An archive like this is refused; upload the data file itself.",
        )


def _refuse_overlaps(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """Entries that share bytes let a small archive unpack to a huge one (Fifield 2019)."""
    starts = sorted(entry.header_offset for entry in entries)
    ends = dict(zip(starts, [*starts[1:], archive.start_dir], strict=False))
    for entry in entries:
        end = entry.header_offset + LOCAL_HEADER + entry.compress_size
        if entry.header_offset < 0 or end > ends[entry.header_offset]:
            raise UserError("The entries of the ZIP archive overlap.", PACK_AGAIN)
    if len(set(starts)) < len(starts):
        raise UserError("The entries of the ZIP archive overlap.", PACK_AGAIN)
