"""A rater's screen that holds one comparison at a time, as most tests look at it."""

from engine.core.errors import Conflict
from engine.services.rating import votes


def next_pair(ws, who, round_id):
    """The comparison this rater is at; None when nothing is left for them."""
    return votes.state(ws, who, round_id, prefetch=0).pair


def vote(ws, who, token, key, choice, active_ms=0, via="key", **details):
    """Vote, and return the next comparison."""
    sent = {"token": token, "key": key, "choice": choice, "active_ms": active_ms, "via": via}
    asked = votes.request(ws, who, {**sent, **details})
    return votes.vote(ws, who, asked, prefetch=0).pair


def skip(ws, who, token):
    """Leave a comparison to others, and return the next one."""
    return votes.skip(ws, who, token, prefetch=0).pair


def undo(ws, who, round_id):
    """Take back the newest answer, and return its comparison."""
    shown = votes.undo(ws, who, round_id).pair
    if shown is None:  # paused meanwhile, or past the day's share
        raise Conflict("There is no pair for you now.", "Come back later.")
    return shown
