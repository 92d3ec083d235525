"""A bucket takes files whole, lists them and gives them back; what it can't do is a sentence."""

import os
from types import SimpleNamespace

import pytest

from engine.core.errors import Unavailable, UserError
from engine.services.off_site import bucket as buckets
from engine.services.off_site.bucket import FolderBucket, HubBucket


class FakeHub:
    """The four calls of `HfApi`, with a dictionary for the Hub."""

    def __init__(self):
        self.kept = {}
        self.broken = False

    def batch_bucket_files(self, bucket, add=(), delete=()):
        assert bucket == "ada/votes"
        if self.broken:
            raise ConnectionError("no route")
        self.kept |= {name: source.read_bytes() for source, name in add}
        for name in delete:
            self.kept.pop(name, None)

    def download_bucket_files(self, _bucket, files, raise_on_missing_files):
        assert raise_on_missing_files
        for name, target in files:
            target.write_bytes(self.kept[name])

    def list_bucket_tree(self, _bucket, prefix, recursive):
        assert recursive
        yield SimpleNamespace(type="directory", path=f"{prefix}/votes")
        for name in self.kept:
            yield SimpleNamespace(type="file", path=name)


@pytest.fixture(params=["folder", "hub"])
def bucket(request, tmp_path):
    if request.param == "folder":
        return FolderBucket(tmp_path / "mounted")
    return HubBucket("ada/votes", FakeHub())


def test_file_comes_back_as_it_was_put(bucket, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3 * 2**20))
    for name in ("votes/2", "votes/1", "files/a/b"):
        bucket.put(name, source)
    bucket.put("votes/1", source)  # again
    assert bucket.names("votes/") == ["votes/1", "votes/2"]
    bucket.get("files/a/b", tmp_path / "back" / "b")
    assert (tmp_path / "back" / "b").read_bytes() == source.read_bytes()
    bucket.remove(["votes/2", "votes/3"])
    assert bucket.names("") == ["files/a/b", "votes/1"]


def test_empty_bucket_holds_no_names(bucket):
    assert bucket.names("votes/") == []


def test_half_written_file_of_a_folder_has_no_name(tmp_path):
    bucket = FolderBucket(tmp_path)
    (tmp_path / "votes").mkdir()
    (tmp_path / "votes" / ".writing-x").write_text("half")
    assert bucket.names("") == []


def test_hub_that_does_not_answer_is_unavailable(tmp_path):
    hub = FakeHub()
    hub.broken = True
    with pytest.raises(Unavailable, match="no route"):
        HubBucket("ada/votes", hub).put("a", tmp_path)


def test_folder_that_takes_nothing_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        FolderBucket(tmp_path / "file").put("votes/1", tmp_path / "file")


def test_bucket_is_a_folder_or_a_name_on_the_hub(tmp_path):
    assert isinstance(buckets.opened(str(tmp_path)), FolderBucket)
    assert isinstance(buckets.opened("ada/votes"), HubBucket)


@pytest.mark.parametrize("name", ["votes", "a/b/c", "a/", ""])
def test_name_of_no_bucket_is_refused(name):
    with pytest.raises(UserError, match="names no bucket"):
        buckets.opened(name)
