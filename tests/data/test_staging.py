"""Uploads before they are kept: parsed once, held for whoever made them, dropped in time."""

import json
import time

import pytest

from engine.checks import near_duplicates
from engine.core import near_duplicates as compared
from engine.core.actor import LOCAL, Actor, Role
from engine.core.column_mapping import ColumnMapping
from engine.core.errors import Forbidden, NotFound, UserError
from engine.core.examples import Text
from engine.services.data import cleaning, datasets, prepared_rows, preview, staging
from engine.services.data.datasets import Reading
from tests import helpers

SAME = Reading()
HOSTILE = ["../../../etc/passwd", "a/b", "..", "x" * 32, "A" * 32, "0" * 31, "0" * 32 + "\n", ""]


@pytest.fixture
def faq(ws, tmp_path):
    return helpers.chat_file(tmp_path)


@pytest.fixture
def upload(ws, faq):
    return staging.stage(ws, LOCAL, faq, faq.name)


@pytest.fixture
def calls(monkeypatch):
    """How often a file was parsed, its rows checked, and compared with one another."""
    counted = {"_loaded": 0, "findings": 0, "_alike": 0}

    def counting(module, name):
        real = getattr(module, name)

        def counts(*given, **named):
            counted[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(module, name, counts)

    counting(prepared_rows, "_loaded")
    counting(prepared_rows, "findings")
    counting(compared, "_alike")
    return counted


def folder(ws):
    return ws.files / "cache" / "staged"


def uploads(ws):
    return sorted(path.name for path in folder(ws).glob("*/*"))


def test_upload_is_parsed_checked_and_compared_once_from_drop_to_add(ws, tmp_path, calls):
    project = helpers.project(ws)
    path = helpers.chat_file(tmp_path)
    upload = staging.stage(ws, LOCAL, path, path.name)
    path.unlink()  # the upload of the browser is not needed any more
    for percent in (15, 25, 40):
        preview.preview_upload(ws, LOCAL, upload, SAME, percent / 100)
    kept = staging.add(ws, LOCAL, project.id, upload, SAME, "faq", 0.25)
    assert calls == {"_loaded": 1, "findings": 1, "_alike": 1}
    assert (kept.label, kept.train_rows, kept.held_out_rows) == ("faq@1", 30, 10)


def test_fixed_rows_are_made_and_checked_once_from_the_tick_to_add(ws, tmp_path, calls):
    project = helpers.project(ws).id
    path = helpers.chat_file(tmp_path)
    path.write_text(path.read_text() * 2)
    upload = staging.stage(ws, LOCAL, path, path.name)
    change = cleaning.preview_upload(ws, LOCAL, upload, SAME, ["drop_exact_duplicates"])
    assert (change.removed, change.changed, change.rows_after) == (40, 0, 40)
    once = dict(calls)
    kept = staging.add(ws, LOCAL, project, upload, SAME, "faq", 0.25, ["drop_exact_duplicates"])
    assert calls == once == {"_loaded": 1, "findings": 2, "_alike": 2}
    first = datasets.get(ws, LOCAL, kept.origin["mended"])
    assert (first.label, first.rows, kept.label, kept.rows) == ("faq@1", 80, "faq@2", 40)
    sides = {row.example.answer: row.split for row in datasets.rows(ws, LOCAL, first.id)}
    after = datasets.rows(ws, LOCAL, kept.id)
    assert [row.split for row in after] == [sides[row.example.answer] for row in after]


def test_fixes_that_change_nothing_keep_nothing(ws, upload):
    project = helpers.project(ws).id
    with pytest.raises(UserError, match="faq needs none of these fixes"):
        staging.add(ws, LOCAL, project, upload, SAME, "faq", 0.25, ["drop_exact_duplicates"])
    assert datasets.list_all(ws, LOCAL, project) == []


def test_staged_upload_becomes_the_same_version_as_its_file(ws, faq, upload):
    project = helpers.project(ws).id
    from_file = datasets.add(ws, LOCAL, project, faq, faq.name, held_out=0.25)
    staged = staging.add(ws, LOCAL, project, upload, SAME, "other", 0.25)
    unlike = {"id", "name", "file", "created_at"}
    assert staged.model_dump(exclude=unlike) == from_file.model_dump(exclude=unlike)
    splits = [row.split for row in datasets.rows(ws, LOCAL, staged.id)]
    assert splits == [row.split for row in datasets.rows(ws, LOCAL, from_file.id)]


def test_another_reading_checks_the_rows_and_does_not_parse_the_file(ws, upload, calls):
    by_hand = Reading(
        mapping=ColumnMapping(kind="sft", columns={"prompt": "completion", "answer": "prompt"})
    )
    turned = preview.preview_upload(ws, LOCAL, upload, by_hand)
    again = preview.preview_upload(ws, LOCAL, upload, by_hand)
    assert turned == again
    assert turned.examples[0].answer == "question 0?"
    assert calls == {"_loaded": 0, "findings": 1, "_alike": 1}


def test_same_file_dropped_again_is_the_same_upload(ws, faq, upload, calls):
    assert staging.stage(ws, LOCAL, faq, faq.name) == upload
    assert calls["_loaded"] == 0
    faq.write_text(faq.read_text() + '{"prompt": "one more?", "completion": "yes."}\n')
    assert staging.stage(ws, LOCAL, faq, faq.name) != upload


def every_use(ws, actor, upload):
    project = helpers.project(ws).id
    return (
        lambda: staging.describe(ws, actor, upload),
        lambda: staging.check(ws, actor, upload, SAME),
        lambda: staging.splits(ws, actor, upload, SAME, 0.25),
        lambda: staging.fix(ws, actor, upload, SAME, ["drop_empty_turns"]),
        lambda: preview.preview_upload(ws, actor, upload, SAME),
        lambda: cleaning.preview_upload(ws, actor, upload, SAME, ["drop_empty_turns"]),
        lambda: staging.add(ws, actor, project, upload, SAME, "faq", 0.25),
    )


def test_upload_of_somebody_else_is_not_found(ws, upload):
    staging.check(ws, LOCAL, upload, SAME)
    for use in every_use(ws, Actor(name="other", role=Role.OWNER), upload):
        with pytest.raises(NotFound, match="no longer on the server"):
            use()


def test_upload_is_not_discarded_by_somebody_else(ws, upload):
    staging.discard(ws, Actor(name="other", role=Role.OWNER), upload)
    assert staging.describe(ws, LOCAL, upload).rows == 40


def test_rater_stages_and_reads_nothing(ws, faq, upload):
    rater = Actor(name="local", role=Role.RATER)
    with pytest.raises(Forbidden):
        staging.stage(ws, rater, faq, faq.name)
    for use in every_use(ws, rater, upload):
        with pytest.raises(Forbidden):
            use()


@pytest.mark.parametrize("upload_id", HOSTILE)
def test_id_that_is_no_id_reaches_no_file(ws, upload_id):
    for use in every_use(ws, LOCAL, upload_id):
        with pytest.raises(NotFound):
            use()
    with pytest.raises(NotFound):
        staging.discard(ws, LOCAL, upload_id)


@pytest.mark.parametrize("name", ["../../x.jsonl", "\ud800.jsonl", "n" * 4000, "a\n{b}.jsonl"])
def test_hostile_names_stay_in_the_cache(ws, faq, name):
    actor = Actor(name="../../" + name, role=Role.OWNER)
    upload = staging.stage(ws, actor, faq, name)
    (path,) = folder(ws).glob("*/*")
    assert (len(path.parent.name), path.name) == (32, upload)
    assert staging.check(ws, actor, upload, SAME).rows == 40


def test_expired_upload_says_in_a_sentence_what_to_do(ws, upload):
    staging.check(ws, LOCAL, upload, SAME)
    assert staging.sweep(ws, time.time() + staging.MAX_AGE_S - 60) == 0
    assert staging.sweep(ws, time.time() + staging.MAX_AGE_S + 60) == 1
    assert uploads(ws) == []
    for use in every_use(ws, LOCAL, upload):
        with pytest.raises(NotFound) as caught:
            use()
        assert str(caught.value) == "This upload is no longer on the server. Drop the file again."


def test_person_has_a_bounded_number_of_uploads_and_the_oldest_go_first(ws, tmp_path, monkeypatch):
    other = Actor(name="other", role=Role.TRAINER)
    file = helpers.chat_file(tmp_path, name="other.jsonl")
    kept = staging.stage(ws, other, file, file.name)
    clock = iter(range(1_000_000, 2_000_000, 100))
    real = staging.os.utime
    monkeypatch.setattr(staging.os, "utime", lambda path: real(path, (now := next(clock), now)))
    monkeypatch.setattr(staging.time, "time", lambda: 1_000_500.0)
    made = []
    for n in range(staging.MAX_UPLOADS + 2):
        file = helpers.chat_file(tmp_path, rows=10 + n, name=f"{n}.jsonl")
        made.append(staging.stage(ws, LOCAL, file, file.name))
    assert uploads(ws) == sorted([kept, *made[2:]])


def test_uploads_are_bounded_in_bytes_and_the_newest_stays(ws, tmp_path, monkeypatch, upload):
    monkeypatch.setattr(staging, "MAX_BYTES", 100)
    file = helpers.chat_file(tmp_path, rows=20, name="newer.jsonl")
    newer = staging.stage(ws, LOCAL, file, file.name)
    assert uploads(ws) == [newer]


def test_readings_of_an_upload_are_bounded(ws, upload):
    for seed in range(staging.MAX_READINGS + 3):
        staging.check(ws, LOCAL, upload, Reading(seed=seed))
    (path,) = folder(ws).glob("*/*")
    assert len(list(path.glob("*.json"))) == staging.MAX_READINGS + 1
    assert len(list(path.glob("*.jsonl"))) == staging.MAX_READINGS + 1


@pytest.mark.parametrize("end", ["rows.jsonl", "upload.json", "examples", "split", "checked"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_damaged_stage_is_an_upload_that_is_gone(ws, upload, end, harm):
    staging.check(ws, LOCAL, upload, SAME)
    (path,) = folder(ws).glob("*/*")
    key = next(file.stem for file in path.glob("*.json") if file.name != "upload.json")
    endings = {"examples": ".jsonl", "split": ".split", "checked": ".json"}
    file = path / (f"{key}{endings[end]}" if end in endings else end)
    project = helpers.project(ws).id
    if harm == "cut":
        file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2])
    else:
        file.unlink()
    how = Reading(seed=1) if end == "rows.jsonl" else SAME
    if (end, harm) == ("checked", "gone"):  # made again from the rows
        assert staging.add(ws, LOCAL, project, upload, how, "faq", 0.25).rows == 40
        return
    with pytest.raises(NotFound, match="Drop the file again"):
        staging.add(ws, LOCAL, project, upload, how, "faq", 0.25)
    assert datasets.list_all(ws, LOCAL, project) == []
    assert not list((ws.files / "datasets").glob("*"))


def test_file_that_cannot_be_read_is_not_staged(ws, tmp_path):
    path = tmp_path / "cut.parquet"
    path.write_bytes(b"PAR1....")
    with pytest.raises(UserError, match="Parquet"):
        staging.stage(ws, LOCAL, path, path.name)
    assert uploads(ws) == []


def test_crash_before_the_description_is_written_leaves_no_upload(ws, faq, monkeypatch):
    def crash(loaded, name):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepared_rows, "_described", crash)
    with pytest.raises(KeyboardInterrupt):
        staging.stage(ws, LOCAL, faq, faq.name)
    monkeypatch.undo()
    assert uploads(ws) == []
    upload = staging.stage(ws, LOCAL, faq, faq.name)
    assert staging.check(ws, LOCAL, upload, SAME).rows == 40


def test_findings_bring_the_rows_that_they_name(ws, tmp_path):
    path = tmp_path / "faq.jsonl"
    rows = [{"prompt": f"why {n}?", "completion": f"because {n}"} for n in range(30)]
    rows[20]["completion"] = ""
    path.write_text("\n".join(map(json.dumps, rows)))
    found = helpers.previewed(ws, path)
    assert 21 in {example.source_row for example in found.named}


def test_rows_compared_once_are_compared_anew_outside_the_block(calls):
    rows = [Text(text=f"a text about {n}") for n in range(12)]
    with compared.compared_once():
        near_duplicates.check(rows)
        compared.families(rows)
        assert calls["_alike"] == 1
    compared.families(rows)
    assert calls["_alike"] == 2
