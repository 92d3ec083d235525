"""Bytes of a text file -> text, without guessing in silence."""

import codecs
import re

from engine.core.errors import UserError

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the start of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
FOREIGN = re.compile("[^\x00-\x7f]")
UNDECODED = re.compile("[\udc80-\udcff]")
CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f]")
SAVE_AS_UTF8 = "Save it as text in UTF-8 and upload it again."


def decode(data: bytes) -> tuple[str, str]:
    """The text and its encoding; UserError for what is no text.

    A UTF-8 file with a few wrong bytes keeps them as lone surrogates, so that only the rows that
    hold them are refused. Windows-1252 is assumed only where no byte makes sense as UTF-8.
    """
    text, encoding = _decode(data)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"Line {line} holds a NUL byte, so this is no text file.", SAVE_AS_UTF8)
    head = text[:65536]
    if len(CONTROL.findall(head)) > len(head) / 100:
        raise UserError("The file is binary, not text.", SAVE_AS_UTF8)
    return text, encoding


def _decode(data: bytes) -> tuple[str, str]:
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], encoding), encoding
    wide = _wide(data[:4096])
    if wide:
        return _strict(data, wide), wide
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _not_utf8(data)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of western text is 0."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if min(even, odd) > 0 or max(even, odd) < len(head) * 0.3:
        return None
    return "utf-16-le" if odd else "utf-16-be"


def _not_utf8(data: bytes) -> tuple[str, str]:
    text = data.decode("utf-8", "surrogateescape")
    wrong = len(UNDECODED.findall(text))
    if len(FOREIGN.findall(text)) - wrong >= wrong:
        return text, "utf-8"
    text = _strict(data, "cp1252")
    if len(FOREIGN.findall(text)) > len(text) / 4:  # letters with accents are never that many
        raise UserError("The file is not text in UTF-8 or Windows-1252.", SAVE_AS_UTF8)
    return text, "cp1252"


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        what = "UTF-8 or Windows-1252" if encoding == "cp1252" else encoding.upper()
        problem = f"The file is not text in {what} (byte {error.start + 1:,} does not fit)."
        raise UserError(problem, SAVE_AS_UTF8) from None
