"""Markdown of models rendered for raters, as HTML that can do nothing; other pages escape it.

No scripts, no images, no foreign requests.

Markdown is rendered on the server with raw HTML off, then cleaned against a list of allowed tags.
Images become their link text, since an image address can tell whose answer it is.
"""

import re

import nh3
from markdown_it import MarkdownIt

from engine.core.rating import SHOWN_CHARACTERS

TAGS = {
    "p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "del", "s",
}  # fmt: skip
BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def to_plain(text: str) -> str:
    """`text` as it stands, to be edited or shown raw: cut likewise, without direction marks."""
    return BIDI_CONTROLS.sub("", text[:SHOWN_CHARACTERS])


def to_html(text: str) -> str:
    """`text` as safe HTML; what lies beyond 20,000 characters is cut and said so."""
    rest = max(0, len(text) - SHOWN_CHARACTERS)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    html = nh3.clean(
        markdown.render(to_plain(text)),
        tags=TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )
    return html + (f"<p><em>… {rest} more characters</em></p>" if rest else "")
