"""Lists of OpenAI's protocol, a page at a time."""

from collections.abc import Sequence

from engine.api.errors import Refused, Wire


def page(found: Sequence[Wire], after: str | None, limit: int) -> Wire:
    """A page of a list, from the one after `after` on."""
    names = [one["id"] for one in found]
    if after is not None and after not in names:
        raise Refused(f"There is no {after[:80]!r} in this list.", param="after")
    begin = names.index(after) + 1 if after is not None else 0
    shown = found[begin : begin + limit]
    return {
        "object": "list",
        "data": list(shown),
        "has_more": begin + limit < len(found),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }
