"""A base of the Hub before anything is downloaded: what is said, and what is refused."""

import json
import subprocess
import sys
import threading

import pytest

from engine.advice import machine
from engine.core import hub_words
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, Unavailable, UserError
from engine.core.hub import Architecture, HubGate, Obstacle
from engine.jobs import download as download_job
from engine.models.hub import architectures, client, download
from engine.services import hub as service
from engine.services.jobs import lifecycle
from tests import helpers, hub_server
from tests.hub_server import TOKEN, Repo

NAME = "makers/tiny-chat"


@pytest.fixture
def database_url(tmp_path):
    """What the Hub says is the same on every database."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def repo(hub, tiny_model):
    hub.repos[NAME] = hub_server.tiny(tiny_model)
    return hub.repos[NAME]


@pytest.fixture
def token(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


def changed(repo, **files):
    """The files of a repository with others in their place; None takes one away."""
    named = {name.replace("__", "."): data for name, data in files.items()}
    kept = {**repo.commits[repo.newest], **named}
    return Repo({name: data for name, data in kept.items() if data is not None}, **repo.info)


def with_config(repo, **values):
    config = json.loads(repo.commits[repo.newest]["config.json"])
    return changed(repo, config__json=json.dumps({**config, **values}).encode())


def test_base_is_described_before_anything_is_downloaded(ws, hub, repo):
    base = service.look(ws, LOCAL, NAME)
    files = repo.commits[repo.newest]
    assert base.name == NAME
    assert base.revision == repo.newest
    assert base.parameters == repo.info["safetensors"]["total"]
    assert base.bytes == sum(file.bytes for file in base.files)
    assert {file.name for file in base.files} <= files.keys()
    assert (base.licence, base.gate, base.context) == ("apache-2.0", HubGate.OPEN, 1024)
    assert base.architecture is Architecture.KNOWN
    assert base.chat_template is True
    assert base.obstacles == ()
    assert [one.tuning for one in base.tuning] == ["lora", "qlora", "full"]
    assert not any(path.endswith(".safetensors") for path in hub.paths())


def test_estimate_of_a_base_is_that_of_the_machine(ws, repo, monkeypatch):
    monkeypatch.setattr(service.machine, "here", lambda: machine.Machine(10**12, 10**12))
    assert {one.verdict for one in service.look(ws, LOCAL, NAME).tuning} <= {"fits", "unavailable"}
    monkeypatch.setattr(service.machine, "here", lambda: machine.Machine(10**7, 10**7))
    small = service.look(ws, LOCAL, NAME).tuning
    assert {one.verdict for one in small} <= {"impossible", "unavailable"}
    assert all("does not fit" in hub_words.tuning(one) for one in small if not one.reason)


def test_estimate_names_the_smaller_settings_that_fit(ws, repo, monkeypatch):
    needed = service.look(ws, LOCAL, NAME).tuning[0].memory_needed
    memory = int(needed / 0.9) - 2**20
    monkeypatch.setattr(service.machine, "here", lambda: machine.Machine(memory, memory))
    lora = service.look(ws, LOCAL, NAME).tuning[0]
    assert lora.verdict == "with_changes"
    assert "per_device_train_batch_size" in hub_words.tuning(lora)


def test_absent_base_is_named_with_what_to_do(ws, hub):
    with pytest.raises(NotFound, match=r"no public model makers/none.*HF_TOKEN"):
        service.look(ws, LOCAL, "makers/none")


def test_absent_base_with_a_token_does_not_ask_for_one(ws, hub, token):
    with pytest.raises(NotFound, match=r"this server's token may see") as refused:
        service.look(ws, LOCAL, "makers/none")
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    ("planted", "with_token", "gate", "said"),
    [
        ("no_token", False, HubGate.NO_TOKEN, "Accept the terms at"),
        ("terms", True, HubGate.TERMS, "has not accepted the terms"),
        ("waiting", True, HubGate.WAITING, "have not answered"),
        ("scope", True, HubGate.TOKEN_SCOPE, "may not read gated models"),
    ],
)
def test_gate_says_who_has_to_do_what(ws, hub, repo, monkeypatch, planted, with_token, gate, said):
    repo.gate, repo.info["gated"] = planted, "manual"
    if with_token:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    base = service.look(ws, LOCAL, NAME)
    assert base.gate is gate
    assert base.architecture is Architecture.UNREAD
    assert base.parameters
    assert base.tuning  # by its number of parameters alone
    assert Obstacle.GATE in base.obstacles
    problem, fix = hub_words.obstacle(base, Obstacle.GATE)
    assert said in f"{problem} {fix}"
    assert TOKEN not in f"{problem} {fix}"
    project = helpers.project(ws)
    with pytest.raises(UserError, match=NAME):
        service.add(ws, LOCAL, project.id, NAME)


def test_gate_that_is_open_to_this_token_says_so(ws, repo, token):
    repo.info["gated"] = "auto"
    base = service.look(ws, LOCAL, NAME)
    assert base.gate is HubGate.GRANTED
    assert base.obstacles == ()


def test_token_that_the_hub_does_not_accept_is_said(ws, repo, token):
    repo.gate = "bad_token"
    with pytest.raises(UserError, match="does not accept this server's token"):
        service.look(ws, LOCAL, NAME)


def test_base_with_its_own_code_is_refused(ws, hub, repo):
    code = {"auto_map": {"AutoModelForCausalLM": "modeling.Odd"}, "model_type": "odd",
            "architectures": ["OddForCausalLM"]}  # fmt: skip
    hub.repos[NAME] = with_config(changed(repo, modeling__py=b"import os"), **code)
    base = service.look(ws, LOCAL, NAME)
    assert base.obstacles == (Obstacle.REMOTE_CODE,)
    assert "modeling.py" not in {file.name for file in base.files}
    with pytest.raises(UserError, match="never runs"):
        service.add(ws, LOCAL, helpers.project(ws).id, NAME)


def test_code_beside_an_architecture_that_is_known_is_left_out(ws, hub, repo):
    hub.repos[NAME] = with_config(
        changed(repo, modeling__py=b"import os"), auto_map={"AutoModelForCausalLM": "modeling.X"}
    )
    base = service.look(ws, LOCAL, NAME)
    assert base.obstacles == ()
    assert "modeling.py" not in {file.name for file in base.files}


@pytest.mark.parametrize(
    ("config", "obstacle"),
    [
        ({"model_type": "odd", "architectures": ["Odd"]}, Obstacle.UNKNOWN_ARCHITECTURE),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, Obstacle.OTHER_TASK),
        (
            {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"],
             "is_encoder_decoder": True},
            Obstacle.OTHER_TASK,
        ),
        ({"architectures": ["LlamaForSequenceClassification"]}, Obstacle.OTHER_TASK),
        ({"quantization_config": {"quant_method": "gptq"}}, Obstacle.QUANTISED),
    ],
)  # fmt: skip
def test_base_that_cannot_be_trained_here_is_refused(ws, hub, repo, config, obstacle):
    hub.repos[NAME] = with_config(repo, **config)
    base = service.look(ws, LOCAL, NAME)
    assert base.obstacles == (obstacle,)
    assert all(hub_words.obstacle(base, obstacle))


@pytest.mark.parametrize("kind", [["llama"], {"a": 1}, 5, None])
def test_config_whose_type_is_no_name_is_of_no_known_architecture(kind):
    config = {"model_type": kind, "architectures": ["LlamaForCausalLM"]}
    assert architectures.of_config(config) is Architecture.UNKNOWN


def test_pickled_weights_alone_are_refused(ws, hub, repo):
    hub.repos[NAME] = changed(
        repo, model__safetensors=None, pytorch_model__bin=b"pickle", weights__pt=b"pickle"
    )
    base = service.look(ws, LOCAL, NAME)
    assert base.obstacles == (Obstacle.NO_SAFETENSORS,)
    assert not {file.name for file in base.files} & {"pytorch_model.bin", "weights.pt"}


def test_adapter_of_the_hub_is_no_base(ws, hub, repo):
    hub.repos[NAME] = Repo({"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"})
    base = service.look(ws, LOCAL, NAME)
    assert base.obstacles == (Obstacle.NO_CONFIG,)
    assert base.files == ()


def test_base_without_a_fast_tokenizer_is_refused(ws, hub, repo):
    hub.repos[NAME] = changed(repo, tokenizer__json=None)
    assert service.look(ws, LOCAL, NAME).obstacles == (Obstacle.NO_TOKENIZER,)


def test_base_without_a_chat_template_says_so_and_may_be_added(ws, hub, repo):
    config = json.loads(repo.commits[repo.newest]["tokenizer_config.json"])
    config.pop("chat_template", None)
    hub.repos[NAME] = changed(
        repo, chat_template__jinja=None, tokenizer_config__json=json.dumps(config).encode()
    )
    base = service.look(ws, LOCAL, NAME)
    assert base.chat_template is False
    assert base.obstacles == ()


def test_base_that_the_disk_has_no_room_for_is_refused(ws, repo, monkeypatch):
    monkeypatch.setattr(download, "room", lambda _: 1000)
    base = service.look(ws, LOCAL, NAME)
    assert base.obstacles == (Obstacle.NO_ROOM,)
    with pytest.raises(UserError, match=r"leaves 500 MB for .*; the disk has 1 KB free"):
        service.add(ws, LOCAL, helpers.project(ws).id, NAME)


@pytest.mark.parametrize(
    "name",
    ["http://127.0.0.1:1/a/b", "https://huggingface.co/a/b", "../../etc/passwd", "a/b/c", "a b",
     "a/..", "", "a--b/c", "/a/b", "a/b?x=1", "a\n/b", "//a/b", "-a/b"],
)  # fmt: skip
def test_name_that_is_no_name_asks_nobody(ws, hub, name):
    with pytest.raises(UserError, match="is no name of a model"):
        service.look(ws, LOCAL, name)
    assert hub.paths() == []


@pytest.mark.parametrize("revision", ["main", "../x", "a" * 39, "A" * 40, "0" * 41])
def test_revision_is_a_commit_and_nothing_else(ws, hub, revision):
    with pytest.raises(UserError, match="is no commit"):
        service.look(ws, LOCAL, NAME, revision)
    assert hub.paths() == []


def test_commit_that_does_not_exist_is_said(ws, repo):
    with pytest.raises(NotFound, match="no such revision"):
        service.look(ws, LOCAL, NAME, "0" * 40)


@pytest.mark.parametrize("role", [Role.GUEST, Role.RATER, Role.TRAINER])
def test_hub_is_asked_for_owners_alone(ws, hub, role):
    other = Actor(name="somebody", role=role)
    for ask in (
        lambda: service.search(other, "tiny"),
        lambda: service.look(ws, other, NAME),
        lambda: service.add(ws, other, "project", NAME),
    ):
        with pytest.raises(Forbidden):
            ask()
    assert hub.paths() == []


def test_job_of_a_download_is_for_owners_whoever_hands_it_in(ws, hub):
    recipe = download_job.Recipe(name=NAME, revision="0" * 40)
    trainer = Actor(name="somebody", role=Role.TRAINER)
    with pytest.raises(Forbidden):
        lifecycle.submit(ws, trainer, helpers.project(ws).id, recipe)


def test_search_finds_bases_by_a_part_of_their_name(hub, repo):
    hub.repos["makers/other"] = Repo({}, gated="manual", cardData={"license": ["mit"]})
    (found,) = service.search(LOCAL, "TINY").models
    assert (found.name, found.licence, found.gated) == (NAME, "apache-2.0", False)
    assert found.parameters == repo.info["safetensors"]["total"]
    (other,) = service.search(LOCAL, "other").models
    assert (other.gated, other.licence, other.parameters) == (True, "mit", None)


def test_search_shows_no_name_that_is_none_and_no_control_characters(hub, repo):
    hub.repos["tiny/../../x"] = Repo({})
    hub.repos["tiny <b>"] = Repo({})
    repo.info["cardData"] = {"license": "mit\x1b[31m\n"}
    (found,) = service.search(LOCAL, "tiny").models
    assert (found.name, found.licence) == (NAME, "mit[31m")


def test_search_without_words_gives_the_catalog_and_asks_nobody(hub):
    found = service.search(LOCAL, "  ")
    assert found.models == ()
    assert found.catalog.bases
    assert hub.paths() == []


def test_catalog_is_dated_and_in_order_of_size():
    catalog = service.catalog(LOCAL)
    assert catalog.dated[:2] == "20"
    sizes = [one.parameters for one in catalog.bases]
    assert sizes == sorted(sizes)
    assert all(client.checked_name(one.name) == one.name for one in catalog.bases)
    assert all(one.licence and one.context and one.good_for for one in catalog.bases)


def test_search_without_a_network_says_so_and_shows_the_catalog(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    found = service.search(LOCAL, "tiny")
    assert "cannot be reached" in (found.problem or "")
    assert found.catalog.bases


def test_hub_that_is_switched_off_is_not_asked(ws, hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE"):
        service.look(ws, LOCAL, NAME)
    assert hub.paths() == []


def test_hub_that_does_not_answer_is_given_up_soon(ws, hub, repo, monkeypatch):
    hub.blocked = threading.Event()
    monkeypatch.setattr(client.stream.__wrapped__, "__defaults__", (None, 0, 0.2))
    with pytest.raises(Unavailable, match="cannot be reached"):
        service.look(ws, LOCAL, NAME)


def test_answer_that_trickles_in_is_given_up(hub, repo, monkeypatch):
    monkeypatch.setattr(client, "WHOLE_ANSWER_S", -1.0)
    with pytest.raises(Unavailable, match="too slowly"):
        client.read(f"/api/models/{NAME}")


def test_answer_that_is_too_long_is_not_kept(hub, repo):
    with pytest.raises(Unavailable, match="too long"):
        client.read(f"/api/models/{NAME}", most=10)


def test_failing_hub_is_no_missing_base(ws, hub, repo):
    hub.status = 503
    with pytest.raises(Unavailable, match="status 503"):
        service.look(ws, LOCAL, NAME)
    hub.status = 429
    with pytest.raises(Unavailable, match="fewer requests"):
        service.look(ws, LOCAL, NAME)


def test_answer_that_is_no_description_is_refused(ws, hub, repo, monkeypatch):
    monkeypatch.setitem(repo.info, "sha", "not a commit")
    with pytest.raises(UserError, match="does not say what"):
        service.look(ws, LOCAL, NAME)
    monkeypatch.setitem(repo.info, "sha", repo.newest)
    monkeypatch.setitem(repo.info, "id", "../../up")
    with pytest.raises(UserError, match="is no name"):
        service.look(ws, LOCAL, NAME)


def test_base_that_is_on_its_way_is_not_queued_twice(ws, repo):
    project = helpers.project(ws)
    job = service.add(ws, LOCAL, project.id, NAME)
    assert job.recipe == {"name": NAME, "revision": repo.newest}
    with pytest.raises(Conflict, match="being downloaded already"):
        service.add(ws, LOCAL, project.id, NAME)


def test_architectures_are_read_from_the_installed_library():
    assert "LlamaForCausalLM" in architectures.text_classes()["llama"]
    assert "bert" in architectures.known_types()
    assert len(architectures.text_classes()) > 100


def test_hub_is_read_without_a_training_library(hub, repo, home):
    code = (
        "import sys\n"
        "from engine.core.actor import LOCAL\n"
        "from engine.services import hub\n"
        "from engine.workspace import open_workspace\n"
        f"print(hub.look(open_workspace(), LOCAL, {NAME!r}).architecture)\n"
        "print({'torch', 'transformers', 'datasets'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["known", "set()"]
