"""The frame of the pages that are plain HTML: rating, and accounts."""

from html import escape

from ui.web.prefix import rooted

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Ccircle cx='16' cy='16' r='10' fill='none' stroke='%230f726b' stroke-width='6'/%3E%3C/svg%3E"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title} · Tuneloop</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="/static/tokens.css">
<link rel="stylesheet" href="/static/rate.css">
{head}
</head>
<body class="{kind}">
<header>{mark}<h1 dir="auto">{title}</h1>{more}{guide}</header>
<main>{body}</main>
</body>
</html>
"""


def page(
    title: str,
    body: str,
    *,
    mark: str,
    head: str,
    more: str = "",
    guide: str = "/guide",
    kind: str = "tl-rate-page",
) -> str:
    """A whole page; `title` is text, `guide` an address (empty for no link), all else HTML.

    Its addresses have the prefix of this request, so it is for this request alone.
    """
    made = kept(title, body, mark=mark, head=head, more=more, guide=guide, kind=kind)
    return rooted(made)


def kept(
    title: str,
    body: str,
    *,
    mark: str,
    head: str,
    more: str = "",
    guide: str = "/guide",
    kind: str = "tl-rate-page",
) -> str:
    """The same for whoever keeps it: `rooted` puts the prefix of each request before addresses."""
    link = f'<a class="tl-rate-account" href="{escape(guide)}">Guide</a>' if guide else ""
    return PAGE.format(
        title=escape(title), icon=escape(ICON), body=body, mark=mark, more=more, head=head,
        kind=kind, guide=link,
    )  # fmt: skip
