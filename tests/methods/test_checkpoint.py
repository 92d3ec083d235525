"""Checkpoints that are whole or not there: crashes at every point, full disks, changed files."""

import os
import resource
import signal

import pytest

from engine.core.errors import UserError
from engine.methods import checkpoint, dpo, sft
from engine.methods.checkpoint import Origin

SOURCE = Origin("recipe", "rows")


def fill(text):
    def write(folder):
        (folder / "part").mkdir()
        (folder / "part" / "a.bin").write_bytes(text.encode())
        (folder / "b.json").write_text("{}")

    return write


def step_of(folder, source=SOURCE):
    found = checkpoint.newest_verified(folder, source)
    return found and found.step


def in_a_process_of_its_own(run):
    """The exit status of a fork that runs `run`: a crash there is a real one."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def boundaries(folder):
    seen = []
    checkpoint.commit(folder, 0, SOURCE, fill("x"), seen.append)
    return seen


def test_newest_whole_checkpoint_is_found_with_what_was_written(tmp_path):
    checkpoint.commit(tmp_path, 4, SOURCE, fill("four"))
    checkpoint.commit(tmp_path, 12, SOURCE, fill("twelve"))
    found = checkpoint.newest_verified(tmp_path, SOURCE)
    assert found.step == 12
    assert (found.path / "part" / "a.bin").read_text() == "twelve"
    assert checkpoint.at(tmp_path, 4).name == "ckpt-000000004"


def test_kill_at_any_boundary_leaves_the_checkpoint_before_or_the_new_one(tmp_path):
    names = boundaries(tmp_path / "names")
    assert names == [
        "filled", "flushed b.json", "flushed a.bin", "manifest written", "sealed", "renamed",
    ]  # fmt: skip
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        checkpoint.commit(folder, 1, SOURCE, fill("old"))

        def kill(reached, name=name):
            if reached == name:
                os.kill(os.getpid(), signal.SIGKILL)

        status = in_a_process_of_its_own(
            lambda folder=folder, kill=kill: checkpoint.commit(folder, 2, SOURCE, fill("n"), kill)
        )
        assert status == -signal.SIGKILL
        assert step_of(folder) == (2 if name == "renamed" else 1)
        checkpoint.sweep(folder)
        assert not list(folder.glob("*tmp*"))


def test_kill_while_the_files_are_written_leaves_the_one_before(tmp_path):
    checkpoint.commit(tmp_path, 1, SOURCE, fill("old"))

    def half(folder):
        (folder / "a.bin").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_process_of_its_own(lambda: checkpoint.commit(tmp_path, 2, SOURCE, half)) == -9
    assert step_of(tmp_path) == 1


@pytest.mark.parametrize("harm", ["changed", "shorter", "gone", "manifest", "no manifest"])
def test_checkpoint_that_was_changed_is_passed_over_for_an_older_one(tmp_path, harm):
    checkpoint.commit(tmp_path, 1, SOURCE, fill("old"))
    new = checkpoint.commit(tmp_path, 2, SOURCE, fill("new"))
    file, manifest = new / "part" / "a.bin", new / "manifest.json"
    match harm:
        case "changed":
            file.write_bytes(b"nEw")
        case "shorter":
            file.write_bytes(b"")
        case "gone":
            file.unlink()
        case "manifest":
            manifest.write_bytes(b"\xff{")
        case "no manifest":
            manifest.unlink()
    assert step_of(tmp_path) == 1
    assert checkpoint.at(tmp_path, 2) is None


def test_checkpoint_of_another_recipe_or_of_other_data_is_not_used(tmp_path):
    first = sft.Recipe(model="m", dataset="d", seed=1)
    rows = [{"input_ids": [1, 2]}]
    checkpoint.commit(tmp_path, 1, checkpoint.origin(first, rows), fill("x"))
    assert step_of(tmp_path, checkpoint.origin(first, rows)) == 1
    for other in (
        checkpoint.origin(first.model_copy(update={"seed": 2}), rows),
        checkpoint.origin(first, [{"input_ids": [1, 3]}]),
        checkpoint.origin(dpo.Recipe(model="m", dataset="d", seed=1), rows),
    ):
        assert step_of(tmp_path, other) is None


def test_older_one_stays_until_the_next_is_whole_and_the_best_stays_always(tmp_path):
    for step in (1, 2, 3, 4):
        checkpoint.commit(tmp_path, step, SOURCE, fill("x"))
        checkpoint.rotate(tmp_path, keep=[1])
    assert sorted(p.name[-1] for p in tmp_path.iterdir()) == ["1", "3", "4"]


def test_full_disk_is_a_sentence_and_the_checkpoint_before_stays(tmp_path):
    checkpoint.commit(tmp_path, 1, SOURCE, fill("old"))
    said = tmp_path / "said"

    def overfill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            checkpoint.commit(tmp_path, 2, SOURCE, fill("x" * 5000))
        except UserError as error:
            said.write_text(str(error))

    assert in_a_process_of_its_own(overfill) == 0
    assert "The disk is full" in said.read_text()
    assert step_of(tmp_path) == 1
    assert not list(tmp_path.glob("*tmp*"))


def test_full_disk_in_the_words_of_a_library_is_understood_too():
    with pytest.raises(UserError, match="disk is full"):
        checkpoint.refuse_full_disk(RuntimeError("I/O error: File too large (os error 27)"))
    checkpoint.refuse_full_disk(RuntimeError("I/O error: (os error 2)"))


def test_checkpoints_are_lent_without_a_second_copy(tmp_path):
    made = checkpoint.commit(tmp_path / "old", 1, SOURCE, fill("x"))
    checkpoint.lend(tmp_path / "old", tmp_path / "new")
    checkpoint.clear(tmp_path / "old")
    assert not made.exists()
    assert step_of(tmp_path / "new") == 1
