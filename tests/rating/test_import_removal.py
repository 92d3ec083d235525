"""An import that was a mistake leaves the project, until something was made of it."""

import json

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.services.loop import champion
from engine.services.preferences import build
from engine.services.rating import audit, import_removal, paused_raters, progress, rounds
from engine.store import votes as vote_store
from engine.store.connect import reading
from tests import helpers
from tests.rating.test_vote_import import TRAINER, add, file_of, whole

OTHER = Actor(name="otto", role=Role.TRAINER)


@pytest.fixture
def place(ws):
    return helpers.project(ws)


def test_removed_import_is_in_no_list_and_can_be_imported_again(ws, place, tmp_path):
    path = file_of(tmp_path, whole())
    (one,) = add(ws, place, path, actor=TRAINER).rounds
    before = progress.revision(ws, LOCAL, place.id)
    gone = import_removal.remove(ws, TRAINER, one.id)
    assert (gone.votes, gone.rounds, gone.file) == (48, (one.name,), "votes.csv")
    assert rounds.list_all(ws, LOCAL, place.id) == []
    with pytest.raises(NotFound):
        rounds.get(ws, LOCAL, one.id)
    with pytest.raises(NotFound):
        paused_raters.raters(ws, LOCAL, one.id)
    with pytest.raises(UserError, match="no rating round to take votes from"):
        build.preview(ws, LOCAL, place.id)
    assert progress.revision(ws, LOCAL, place.id) != before
    again = add(ws, place, path, actor=TRAINER)
    assert sum(each.votes for each in again.rounds) == 48


def test_votes_of_a_removed_import_stay_as_they_were_cast(ws, place, tmp_path):
    (one,) = add(ws, place, file_of(tmp_path, whole())).rounds
    with reading(ws.db) as conn:
        before = vote_store.live(conn, [one.id], extra=True)
    import_removal.remove(ws, LOCAL, one.id)
    with reading(ws.db) as conn:
        assert vote_store.live(conn, [one.id], extra=True) == before


def test_every_round_of_the_file_is_removed_and_no_other(ws, place, tmp_path):
    rows = whole(12) + whole(12, new="claude")
    first = add(ws, place, file_of(tmp_path, rows)).rounds
    kept = add(ws, place, file_of(tmp_path, whole(13), "other.csv")).rounds
    assert len(first) == 2
    assert len(import_removal.remove(ws, LOCAL, first[1].id).rounds) == 2
    assert [each.id for each in rounds.list_all(ws, LOCAL, place.id)] == [kept[0].id]


def test_import_is_removed_by_its_importer_or_an_owner_alone(ws, place, tmp_path):
    (one,) = add(ws, place, file_of(tmp_path, whole()), actor=TRAINER).rounds
    stored = rounds.get(ws, LOCAL, one.id)
    allowed = [import_removal.may_remove(each, stored) for each in (TRAINER, OTHER, LOCAL)]
    assert allowed == [True, False, True]
    with pytest.raises(Forbidden, match="imported by tess"):
        import_removal.remove(ws, OTHER, one.id)
    with pytest.raises(Forbidden):
        import_removal.remove(ws, Actor(name="rita", role=Role.RATER), one.id)
    with pytest.raises(NotFound):
        import_removal.remove(ws, Actor(name="x", role=Role.OWNER, projects=frozenset()), one.id)
    import_removal.remove(ws, LOCAL, one.id)


def test_votes_that_people_gave_here_are_never_removed(ws, place, tmp_path):
    one = helpers.open_round(ws, place.id, tmp_path)
    with pytest.raises(Conflict, match="votes that people gave here"):
        import_removal.remove(ws, LOCAL, one.id)
    assert rounds.get(ws, LOCAL, one.id).status == one.status


def test_import_that_pairs_were_made_of_stays(ws, place, tmp_path):
    (one,) = add(ws, place, file_of(tmp_path, whole()), new="gpt").rounds
    build.make(ws, LOCAL, place.id)
    with pytest.raises(Conflict, match="was made of these votes"):
        import_removal.remove(ws, LOCAL, one.id)
    assert rounds.get(ws, LOCAL, one.id).id == one.id


def test_test_whose_model_became_champion_stays(ws, place, tmp_path):
    for name in ("gpt", "llama"):
        helpers.model(ws, tmp_path, name)
    (one,) = add(ws, place, file_of(tmp_path, whole()), new="gpt", test=True).rounds
    champion.promote(ws, LOCAL, place.id, rounds.get(ws, LOCAL, one.id).arm_new)
    with pytest.raises(Conflict, match="gpt became champion after their verdict"):
        import_removal.remove(ws, LOCAL, one.id)


def test_removal_is_an_entry_of_the_audit_log(ws, place, tmp_path):
    (one,) = add(ws, place, file_of(tmp_path, whole()), actor=TRAINER).rounds
    import_removal.remove(ws, TRAINER, one.id)
    (entry,) = audit.entries(ws, LOCAL, place.id)
    assert (entry.kind, entry.who, entry.round_id) == ("import_removed", "tess", one.id)
    assert "removed the imported votes" in entry.sentence


def test_command_removes_an_import(tuneloop, tmp_path):
    path = file_of(tmp_path, whole())
    code, out, _ = tuneloop("rating", "add", path, "--json")
    (one,) = json.loads(out)["rounds"]
    code, out, _ = tuneloop("rating", "remove-import", one["id"], "--json")
    assert (code, json.loads(out)["votes"]) == (0, 48)
    code, out, _ = tuneloop("rating", "rounds", "--json")
    assert json.loads(out)["rounds"] == []
    code, _, err = tuneloop("rating", "remove-import", one["id"])
    assert (code, "There is no round" in err) == (4, True)
