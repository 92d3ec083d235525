"""Hints of personal data: what looks like an address, a number or an account of somebody."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

from engine.checks.shared import finding, texts_of, with_texts
from engine.core.examples import Example
from engine.core.finding import Finding

IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18,
    "NO": 15, "PL": 28, "PT": 25, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24,
    "TR": 26, "UA": 29,
}  # fmt: skip
EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
CARD = re.compile(
    r"(?<![\w.-])(?:[2-6]\d{3}(?:[ -]\d{4}){3}|[2-6]\d{14,15}|3[47]\d\d[ -]\d{6}[ -]\d{5})(?![\w-])"
)
IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
PHONE = re.compile(
    r"(?<![\w+])(?:\+\d(?:[ ()./-]{0,2}\d){7,13}(?!\d)|(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}\b)"
)


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows with something like personal data; the message counts the rows of each kind."""
    kinds = [set(_kinds(e)) for e in examples]
    counts = Counter(kind for found in kinds for kind in found)
    listed = ", ".join(f"{kind} {n:,}" for kind, n in counts.most_common())
    return finding(
        "personal_data",
        "warning",
        [e.source_row for e, found in zip(examples, kinds, strict=True) if found],
        f"with hints of personal data ({listed}); hints may be wrong, and others may be missing",
        "Look at them, then mask or remove what belongs to a person.",
        fix_id="mask_personal_data",
    )


def mask(examples: Sequence[Example]) -> list[Example]:
    """Writes [e-mail], [phone], [IBAN], [card] or [IP] over what looks like personal data."""
    return [with_texts(e, _masked) if any(_kinds(e)) else e for e in examples]


def drop(examples: Sequence[Example]) -> list[Example]:
    """Removes rows with what looks like personal data."""
    return [e for e in examples if not any(_kinds(e))]


def _kinds(example: Example) -> Iterator[str]:
    for text in texts_of(example):
        for kind, pattern, length in _patterns():
            if any(length(found[0]) for found in pattern.finditer(text)):
                yield kind


def _masked(text: str) -> str:
    for kind, pattern, length in _patterns():

        def replaced(
            found: re.Match[str], kind: str = kind, length: Callable[[str], int] = length
        ) -> str:
            cut = length(found[0])
            return f"[{kind}]{found[0][cut:]}" if cut else found[0]

        text = pattern.sub(replaced, text)
    return text


def _patterns() -> tuple[tuple[str, re.Pattern[str], Callable[[str], int]], ...]:
    """Kind, where it may stand, and how many letters of such a place are it: 0 for none."""
    return (
        ("e-mail", EMAIL, len),
        ("IBAN", IBAN, _iban),
        ("card", CARD, _card),
        ("IP", IP, _public_ip),
        ("phone", PHONE, len),
    )


def _iban(text: str) -> int:
    """ISO 13616: the length of the country, and 1 as the remainder of 97."""
    wanted = IBAN_LENGTHS.get(text[:2], 0)
    places = [n for n, letter in enumerate(text) if letter != " "]
    if not 0 < wanted <= len(places):
        return 0
    cut = places[wanted - 1] + 1
    code = text[:cut].replace(" ", "")
    number = "".join(str(int(letter, 36)) for letter in code[4:] + code[:4])
    return cut if int(number) % 97 == 1 else 0


def _card(text: str) -> int:
    """ISO/IEC 7812: the check digit of Luhn."""
    digits = [int(letter) for letter in reversed(text) if letter.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return len(text) if (sum(digits[::2]) + doubled) % 10 == 0 else 0


def _public_ip(text: str) -> int:
    try:
        return len(text) if ip_address(text).is_global else 0
    except ValueError:
        return 0
