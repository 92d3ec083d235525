"""Model text as HTML that can do nothing: no scripts, no images, no foreign requests.

Markdown is rendered on the server with raw HTML off, then cleaned against a list of allowed tags.
Images become their link text, since an image address can tell whose answer it is.
"""

import re

import nh3
from markdown_it import MarkdownIt

SHOWN_CHARACTERS = 20_000
TAGS = {
    "p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "del", "s",
}  # fmt: skip
BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def to_html(text: str) -> str:
    """`text` as safe HTML; what lies beyond 20,000 characters is cut and said so."""
    cut = text[:SHOWN_CHARACTERS]
    rest = len(text) - len(cut)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    html = nh3.clean(
        markdown.render(BIDI_CONTROLS.sub("", cut)),
        tags=TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )
    return html + (f"<p><em>… {rest} more characters</em></p>" if rest else "")
