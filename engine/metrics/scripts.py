"""Which writing a text is in, and words for writings that leave no space between them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
FIRST_NOT_LATIN = "\u0370"  # Greek; before it come Latin, phonetic and combining characters
LATIN_BEYOND = re.compile(
    "[\u1d00-\u1eff\u2070-\u218f\u2460-\u24ff\u2c60-\u2c7f\ua720-\ua7ff\uab30-\uab6f"
    "\ufb00-\ufb06\uff10-\uff5a\U0001d400-\U0001d7ff]"
)
UNSPACED = re.compile(f"[{HAN}{KANA}{SOUTH_EAST}]")
GROUPS = {
    "han": re.compile(f"[{HAN}]"),
    "kana": re.compile(f"[{KANA}]"),
    "hangul": re.compile(f"[{HANGUL}]"),
    "south_east": re.compile(f"[{SOUTH_EAST}]"),
}


def bleu_tokenizer(texts: Iterable[str]) -> str:
    """Sacrebleu's tokenizer for the writing most letters are in.

    "zh" for Chinese, "char" for Japanese, Korean, Thai, Lao, Burmese and Khmer (their word
    segmenters are separate installs), "13a" for all others.
    """
    count: Counter[str] = Counter()
    for text in texts:
        for name, pattern in GROUPS.items():
            count[name] += len(pattern.findall(text))
        count["all"] += sum(map(str.isalpha, text))
    asian = count["han"] + count["kana"] + count["hangul"] + count["south_east"]
    if asian * 2 <= count["all"]:
        return "13a"
    # Japanese always has kana between its Han characters, Chinese never
    return "zh" if count["han"] > 0.8 * asian else "char"


def spaced(text: str) -> str:
    """The text with spaces around each character of a writing that leaves none between words."""
    return UNSPACED.sub(r" \g<0> ", text)


def words(text: str) -> list[str]:
    """Lower-case words as rouge_score finds them, and those of all other writings.

    Latin text gives exactly rouge_score's default tokens (without stemming), in which every
    character but a-z and 0-9 ends a word. Words of other spaced writings stay whole; Chinese,
    Japanese kana, Thai, Lao, Burmese and Khmer give one token a character.
    """
    lower = text.lower()
    if lower.isascii():
        return re.findall("[a-z0-9]+", lower)
    return "".join(map(_piece, lower)).split()


def stems(found: list[str]) -> list[str]:
    """The words, those of more than three characters as NLTK's Porter stemmer cuts them."""
    stem = _porter()
    return [stem(word) if len(word) > 3 else word for word in found]


@cache
def _porter() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer

    stem: Callable[[str], str] = PorterStemmer().stem
    return stem


def _piece(char: str) -> str:
    if char < FIRST_NOT_LATIN:
        return char if char.isascii() and char.isalnum() else " "
    if UNSPACED.match(char):
        return f" {char} "
    if LATIN_BEYOND.match(char) or unicodedata.category(char)[0] not in "LMN":
        return " "
    return char
