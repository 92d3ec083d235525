"""A workspace made by version 0.1.0 opens after the upgrade with everything in its place.

`fixtures/workspace-0.1.0.tar.gz` is a TUNELOOP_HOME on SQLite (revision 0008) as commit c3e550b
wrote it: two projects, dataset versions, jobs of twelve kinds in all states but running, models of
each kind, rounds of each purpose with their votes, accounts, invitations, promotions, exports and
the audit. Trainings ran with the tiny random Llama; answers and most votes came through the
services. `workspace-0.1.0.json` was read out of it by plain SQL; what is called
`as_computed_by_0_1_0` is what the services of that version answered. Neither file is ever made
anew: where the product changes on purpose, this test says how the old is read from the new.

- `COLUMNS`: a migration that renames or moves a column says here how its old value is read.
- `FIELDS`: a field that has another name now.

Numbers and decisions are compared, never sentences: those may be said better.

Base models lie at paths that no machine has; the adapters are real and fit the tiny model of
`tests/tiny_model.py`. The model of a full fine-tuning is an empty file of its format. Votes of a
deleted rater are gone, but "Blind round 1" keeps its verdict; "Blind round 4" was looked at early.
"""

import hashlib
import json
import tarfile
import time
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import UserError
from engine.services import erasure, playground, projects
from engine.services.data import datasets, versions
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.services.loop import champion, status
from engine.services.loop.history import history
from engine.services.models import registry
from engine.services.people import accounts, sign_in
from engine.services.preferences import build
from engine.services.rating import audit, flagged_comparisons, invites, paused_raters, rounds, votes
from engine.services.rating.report import report
from engine.store.connect import reading, writing
from engine.workspace import MARK, Settings, open_workspace
from tests.rating import screen

FIXTURES = Path(__file__).parent / "fixtures"
FACTS = json.loads((FIXTURES / "workspace-0.1.0.json").read_text(encoding="utf-8"))
COLUMNS: dict[tuple[str, str], str] = {}  # table and column of then: SQL of now with its value
FIELDS = {
    "evals": "num_evals",
    "guard": "regression_checks",
    "fell": "regressed",
}  # name of then: name of now
PROJECTS = [one["id"] for one in FACTS["projects"]]
# why a vote makes no row: of votes, and of kinds of rows, that no version then could hold
NEW_REASONS = ("no_text", "middle", "not_accepted", "length", "template")
NOT_FIELDS = ("result_keys", "events", "recipe_sha256")  # of a job
OPEN = [one for one in FACTS["rounds"] if one["status"] == "open"]
CLOSED = [one for one in FACTS["rounds"] if one["status"] == "closed"]


def unpacked(folder):
    """The workspace of then, opened as of now."""
    with tarfile.open(FIXTURES / "workspace-0.1.0.tar.gz") as archive:
        # Python before 3.11.4 has no filters; the archive is our own
        careful = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **careful)
    return reopened(folder)


def reopened(folder):
    home = folder / "workspace"
    return open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Opened once, for tests that only read."""
    ws = unpacked(tmp_path_factory.mktemp("upgraded"))
    yield ws
    ws.close()


@pytest.fixture
def upgraded(tmp_path):
    """A copy of its own, for tests that go on working with it."""
    ws = unpacked(tmp_path)
    yield ws
    ws.close()


def same(new, old):
    """Each fact of then about an object, as the object of now has it, equals what it was."""
    assert {name: plain(getattr(new, FIELDS.get(name, name))) for name in old} == old


def plain(value):
    """A value as JSON would give it back."""
    return json.loads(json.dumps(value, default=lambda one: one.model_dump(mode="json")))


def only(facts, *names):
    return {name: facts[name] for name in names if name in facts}


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def table_rows(ws, table):
    """All rows of a table with the columns of then, sorted as they were when they were hashed."""
    columns = FACTS["tables"][table]["columns"]
    wanted = ", ".join(f'{COLUMNS.get((table, name), name)} AS "{name}"' for name in columns)
    order = ", ".join(f'"{name}"' for name in columns[:2])
    with reading(ws.db) as conn:
        found = conn.execute(text(f"SELECT {wanted} FROM {table} ORDER BY {order}"))
        return [dict(row._mapping) for row in found]


def rows_sha256(rows):
    written = json.dumps(rows, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def actor_of(name):
    person = next(one for one in FACTS["people"] if one["name"] == name)
    return Actor(
        name=name, role=Role[person["role"].upper()], projects=frozenset(person["projects"])
    )


def test_workspace_opens_twice_and_keeps_its_database_and_files(tmp_path):
    unpacked(tmp_path).close()
    ws = reopened(tmp_path)
    ws.close()
    home = ws.settings.home
    kept = {name: sha for name, sha in FACTS["files"].items() if name != "tuneloop.db"}
    assert {name: sha256(home / name) for name in kept} == kept
    assert MARK in kept


@pytest.mark.parametrize("table", [name for name in FACTS["tables"] if name != "alembic_version"])
def test_table_keeps_every_row_and_value(seen, table):
    facts, rows = FACTS["tables"][table], table_rows(seen, table)
    assert len(rows) == facts["rows"]
    if "ids" in facts:
        assert [row["id"] for row in rows] == facts["ids"]
    assert rows_sha256(rows) == facts["sha256"]


def test_votes_are_byte_identical(seen):
    columns = FACTS["tables"]["vote"]["columns"]
    with reading(seen.db) as conn:  # by their own names: no migration may rename what was voted
        found = conn.execute(text(f"SELECT {', '.join(columns)} FROM vote ORDER BY id"))
        assert rows_sha256([dict(row._mapping) for row in found]) == FACTS["votes_sha256"]


def test_every_project_is_listed(seen):
    found = {one.id: one.name for one in projects.list_all(seen, LOCAL)}
    assert found == {one["id"]: one["name"] for one in FACTS["projects"]}


@pytest.mark.parametrize(
    "old", FACTS["datasets"], ids=lambda old: f"{old['name']}@{old['version']}"
)
def test_dataset_version_keeps_rows_and_sides(seen, old):
    same(datasets.get(seen, LOCAL, old["id"]), old)
    rows = datasets.rows(seen, LOCAL, old["id"])
    sides = [row.split for row in rows]
    assert len(rows) == old["rows"]
    assert sides.count("train") == old["train_rows"]
    assert sides.count("held_out") == old["held_out_rows"]


@pytest.mark.parametrize("project", PROJECTS)
def test_every_dataset_version_is_listed(seen, project):
    listed = datasets.list_all(seen, LOCAL, project)
    assert {one.id for one in listed} == ids_of("datasets", project)


def ids_of(kind, project):
    return {one["id"] for one in FACTS[kind] if one["project_id"] == project}


def test_cleaned_dataset_version_is_known_to_come_from_the_one_before(seen):
    mended = next(one for one in FACTS["datasets"] if "mended" in one["origin"])
    used = versions.used_by(seen, LOCAL, mended["origin"]["mended"])
    assert mended["id"] in {one.id for one in used}


@pytest.mark.parametrize("project", PROJECTS)
def test_every_job_is_listed_with_recipe_result_and_events(seen, project):
    old = {one["id"]: one for one in FACTS["jobs"] if one["project_id"] == project}
    listed = lifecycle.list_all(seen, LOCAL, project)
    assert {one.id for one in listed} == set(old)
    for job in listed:
        facts = old[job.id]
        same(job, {name: facts[name] for name in facts if name not in NOT_FIELDS})
        assert sorted(plain(job.result)) == facts["result_keys"]
        assert len(lifecycle.watch(seen, LOCAL, job.id)) == facts["events"]
        same(lifecycle.recipe_of(job), job.recipe)


@pytest.mark.parametrize("project", PROJECTS)
def test_every_model_is_listed_with_its_lineage(seen, project):
    facts = next(one for one in FACTS["projects"] if one["id"] == project)
    old = {one["id"]: one for one in FACTS["models"]}
    listed = registry.list_all(seen, LOCAL, project)
    order = facts["as_computed_by_0_1_0"]["models_in_order"]
    assert [one.id for one in listed] == order
    for model in listed:
        same(model, old[model.id])
        line = [one.id for one in registry.lineage(seen, LOCAL, model.id)]
        above = old[model.id]["parent_id"] or old[model.id]["base_id"]
        assert line[0] == model.id
        assert line[1:2] == ([above] if above else [])


def test_trained_model_finds_its_files_and_those_of_its_base(upgraded, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    with writing(upgraded.db) as conn:
        conn.execute(text(f"UPDATE model SET path = '{base}' WHERE kind = 'base'"))
    trained = [one for one in FACTS["models"] if one["kind"] != "base"]
    for old in trained:
        files = registry.files(upgraded, registry.get(upgraded, LOCAL, old["id"]))
        if old["kind"] == "adapter":
            assert files.base == base
            assert (files.adapter / "adapter_config.json").is_file()
    assert len(trained) == 8


@pytest.mark.parametrize("old", FACTS["evaluations"], ids=lambda old: old["id"])
def test_evaluation_keeps_means_gains_and_regression_checks(seen, old):
    new = evaluations.get(seen, LOCAL, old["id"])
    same(new, only(old, "dataset_id", "models", "metrics"))
    assert len(new.rows) == old["rows"]
    for group in ("means", "gains"):
        found = getattr(new, FIELDS.get(group, group))
        assert {m: set(by_metric) for m, by_metric in found.items()} == {
            m: set(by_metric) for m, by_metric in old[group].items()
        }
        for model, by_metric in old[group].items():
            for metric, facts in by_metric.items():
                same(found[model][metric], facts)
    watched = getattr(new, FIELDS.get("guard", "guard"))
    assert len(watched) == len(old["guard"])
    for check, facts in zip(watched, old["guard"], strict=True):
        same(check, facts)
    if old["overlap"] is None:
        assert new.overlap is None
    else:
        same(new.overlap, old["overlap"])


@pytest.mark.parametrize("project", PROJECTS)
def test_every_evaluation_is_listed(seen, project):
    listed = evaluations.list_all(seen, LOCAL, project)
    assert {one.id for one in listed} == ids_of("evaluations", project)


@pytest.mark.parametrize("project", PROJECTS)
def test_every_round_is_listed(seen, project):
    listed = rounds.list_all(seen, LOCAL, project)
    assert {one.id for one in listed} == ids_of("rounds", project)


@pytest.mark.parametrize(
    "old", FACTS["rounds"], ids=lambda old: old["as_computed_by_0_1_0"]["called"]
)
def test_round_keeps_plan_pairs_and_progress(seen, old):
    then = old["as_computed_by_0_1_0"]
    new = rounds.get(seen, LOCAL, old["id"])
    same(new, only(old, "project_id", "name", "purpose", "status", "arm_new", "arm_base", "job_id"))
    same(new, only(old, "plan_sha256", "mode"))
    assert plain(votes.progress(seen, LOCAL, old["id"])) == then["progress"]
    assert plain(rounds.left_out(seen, LOCAL, old["id"])) == then["left_out"]
    assert [one.id for one in flagged_comparisons.list_all(seen, LOCAL, old["id"])] == then[
        "standing_flags"
    ]
    paused = [one.rater for one in paused_raters.raters(seen, LOCAL, old["id"]) if one.paused]
    assert paused == then["paused_raters"]
    if "tally" in then:
        same(rounds.tally(seen, LOCAL, old["id"]), then["tally"])


@pytest.mark.parametrize("old", CLOSED, ids=lambda old: old["as_computed_by_0_1_0"]["called"])
def test_closed_round_keeps_its_verdict(seen, old):
    then = old["as_computed_by_0_1_0"]
    new = report(seen, LOCAL, old["id"])
    assert new.even == then["even"]
    assert bool(new.early) == then["early"]
    if "verdict" in then:
        same(new.verdict, then["verdict"])
        same(rounds.verdict(seen, LOCAL, old["id"]), then["verdict"])
    else:
        assert new.verdict is None


@pytest.mark.parametrize("old", FACTS["exports"], ids=lambda old: old["id"])
def test_preference_pairs_keep_their_manifest_and_can_be_made_again(seen, old):
    then = old["as_computed_by_0_1_0"]
    new = build.get(seen, LOCAL, old["id"])
    same(new, {name: old[name] for name in old if name != "as_computed_by_0_1_0"})
    manifest = plain(build.about(seen, LOCAL, old["id"]))
    assert len(manifest["votes"]) == then["read_votes"]
    assert build.gone(seen, LOCAL, old["id"]) == then["votes_gone"]
    of = old["rules"]["rows"]
    now = build.preview(seen, LOCAL, old["project_id"], old["rounds"], of=of)
    assert preview_facts(now, of) == then["would_make_now"]
    assert len(datasets.rows(seen, LOCAL, old["dataset_id"])) == old["pairs"]


def preview_facts(preview, of="pairs"):
    made = preview.judged.pairs if of == "pairs" else preview.examples
    counts = plain(preview.counts)
    assert {reason: counts.pop(reason) for reason in NEW_REASONS} == dict.fromkeys(NEW_REASONS, 0)
    return {
        "pairs": len(made),
        "watermark": preview.gathered.watermark,
        "counts": counts,
    }


@pytest.mark.parametrize("old", FACTS["projects"], ids=lambda old: old["name"])
def test_loop_keeps_champion_baseline_and_generations(seen, old):
    then = old["as_computed_by_0_1_0"]
    found = champion.current(seen, LOCAL, old["id"])
    assert found.id == then["champion"]
    decided = champion.list_all(seen, LOCAL, old["id"])
    assert champion.champions(decided[::-1]) == then["champions_that_stand"]
    story = history(seen, LOCAL, old["id"])
    assert story.champion_id == then["champion"]
    assert story.baseline.id == then["baseline"]
    assert (story.control.round_id if story.control else None) == then["control"]
    assert [generation_facts(one) for one in story.generations] == then["generations"]


def generation_facts(one):
    return {
        "model": one.model.id,
        "against_baseline": one.against_baseline.round_id if one.against_baseline else None,
        "against_previous": one.against_previous.round_id if one.against_previous else None,
        "waiting": one.waiting,
        "pairs": one.pairs,
        "evaluation": one.evaluation_id,
    }


@pytest.mark.parametrize("old", FACTS["projects"], ids=lambda old: old["name"])
def test_loop_keeps_its_steps_and_the_project_its_saved_questions(seen, old):
    then = old["as_computed_by_0_1_0"]
    now = status.status(seen, LOCAL, old["id"])
    assert {step.name: step.state for step in now.steps} == then["steps"]
    saved = [one.prompt[-1].content for one in playground.saved(seen, LOCAL, old["id"])]
    assert saved == then["saved_questions"]
    if "preview_of_all_pairs" in then:
        now = build.preview(seen, LOCAL, old["id"])
        assert preview_facts(now) == then["preview_of_all_pairs"]


@pytest.mark.parametrize("project", PROJECTS)
def test_every_promotion_keeps_its_reason_and_who_decided(seen, project):
    old = {one["id"]: one for one in FACTS["promotions"] if one["project_id"] == project}
    decided = champion.list_all(seen, LOCAL, project)
    assert {one.id for one in decided} == set(old)
    for one in decided:
        same(one, old[one.id])


@pytest.mark.parametrize("old", FACTS["people"], ids=lambda old: old["name"])
def test_account_keeps_role_projects_and_password(upgraded, old):
    same(accounts.get(upgraded, LOCAL, old["id"]), only(old, "id", "name", "role", "status"))
    if old["status"] == "closed":
        with pytest.raises(UserError):
            sign_in.sign_in(upgraded, old["name"], old["password"])
    elif "password" in old:
        token = sign_in.sign_in(upgraded, old["name"], old["password"])
        who = sign_in.require(upgraded, token)
        assert who.name == old["name"]
        assert who.projects == (None if old["role"] == "owner" else frozenset(old["projects"]))


@pytest.mark.parametrize("old", [one for one in FACTS["people"] if "session" in one],
                         ids=lambda old: old["name"])  # fmt: skip
def test_signed_in_browser_stays_signed_in_unless_its_account_was_closed(upgraded, old):
    now = time.time()  # the fixture is older than a session may be
    with writing(upgraded.db) as conn:
        conn.execute(text(f"UPDATE signed_in SET seen_at = {now}, created_at = {now}"))
    who = sign_in.actor(upgraded, old["session"])
    assert (who and who.name) == (old["name"] if old["signed_in"] else None)


def test_link_of_somebody_who_has_not_begun_still_works(upgraded):
    old = next(one for one in FACTS["people"] if "link" in one)
    with writing(upgraded.db) as conn:  # the fixture is older than a link may be
        conn.execute(text(f"UPDATE person SET link_until = {time.time() + 3600}"))
    assert sign_in.begin(upgraded, old["link"]) == (old["name"], True)
    token = sign_in.accept(upgraded, old["link"], old["name"], "a long new password")
    assert sign_in.require(upgraded, token).name == old["name"]


@pytest.mark.parametrize("old", FACTS["invitations"], ids=lambda old: old["rater"])
def test_invitation_still_opens_unless_it_was_withdrawn(upgraded, old):
    if old["status"] == "active":
        found = invites.accept(upgraded, old["token"])
        same(found, only(old, "id", "project_id", "rater", "status"))
    else:
        with pytest.raises(UserError):
            invites.accept(upgraded, old["token"])
    listed = {one.id: one.status for one in invites.list_all(upgraded, LOCAL, old["project_id"])}
    assert listed[old["id"]] == old["status"]


def test_audit_keeps_every_entry_and_the_deletion(seen):
    found = defaultdict(list)
    for project in PROJECTS:
        for line in audit.entries(seen, LOCAL, project):
            found[line.kind].append(only(vars(line), "kind", "who", "role", "times"))
    for old in FACTS["audit"]:
        assert only(old, "kind", "who", "role", "times") in found[old["kind"]]
    assert len(found["forgotten"]) == len(FACTS["forgotten"])


def test_deleted_rater_stays_deleted(seen):
    known = erasure.people(seen, LOCAL, PROJECTS[0])
    voted = {name for one in FACTS["rounds"] for name in one["raters"]}
    assert set(known) >= {name for name in voted if name.startswith(("Ada", "Ben", "Rosa"))}
    named = {row["rater"] for row in table_rows(seen, "assignment")}
    assert named == voted | {"Rosa Rater"}


@pytest.mark.parametrize("old", OPEN, ids=lambda old: old["as_computed_by_0_1_0"]["called"])
def test_voting_goes_on_in_an_open_round(upgraded, old):
    rater = actor_of("Rosa Rater")
    if rater.name in old["as_computed_by_0_1_0"]["paused_raters"]:
        assert votes.state(upgraded, rater, old["id"]).pause
        rater = LOCAL
    before = votes.progress(upgraded, rater, old["id"])["done"]
    pair = screen.next_pair(upgraded, rater, old["id"])
    choice = "good" if pair.mode == "single" else "left"
    screen.vote(upgraded, rater, pair.token, "key-after-upgrade", choice)
    assert votes.progress(upgraded, rater, old["id"])["done"] == before + 1


def test_waiting_jobs_are_claimed_after_the_upgrade(upgraded):
    waiting = [one for one in FACTS["jobs"] if one["state"] == "queued"]
    assert len(waiting) == 4
    for old in waiting:
        assert lifecycle.place_in_queue(upgraded, LOCAL, old["id"]) >= 0
        assert lifecycle.cancel(upgraded, LOCAL, old["id"]).state == "cancelled"
