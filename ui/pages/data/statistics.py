"""A version in numbers, as HTML: lengths and what is cut, who speaks, in what language."""

from collections.abc import Mapping
from html import escape

from engine.services.data.statistics import Sides, Statistics
from ui.components import markup

SHOWN = 6  # bars of a list; the rest is one bar
LOPSIDED = 0.6  # share of pairs with the longer answer preferred, from which it is worth a word
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}
LANGUAGES = {
    "": "too short to tell", "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish",
    "fr": "French", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "tr": "Turkish",
    "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip


def numbers(found: Statistics) -> str:
    """How long the rows are, and how many are cut at the length asked for."""
    return markup.stats(
        [
            markup.stat("Rows", f"{found.rows:,}"),
            markup.stat("Tokens", f"{found.tokens:,}"),
            markup.stat("Median row", f"{found.middle:,.0f}", "tokens"),
            markup.stat("Longest row", f"{found.longest:,}", "tokens"),
        ]
    ) + cut(found)


def cut(found: Statistics) -> str:
    """What a training with this length would cut."""
    if not found.truncated:
        return markup.notice(f"No row is cut at {found.max_length:,} tokens.", "good")
    rows = "1 row is" if found.truncated == 1 else f"{found.truncated:,} rows are"
    share = found.truncated / found.rows
    return markup.notice(
        f"{rows} cut at {found.max_length:,} tokens ({100 * share:.1f} % of all): "
        "the model does not learn the part beyond. Train with a larger maximum length to keep it.",
        "warn",
    )


def sorts(found: Statistics) -> str:
    """Who speaks, how many turns, in what language, and the two answers of pairs."""
    turns = {f"{n} turn{'s' if n != 1 else ''}": rows for n, rows in found.turns.items() if n}
    roles = {ROLES.get(role, role): count for role, count in found.roles.items()}
    languages: dict[str, int] = {}
    for code, rows in found.languages.items():
        languages[LANGUAGES.get(code, code)] = rows
    lists = [
        bars("Turns by role", roles),
        bars("Turns per row, answer included", turns),
        bars(f"Language of {found.language_rows:,} rows", languages),
    ]
    if found.sides:
        lists.append(_sides(found.sides))
    return f'<div class="tl-sorts">{"".join(lists)}</div>'


def bars(title: str, counts: Mapping[str, float], note: str = "") -> str:
    """A bar for each of the largest, its number beside it; empty where there is nothing."""
    if not counts:
        return ""
    largest = sorted(counts.items(), key=lambda item: -item[1])
    shown, rest = largest[:SHOWN], largest[SHOWN:]
    if rest:
        shown.append((f"{len(rest)} more", sum(count for _, count in rest)))
    most = max(count for _, count in shown) or 1
    lines = "".join(
        f"<div><dt>{escape(name)}</dt>"
        f'<dd><i style="width:{100 * count / most:.1f}%"></i><b>{count:,.0f}</b></dd></div>'
        for name, count in shown
    )
    below = f"<p>{escape(note)}</p>" if note else ""
    return f'<div class="tl-bars"><h4>{escape(title)}</h4><dl>{lines}</dl>{below}</div>'


def _sides(found: Sides) -> str:
    share = found.chosen_longer
    note = f"The chosen answer is the longer one in {100 * share:.0f} % of the pairs."
    if share >= LOPSIDED:
        note += " A model may learn to write more rather than better."
    elif share <= 1 - LOPSIDED:
        note += " A model may learn to write less rather than better."
    means = {"chosen": found.chosen_mean, "rejected": found.rejected_mean}
    return bars("Mean tokens of an answer", means, note)
