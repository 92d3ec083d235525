"""Reports of closed rounds, computed once: such a round takes no vote any more.

A report is kept in memory with the fingerprint of what it was made of, so that a paused rater or
deleted votes make it anew. Whoever asks is checked each time, as by `report.report`.
"""

from collections import OrderedDict
from threading import Lock

from engine.core.actor import Actor, Role
from engine.services import access
from engine.services.rating import report
from engine.services.rating.report import Report
from engine.store import fingerprints
from engine.store.connect import reading
from engine.workspace import Workspace

MOST = 256  # reports; each is a few kilobytes

_lock = Lock()
_known: OrderedDict[tuple[str, str, str], Report] = OrderedDict()


def get(ws: Workspace, actor: Actor, round_id: str) -> Report:
    """The report of a closed round, as `report.report` makes it; Conflict before it is closed."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        closed = access.rating_round(conn, actor, round_id).status == "closed"
        revision = fingerprints.of_closed_round(conn, round_id) if closed else ""
    key = (ws.settings.database_url, round_id, revision)
    with _lock:
        if closed and key in _known:
            _known.move_to_end(key)
            return _known[key]
    made = report.report(ws, actor, round_id)
    with _lock:
        _known[key] = made
        while len(_known) > MOST:
            _known.popitem(last=False)
    return made
