"""A SQLite database is refused where its file would not be on this machine's own disk."""

from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.store import mounts
from engine.store.connect import open_database
from engine.store.mounts import mount_of
from engine.store.mounts import mounts as named

ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard"


def line(place, kind, more=""):
    """A line as Linux writes it; `more` are optional fields, of which there may be none."""
    return f"36 27 0:31 / {place} rw,nosuid,nodev {more}- {kind} source rw,user_id=0"


@pytest.mark.parametrize(
    "kind",
    ["fuse", "fuse.hf-mount", "fuse.s3fs", "fuse.sshfs", "nfs", "nfs4", "cifs", "smb3", "9p",
     "ceph", "lustre", "virtiofs", "fuse.grpcfuse"],
)  # fmt: skip
def test_mounts_that_are_no_disk_of_this_machine_are_remote(kind):
    assert mount_of(Path("/data/tuneloop.db"), f"{ROOT}\n{line('/data', kind)}\n").is_remote


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk"])
def test_disks_of_this_machine_are_not_remote(kind):
    assert not mount_of(Path("/data/tuneloop.db"), f"{ROOT}\n{line('/data', kind)}\n").is_remote


def test_deepest_mount_counts_and_of_two_at_one_place_the_later():
    text = "\n".join([
        ROOT, line("/data", "nfs4"), line("/data/local", "ext4", "shared:7 master:2 "),
        line("/srv", "ext4"), line("/srv", "fuse.rclone"), line("/database", "nfs"),
    ])  # fmt: skip
    assert mount_of(Path("/data/tuneloop.db"), text).kind == "nfs4"
    assert mount_of(Path("/data/local/a/tuneloop.db"), text).kind == "ext4"
    assert mount_of(Path("/srv/tuneloop.db"), text).kind == "fuse.rclone"
    assert mount_of(Path("/data-of-mine/tuneloop.db"), text).kind == "ext4"
    assert mount_of(Path("/home/tuneloop.db"), text).kind == "ext4"


def test_place_of_a_mount_may_hold_blanks_and_a_line_may_be_no_mount():
    text = f"{line('/my' + chr(92) + '040bucket', 'fuse')}\n\nno mount at all\n1 2 - \n"
    assert named(text) == [(Path("/my bucket"), "fuse")]
    assert mount_of(Path("/elsewhere"), text) is None


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """This process seems to have a mount of a kind at a folder, which is returned."""

    def plant(kind):
        place = tmp_path / "volume"
        place.mkdir()
        text = tmp_path / "mountinfo"
        text.write_text(f"{ROOT}\n{line(place, kind)}\n")
        monkeypatch.setattr(mounts, "MOUNTS", text)
        return place

    return plant


def test_database_on_a_mounted_bucket_is_refused_and_nothing_is_made_there(planted):
    place = planted("fuse.hf-mount")
    with pytest.raises(UserError) as refused:
        open_database(f"sqlite:///{place / 'home' / 'tuneloop.db'}")
    assert "mounted bucket or network file system (fuse.hf-mount)" in refused.value.problem
    assert "TUNELOOP_HOME" in refused.value.fix
    assert not list(place.iterdir())


def test_link_to_a_network_folder_is_followed(planted, tmp_path):
    (tmp_path / "home").symlink_to(planted("nfs4"))
    with pytest.raises(UserError, match="nfs4"):
        open_database(f"sqlite:///{tmp_path / 'home' / 'tuneloop.db'}")


def test_database_on_a_disk_of_this_machine_opens(planted):
    place = planted("xfs")
    open_database(f"sqlite:///{place / 'tuneloop.db'}").dispose()
    assert (place / "tuneloop.db").is_file()


def test_machine_that_lives_on_a_network_disk_is_served(monkeypatch, tmp_path):
    text = tmp_path / "mountinfo"
    text.write_text(line("/", "9p"))
    monkeypatch.setattr(mounts, "MOUNTS", text)
    open_database(f"sqlite:///{tmp_path / 'tuneloop.db'}").dispose()


def test_system_without_mountinfo_is_served(monkeypatch, tmp_path):
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    open_database(f"sqlite:///{tmp_path / 'tuneloop.db'}").dispose()
