"""Somebody else's tracker, registered as an installed distribution does it."""

import pytest


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """`theirs` works, `lacking` lacks its library, and `lost` can't be imported."""
    site = tmp_path / "site"
    about = site / "theirs-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[tuneloop.trackers]\n"
        "theirs = tests.trackers.fake_trackers\nlacking = lacking_tracker\nlost = no_such_module\n"
    )
    (site / "lacking_tracker.py").write_text(
        "TITLE, LIBRARY, INSTALL = 'Lacking', 'no_such_library', 'pip install lacking'\n"
    )
    monkeypatch.syspath_prepend(str(site))
