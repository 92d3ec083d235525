"""A brought tokenizer's own regular expressions run in a process of its own, under limits.

A tokenizer.json may split or replace by any expression, and one that goes back and forth takes a
tenth of a second for each character, or panics. Tokenizers without an expression, or with those of
well-known models, run where they are. Run as `python -m engine.models.tokenizer_process`: the first
line of its input is the tokenizer.json, each line after it what to do.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from engine.core.errors import UserError
from engine.models.limited_process import LimitedProcesses, allow, bound_memory, say

CPU_S = 5  # to load it, and for any text
CHARACTERS_A_SECOND = 50_000  # an honest expression reads twenty times as many
WALL_S = 900.0
MEMORY = 4 * 2**30  # bytes of address space; its threads take some of it
PROCESSES = 2
OTHER = "Choose another model."
# of Llama 3, of Qwen 2 and 3, of GPT-4: each reads a text once
_MARKS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
_REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
KNOWN = frozenset({f"{_MARKS}\\p{{N}}{{1,3}}{_REST}", f"{_MARKS}\\p{{N}}{_REST}"})


class Tokens(NamedTuple):
    """What encoding gives here."""

    ids: list[int]


class IsolatedTokenizer:
    """The calls of a `Tokenizer` that read or write text, answered by a process that holds it.

    Everything else is that of the tokenizer, which is loaded here too once the process could.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._key = hashlib.sha256(source.encode()).hexdigest()
        self._ask(None)
        self._own: Tokenizer = Tokenizer.from_str(source)
        self._own.no_truncation()
        self._own.no_padding()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def encode(self, text: str, add_special_tokens: bool = True) -> Tokens:
        """The tokens of a text."""
        return Tokens(self._ask(["encode", [text], add_special_tokens])[0])

    def encode_batch_fast(
        self, texts: Sequence[str], add_special_tokens: bool = True
    ) -> list[list[int]]:
        """The tokens of each text."""
        found: list[list[int]] = self._ask(["encode", list(texts), add_special_tokens])
        return found

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of tokens."""
        return str(self._ask(["decode", list(ids), skip_special_tokens]))

    def _ask(self, what: list[Any] | None) -> Any:
        line = None if what is None else json.dumps(what)
        kind, value = _processes.ask(self._key, json.dumps(self._source), line)
        if kind == "refused":
            raise UserError("The model's tokenizer can't read or write a text.", OTHER)
        return value


def needs_process(source: str) -> bool:
    """Whether a tokenizer.json holds an expression that is not one of well-known models."""
    try:
        return any(each not in KNOWN for each in _expressions(json.loads(source)))
    except (ValueError, RecursionError):  # loading it says so
        return False


def _expressions(value: Any) -> list[Any]:
    """All that stands under the name Regex, outside of the vocabulary."""
    found: list[Any] = []
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo += [each for each in one if isinstance(each, dict | list)]
        elif isinstance(one, dict):
            found += [one["Regex"]] if "Regex" in one else []
            todo += [each for name, each in one.items() if name not in ("vocab", "merges")]
    return found


def _broken() -> UserError:
    return UserError("The model's tokenizer takes too long or too much memory for a text.", OTHER)


_processes = LimitedProcesses("engine.models.tokenizer_process", PROCESSES, _broken, WALL_S)


def main() -> None:
    """Encode and decode until the input ends."""
    bound_memory(MEMORY)
    allow(CPU_S)
    try:
        tokenizer = Tokenizer.from_str(json.loads(sys.stdin.readline()))
    except BaseException:  # its Rust code may panic instead of raising
        say("error", ["The model's tokenizer.json is broken.", OTHER])
        return
    tokenizer.no_truncation()
    tokenizer.no_padding()
    say("ready", "")
    for line in sys.stdin:
        allow(CPU_S + ceil(len(line) / CHARACTERS_A_SECOND))
        try:
            say("done", _done(tokenizer, *json.loads(line)))
        except BaseException:
            say("refused", "")


def _done(tokenizer: Tokenizer, what: str, given: list[Any], special: bool) -> Any:
    if what == "decode":
        return tokenizer.decode(given, skip_special_tokens=special)
    return [tokenizer.encode(text, add_special_tokens=special).ids for text in given]


if __name__ == "__main__":
    main()
