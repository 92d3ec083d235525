"""The stand-alone rating page: plain HTML around the one script, phone first."""

from html import escape

from engine.core.errors import UserError
from engine.core.rating import Round

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Ccircle cx='16' cy='16' r='10' fill='none' stroke='%230f726b' stroke-width='6'/%3E%3C/svg%3E"
)
WHAT_IT_IS = (
    "You read questions with their answers and say how good these are. Every vote is saved at "
    "once, so you can stop and come back by the same link."
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
<link rel="stylesheet" href="/static/rate.css">
<script src="/static/rate.js" defer></script>
</head>
<body class="tl-rate-page">
<header><span class="tl-rate-mark">Tuneloop</span><h1 dir="auto">{title}</h1></header>
<main>{body}</main>
</body>
</html>
"""


def mount(round_id: str) -> str:
    """Where the script puts the rating of a round."""
    return f'<div class="tl-rate" data-round="{escape(round_id)}"></div>'


def rating(one: Round) -> str:
    """The page of a round; it says no more than the round's name."""
    noscript = "<noscript><p>Rating needs JavaScript in this browser.</p></noscript>"
    return _page(one.name, mount(one.id) + noscript)


def choice(found: list[Round]) -> str:
    """The open rounds that an invited person may rate."""
    if not found:
        return _page("Rating", _state("Nothing to rate now", "Come back when a round is open."))
    links = "".join(
        f'<li><a href="/rate/{escape(one.id)}" dir="auto">{escape(one.name)}</a></li>'
        for one in found
    )
    head = "Choose a round" if len(found) > 1 else "One round is open"
    return _page(
        "Rating",
        f'<div class="tl-rate-state"><h2>{head}</h2><p>{WHAT_IT_IS}</p><ul>{links}</ul></div>',
    )


def refusal(error: UserError) -> str:
    """The page where there is nothing to rate."""
    return _page("Rating", _state("Nothing to rate here", f"{error.problem} Ask for a new link."))


def _state(head: str, text: str) -> str:
    return f'<div class="tl-rate-state"><h2>{escape(head)}</h2><p>{escape(text)}</p></div>'


def _page(title: str, body: str) -> str:
    return PAGE.format(title=escape(title), icon=escape(ICON), body=body)
