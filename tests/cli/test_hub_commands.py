"""tuneloop models search | add | remove, against a Hub on loopback."""

import json

import pytest

from engine.core.hub import HubBase, HubSearch
from engine.core.model import Model
from engine.models.hub import download
from tests import hub_server
from tests.hub_server import TOKEN

NAME = "makers/tiny-chat"


@pytest.fixture
def repo(hub, tiny_model):
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    return hub.repos[NAME]


def test_search_lists_what_the_hub_has(tuneloop, repo):
    code, out, _ = tuneloop("models", "search", "tiny")
    assert code == 0
    assert NAME in out
    assert "apache-2.0" in out


def test_search_without_words_lists_good_first_bases(tuneloop, hub):
    code, out, _ = tuneloop("models", "search")
    assert code == 0
    assert "Good first bases, as of 20" in out
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in out
    assert hub.paths() == []


def test_search_without_a_network_says_why_and_lists_good_first_bases(tuneloop, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, out, _ = tuneloop("models", "search", "tiny", "--json")
    assert code == 0
    found = HubSearch.model_validate_json(out)
    assert "cannot be reached" in found.problem
    assert found.catalog.bases


def test_add_with_dry_run_shows_the_facts_and_downloads_nothing(tuneloop, hub, repo):
    code, out, _ = tuneloop("models", "add", NAME, "--dry-run")
    assert code == 0
    for label in ("Parameters", "Download", "Licence", "Access", "Architecture", "Chat template",
                  "LoRA", "QLoRA", "Full fine-tuning"):  # fmt: skip
        assert label in out
    assert not any(path.endswith(".safetensors") for path in hub.paths())
    code, out, _ = tuneloop("models", "add", NAME, "--dry-run", "--json")
    assert HubBase.model_validate_json(out).revision == repo.newest


def test_add_downloads_lists_and_remove_removes(tuneloop, repo, monkeypatch, home):
    monkeypatch.setenv("HF_TOKEN", TOKEN)  # the worker hands it to this job alone
    code, out, err = tuneloop("models", "add", NAME, "--json")
    assert code == 0, err
    added = Model.model_validate_json(out)
    assert (added.name, added.info["revision"]) == (NAME, repo.newest)
    assert "Licence" in err
    assert TOKEN not in out + err
    assert NAME in tuneloop("models", "list")[1]
    code, out, _ = tuneloop("models", "add", NAME)
    assert (code, out.strip()) == (0, f"{NAME} is here.")
    code, out, _ = tuneloop("models", "remove", NAME, "--json")
    assert code == 0
    removed = json.loads(out)
    assert removed["removed"] == added.id
    assert removed["freed_bytes"] > 0
    assert NAME not in tuneloop("models", "list")[1]
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("makers/none", 4, "no public model makers/none"),
        ("http://127.0.0.1/x", 2, "is no name of a model"),
    ],
)
def test_add_refuses_in_one_sentence(tuneloop, hub, name, code, said):
    found, _, err = tuneloop("models", "add", name)
    assert found == code
    assert said in err
    assert "Traceback" not in err


def test_add_behind_a_gate_says_where_the_terms_are(tuneloop, hub, repo):
    repo.gate, repo.info["gated"] = "no_token", "auto"
    code, _, err = tuneloop("models", "add", NAME)
    assert code == 2
    assert err.count("Accept the terms at http") == 1


def no_network(repo, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def wrong_token(repo, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    repo.gate = "bad_token"


def no_token(repo, monkeypatch):
    repo.gate, repo.info["gated"] = "no_token", "manual"


def no_disk(repo, monkeypatch):
    monkeypatch.setattr(download, "room", lambda _: 1000)


def remote_code(repo, monkeypatch):
    config = {"model_type": "odd", "auto_map": {"AutoModelForCausalLM": "modeling.Odd"}}
    repo.change({**repo.commits[repo.newest], "config.json": json.dumps(config).encode()})


def unknown_architecture(repo, monkeypatch):
    config = {"model_type": "odd", "architectures": ["OddForCausalLM"]}
    repo.change({**repo.commits[repo.newest], "config.json": json.dumps(config).encode()})


def pickled_weights(repo, monkeypatch):
    files = {**repo.commits[repo.newest], "pytorch_model.bin": b"pickle"}
    del files["model.safetensors"]
    repo.change(files)


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (no_network, 7, "cannot be reached"),
        (wrong_token, 2, "does not accept"),
        (no_token, 2, "then set HF_TOKEN"),
        (no_disk, 2, "free"),
        (remote_code, 2, "never runs"),
        (unknown_architecture, 2, "transformers"),
        (pickled_weights, 2, "safetensors"),
    ],
)
def test_add_of_what_cannot_come_is_one_sentence_with_what_to_do(
    tuneloop, repo, home, monkeypatch, spoil, code, said
):
    spoil(repo, monkeypatch)
    found, out, err = tuneloop("models", "add", NAME, "--json")
    assert (found, out) == (code, "")
    last = err.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert said in last
    assert last.count(". ") >= 1  # what is wrong, and what to do
    assert "Traceback" not in err
    assert json.loads(tuneloop("models", "list", "--json")[1]) == {"models": []}
    assert not list(home.rglob("*.safetensors*"))


def test_remove_names_the_bases_there_are(tuneloop, hub):
    code, _, err = tuneloop("models", "remove", "makers/none")
    assert code == 4
    assert "Known: none yet" in err
