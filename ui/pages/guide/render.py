"""The contents of the guide, and its Markdown to HTML.

Raw HTML stays text, and links lead to pages of the guide.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

START = "index"
CONTENTS = {
    "Start": (START, "tutorial"),
    "Pages": (
        "data", "training", "jobs", "evaluation", "rating", "loop", "playground", "models",
        "account",
    ),
    "Understand": ("raters", "verdict", "glossary", "troubleshooting"),
    "Operate": ("operators",),
    "Reference": ("commands", "json", "recipes", "events", "api", "extending"),
    "Behind it": ("architecture", "integrations", "measurements"),
}  # fmt: skip
ORDER = tuple(name for names in CONTENTS.values() for name in names)
AWAY = re.compile(r"[a-z]+:|#", re.IGNORECASE)
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


class Heading(NamedTuple):
    """A heading of a page: its level, its text, and the anchor that leads to it."""

    level: int
    text: str
    anchor: str


class Rendered(NamedTuple):
    """A page of the guide: its title, its body as HTML, and its headings in order."""

    title: str
    body: str
    headings: tuple[Heading, ...]


def render(source: str) -> Rendered:
    """The page that this Markdown describes; its first heading of level 1 is the title."""
    tokens = MARKDOWN.parse(source)
    headings = tuple(_anchored(tokens))
    title = next((each.text for each in headings if each.level == 1), "Guide")
    for token in tokens:
        for child in token.children or ():
            _point(child)
    _name_cells(tokens)
    body = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    wide = body.replace("<table>", '<div class="tl-guide-wide"><table>')
    return Rendered(title, wide.replace("</table>", "</table></div>"), headings)


def _name_cells(tokens: Sequence[Token]) -> None:
    """Each cell names its column: on a phone the cells of a row stand below one another."""
    heads: list[str] = []
    column = 0
    for token, after in pairwise(tokens):
        if token.type == "thead_open":
            heads = []
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            heads.append(after.content)
        elif token.type == "td_open":
            token.attrSet("data-head", heads[column] if column < len(heads) else "")
            column += 1


def navigation(titles: dict[str, str], here: str) -> str:
    """The list of all pages with the one that is open marked."""
    parts = []
    for section, names in CONTENTS.items():
        links = "".join(
            f'<li><a href="{address(name)}"{_current(name == here)}>{escape(titles[name])}</a></li>'
            for name in names
        )
        parts.append(f"<h2>{escape(section)}</h2><ul>{links}</ul>")
    return f'<nav aria-label="Guide">{"".join(parts)}</nav>'


def on_this_page(page: Rendered) -> str:
    """Links to the sections of a page; nothing where there are fewer than three."""
    sections = [each for each in page.headings if each.level == 2]
    if len(sections) < 3:
        return ""
    links = "".join(
        f'<li><a href="#{each.anchor}">{escape(each.text)}</a></li>' for each in sections
    )
    return f'<nav class="tl-guide-here" aria-label="On this page"><ul>{links}</ul></nav>'


def address(name: str) -> str:
    """Where a page of the guide is served."""
    return "/guide" if name == START else f"/guide/{name}"


def anchor(text: str) -> str:
    """The anchor of a heading, by the rule that repository pages use."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def _anchored(tokens: list[Token]) -> Iterator[Heading]:
    """The headings of a page, each given its anchor."""
    used: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in inline.children or ())
        plain = anchor(text)
        times = used.get(plain, 0)
        used[plain] = times + 1
        name = f"{plain}-{times}" if times else plain
        opening.attrSet("id", name)
        yield Heading(int(opening.tag[1:]), text, name)


def _point(token: Token) -> None:
    """Let a relative link or picture lead to where this server has it."""
    if token.type == "link_open":
        target = str(token.attrGet("href") or "")
        if AWAY.match(target):
            if not target.startswith("#"):
                token.attrSet("rel", "noreferrer noopener")
            return
        name, _, fragment = target.partition("#")
        place = address(name.removesuffix(".md"))
        token.attrSet("href", f"{place}#{fragment}" if fragment else place)
    elif token.type == "image":
        token.attrSet("src", f"/guide/{token.attrGet('src')}")
        token.attrSet("loading", "lazy")


def _current(is_here: bool) -> str:
    return ' aria-current="page"' if is_here else ""
