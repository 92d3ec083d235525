"""The text of tokens that come one by one, equal at each to decoding all of them at once.

Only the tokens since the last safe place are decoded again, and those just before them, since what
starts a text loses a space in some tokenizers. A place is safe where nothing that follows changes
the text before it: not within the bytes of a character, nor within a run of byte tokens, which
becomes replacement characters as a whole when one of its bytes is wrong.
"""

import json
import re

from tokenizers import Tokenizer

from engine.models.tokenizer_process import IsolatedTokenizer

UNFINISHED = "\ufffd"  # what half a character decodes to
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
SENTENCEPIECE = ("Replace", "ByteFallback", "Fuse")


class GrowingText:
    """`take` hands out text that no further token changes; `tail` is what follows it.

    Of a tokenizer whose decoder is none of the usual kinds all is tail, decoded at each token.
    """

    def __init__(self, tokenizer: Tokenizer | IsolatedTokenizer) -> None:
        self._tokenizer = tokenizer
        self._kind = _kind(tokenizer)
        self._before: list[int] = []  # tokens up to the last safe place
        self._before_text = ""
        self._since: list[int] = []  # tokens after it
        self._fixed = ""
        self.tail = ""
        self.tokens = 0

    def add(self, token: int) -> None:
        """Read the next token."""
        self.tokens += 1
        self._since.append(token)
        whole = self._decode([*self._before, *self._since])
        fresh = whole[len(self._before_text) :]
        if not self._is_safe(token, fresh):
            self.tail = fresh
            return
        self._fixed += fresh
        self._before, self._since, self.tail = self._since, [], ""
        self._before_text = self._decode(self._before)

    def take(self) -> str:
        """The text that became fixed since the last call."""
        fixed, self._fixed = self._fixed, ""
        return fixed

    @property
    def stable(self) -> str:
        """The part of the tail that further tokens leave as it is, as far as is known."""
        return "" if self._kind == "sentencepiece" else self.tail.rstrip(UNFINISHED)

    def _is_safe(self, token: int, fresh: str) -> bool:
        if not self._kind or not fresh or fresh.endswith(UNFINISHED):
            return False
        # a skipped token, such as a special one, ends no run of bytes
        return self._kind == "bytes" or (
            BYTE.fullmatch(self._tokenizer.id_to_token(token) or "") is None
            and bool(self._decode([token]).strip())
        )

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _kind(tokenizer: Tokenizer | IsolatedTokenizer) -> str:
    """How the tokenizer makes text of tokens: bytes, sentencepiece, or empty for another way."""
    if tokenizer.decoder is None:
        return ""
    decoder = json.loads(tokenizer.decoder.__getstate__())
    if decoder["type"] == "ByteLevel":
        return "bytes"
    steps = decoder.get("decoders", [])
    names = tuple(step["type"] for step in steps)
    strips = names == (*SENTENCEPIECE, "Strip") and steps[3]["start"] <= 1 and not steps[3]["stop"]
    return "sentencepiece" if names == SENTENCEPIECE or strips else ""
