"""The reward head's service: which votes it learns, who may ask, and what is read back."""

import json
from hashlib import sha256

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.core.job_outcome import Outcome
from engine.core.job_result import HeadResult
from engine.core.reward_head import HEAD_FILE, RewardHead
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from engine.services.preferences.voted_pairs import voted_pairs
from engine.services.rating import reward_heads
from tests import helpers
from tests.rating.votes_in_tables import a_pair, a_round, arms, cast, filled

HEAD = RewardHead(
    base="b", base_fingerprint="f", weights=(0.5, -1.0), rounds=("r",), votes=("v",),
    votes_sha256="s",
)  # fmt: skip


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def both(ws, tmp_path):
    return arms(ws, tmp_path)


def learned(ws, project, content=None, **values):
    """A job that is done, with its file."""
    content = HEAD.model_dump_json().encode() if content is None else content
    job = reward_heads.start(ws, LOCAL, project.id)
    job = helpers.claimed(ws, job.id)
    given = {"refused": "", "pairs": 60, "sha256": sha256(content).hexdigest(), **values}
    folder = ws.files / "jobs" / job.id
    folder.mkdir(parents=True)
    (folder / HEAD_FILE).write_bytes(content)
    job_outcomes.store(ws, job, Outcome(result=HeadResult(**given)))
    return lifecycle.get(ws, LOCAL, job.id)


def test_votes_of_a_blind_round_are_never_learned(ws, project, both):
    rated, blind = filled(ws, project.id, both), a_round(ws, project.id, both, "blind_eval")
    cast(ws, a_pair(ws, blind, "something else altogether", "blind good", "bad"), "r", "left")
    found = voted_pairs(ws, LOCAL, project.id, [rated.id, blind.id])
    assert found.rounds == (rated.id,)
    assert {pair.chosen for pair in found.pairs} == {f"good {n}" for n in range(24)}
    job = reward_heads.start(ws, LOCAL, project.id)
    assert job.recipe["rounds"] == [rated.id]
    with pytest.raises(UserError, match="no rating round"):
        voted_pairs(ws, LOCAL, project.id, [blind.id])


def test_reasons_are_those_of_the_votes_behind_a_pair(ws, project, both):
    one = a_round(ws, project.id, both)
    pair = a_pair(ws, one, "first", "good", "bad", references=("well",))
    for rater, choice, reason in (("r", "left", "clearer"), ("s", "left", "safer"),
                                  ("t", "right", "better tone")):  # fmt: skip
        cast(ws, pair, rater, choice, reasons=[reason])
    (found,) = voted_pairs(ws, LOCAL, project.id).pairs
    assert (found.chosen, found.rejected, found.references) == ("good", "bad", ("well",))
    assert found.reasons == ("clearer", "safer")


def test_improved_texts_are_not_learned(ws, project, both):
    one = a_round(ws, project.id, both)
    pair = a_pair(ws, one, "first", "good answer", "bad answer")
    cast(ws, pair, "r", "left", edit={"side": "left", "text": "good answer here"})
    assert [each.chosen for each in voted_pairs(ws, LOCAL, project.id).pairs] == ["good answer"]


def test_pairs_of_other_votes_have_another_hash(ws, project, both):
    one = filled(ws, project.id, both)
    first = voted_pairs(ws, LOCAL, project.id)
    assert first == voted_pairs(ws, LOCAL, project.id)
    cast(ws, a_pair(ws, one, "another", "good", "bad"), "r", "left")
    second = voted_pairs(ws, LOCAL, project.id)
    assert first.sha256 != second.sha256
    assert len(second.votes) == len(first.votes) + 1


def test_head_of_one_generation_learns_its_rounds_alone(ws, project, both, tmp_path):
    mine = filled(ws, project.id, both)
    (tmp_path / "more").mkdir()
    other = filled(ws, project.id, arms(ws, tmp_path / "more"))
    assert set(reward_heads.start(ws, LOCAL, project.id).recipe["rounds"]) == {mine.id, other.id}
    one = reward_heads.start(ws, LOCAL, project.id, both[0].id)
    assert one.recipe["rounds"] == [mine.id]
    assert one.recipe["model"] == both[0].id


def test_head_needs_a_round_that_collects_preferences(ws, project, both):
    filled(ws, project.id, both, purpose="blind_eval")
    with pytest.raises(Conflict, match="No rating round"):
        reward_heads.start(ws, LOCAL, project.id)


def test_head_is_read_back_as_it_was_written(ws, project, both):
    filled(ws, project.id, both)
    job = learned(ws, project)
    assert reward_heads.head(ws, LOCAL, project.id, job.id) == HEAD
    assert reward_heads.usable(ws, LOCAL, project.id) == job
    assert reward_heads.newest(ws, LOCAL, project.id) == job


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", HEAD.model_dump_json().encode() + b" "])
def test_head_of_another_file_is_refused(ws, project, both, damage):
    filled(ws, project.id, both)
    job = learned(ws, project)
    (ws.files / "jobs" / job.id / HEAD_FILE).write_bytes(damage)
    with pytest.raises(UserError, match="as it was written"):
        reward_heads.head(ws, LOCAL, project.id, job.id)


def test_head_whose_content_is_none_is_refused(ws, project, both):
    filled(ws, project.id, both)
    values = {**json.loads(HEAD.model_dump_json()), "weights": ["x"]}
    job = learned(ws, project, content=json.dumps(values).encode())
    with pytest.raises(UserError, match="as it was written"):
        reward_heads.head(ws, LOCAL, project.id, job.id)


def test_refused_head_is_not_usable_and_hides_an_older_one(ws, project, both):
    """More votes may show that the first were luck."""
    filled(ws, project.id, both)
    learned(ws, project)
    cast(ws, a_pair(ws, a_round(ws, project.id, both), "more", "good", "bad"), "r", "left")
    job = learned(ws, project, refused="chance", sha256="", sentence="It is not shown.")
    assert reward_heads.usable(ws, LOCAL, project.id) is None
    with pytest.raises(UserError, match="It is not shown"):
        reward_heads.head(ws, LOCAL, project.id, job.id)


def test_head_of_another_project_is_not_found(ws, project, both):
    filled(ws, project.id, both)
    job, other = learned(ws, project), helpers.project(ws, "Other")
    with pytest.raises(NotFound):
        reward_heads.head(ws, LOCAL, other.id, job.id)


def test_raters_learn_nothing_of_preferences(ws, project, both):
    filled(ws, project.id, both)
    rater = Actor(name="r", role=Role.RATER, projects=frozenset({project.id}))
    for call in (reward_heads.start, reward_heads.newest, reward_heads.usable, voted_pairs):
        with pytest.raises(Forbidden):
            call(ws, rater, project.id)
