"""The stand-alone rating page: plain HTML around the one script, phone first."""

from html import escape

from engine.core.errors import UserError
from engine.core.rating import Round
from ui.components import plain_page

WHAT_IT_IS = (
    "You read questions with their answers and say how good these are. Every vote is saved at "
    "once, so you can stop and come back by the same link."
)


def mount(round_id: str) -> str:
    """Where the script puts the rating of a round."""
    return f'<div class="tl-rate" data-round="{escape(round_id)}"></div>'


def rating(rating_round: Round, *, account: bool = False) -> str:
    """The page of a round; it says no more than the round's name."""
    noscript = "<noscript><p>Rating needs JavaScript in this browser.</p></noscript>"
    return _page(rating_round.name, mount(rating_round.id) + noscript, account)


def choice(found: list[Round], *, account: bool = False) -> str:
    """The open rounds that somebody may rate; with `account` also the way to theirs."""
    if not found:
        empty = _state("Nothing to rate now", "Come back when a round is open.")
        return _page("Rating", empty, account)
    links = "".join(
        f'<li><a href="/rate/{escape(one.id)}" dir="auto">{escape(one.name)}</a></li>'
        for one in found
    )
    head = "Choose a round" if len(found) > 1 else "One round is open"
    return _page(
        "Rating",
        f'<div class="tl-rate-state"><h2>{head}</h2><p>{WHAT_IT_IS}</p><ul>{links}</ul></div>',
        account,
    )


def refusal(error: UserError) -> str:
    """The page where there is nothing to rate."""
    return _page("Rating", _state("Nothing to rate here", f"{error.problem} Ask for a new link."))


def _state(head: str, text: str) -> str:
    return f'<div class="tl-rate-state"><h2>{escape(head)}</h2><p>{escape(text)}</p></div>'


def _page(title: str, body: str, account: bool = False) -> str:
    mark = '<span class="tl-rate-mark">Tuneloop</span>'
    link = '<a class="tl-rate-account" href="/account">Your account</a>' if account else ""
    script = '<script src="/static/rate.js" defer></script>'
    return plain_page.page(title, body, mark=mark, more=link, head=script, guide="/guide/raters")
