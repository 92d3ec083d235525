"""A trained model leaves in a format of others, answers there as it does here, or says why not."""

import io
import json
import shutil
import time
import zipfile

import pytest

from engine import child
from engine.core import extras, ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound, UserError
from engine.core.examples import Chat, Message
from engine.core.export import CAUSES, ArtefactAnswer, Cause, Certificate
from engine.core.job import State
from engine.core.model import Model
from engine.exporters import card as card_module
from engine.exporters import certificate, gguf, merged
from engine.exporters.certificate import ModelAnswer
from engine.services import exports
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import models
from engine.store.connect import writing
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.untrained_adapter import adapter

pytestmark = pytest.mark.train
SECRET = "hf_" + "x" * 30


@pytest.fixture
def world(home, tiny_model, tmp_path, with_tools):
    """(workspace, project, the adapter as a model of it)."""
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    project = helpers.project(ws)
    data = helpers.dataset(ws, project.id, tmp_path)
    folder = ws.files / "jobs" / "made" / "model"
    adapter(tiny_model, folder, seed=1)
    new = Model(
        id=ids.new("model"),
        project_id=project.id,
        name="Support bot",
        kind="adapter",
        source="trained",
        path="jobs/made/model",
        base_id=base.id,
        dataset_id=data.id,
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        models.add(conn, new)
    yield ws, project, new
    ws.close()


def exported(ws, project, model, to, **values):
    asked = {"model": model.id, "to": to, "prompts": 5, "max_new_tokens": 12, **values}
    job = exports.start(ws, LOCAL, project.id, asked)
    helpers.claimed(ws, job.id)
    state = child.run(ws, job.id, 1)
    return lifecycle.get(ws, LOCAL, job.id), state


@pytest.mark.parametrize("to", ["adapter", "merged", "vllm", "cog"])
def test_export_answers_outside_as_the_model_does(world, to, monkeypatch):
    ws, project, model = world
    monkeypatch.setenv("HF_TOKEN", SECRET)
    job, state = exported(ws, project, model, to)
    assert state is State.DONE, job.error
    proof = exports.result(ws, LOCAL, job.id).certificate
    assert (proof.n, proof.same, proof.causes) == (5, 5, ())
    folder = exports.folder(ws, LOCAL, job.id)
    names = {file.name for file in exports.result(ws, LOCAL, job.id).files}
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert names == {path.relative_to(folder).as_posix() for path in paths}
    assert "README.md" in names
    text = b"".join(path.read_bytes() for path in paths if path.suffix != ".safetensors")
    for private in (str(ws.settings.home), str(registry.files(ws, model).base), SECRET):
        assert private.encode() not in text
    assert not list(folder.parent.glob(".export*"))


def test_export_is_the_same_to_the_byte_twice(world):
    ws, project, model = world
    first, _ = exported(ws, project, model, "merged", certify=False)
    second, _ = exported(ws, project, model, "merged", certify=False, prompts=6)
    assert first.result.files == second.result.files
    assert first.result.certificate is None


def test_export_merged_has_the_logits_of_the_adapter_over_its_base(world):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ws, project, model = world
    job, _ = exported(ws, project, model, "merged", certify=False)
    files = registry.files(ws, model)
    own = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(files.base), files.adapter)
    merged = AutoModelForCausalLM.from_pretrained(exports.folder(ws, LOCAL, job.id))
    ids_BT = torch.arange(5, 45).reshape(2, 20)
    with torch.inference_mode():
        worst = (own(ids_BT).logits - merged(ids_BT).logits).abs().max()
    assert worst < 1e-4


def test_export_of_an_adapter_names_its_base_and_its_revision(world):
    ws, project, model = world
    job, _ = exported(ws, project, model, "adapter", certify=False)
    settings = json.loads((exports.folder(ws, LOCAL, job.id) / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "tiny-model"
    assert settings["revision"] is None


def test_export_vllm_writes_a_command_with_room_for_the_rank(world):
    ws, project, model = world
    job, _ = exported(ws, project, model, "vllm", certify=False)
    script = (exports.folder(ws, LOCAL, job.id) / "serve.sh").read_text()
    assert "'--lora-modules=Support bot=.'" in script
    assert "--max-lora-rank=8" in script


def test_export_card_names_data_and_base(world):
    ws, project, model = world
    job, _ = exported(ws, project, model, "adapter", certify=False)
    card = (exports.folder(ws, LOCAL, job.id) / "README.md").read_text()
    for part in ("Support bot", "base_model: tiny-model", "Licence of the base: not recorded"):
        assert part in card


def test_export_card_says_what_the_files_are_and_what_was_compared(world):
    ws, project, model = world
    job, _ = exported(ws, project, model, "merged", certify=False)
    card = (exports.folder(ws, LOCAL, job.id) / "README.md").read_text()
    assert "library_name: transformers" in card
    assert merged.SUMMARY in card
    assert "Not compared: the export was made without a certificate." in card
    proof = Certificate(runtime="llama.cpp", n=50, same=50)
    told = card_module.finished_card("---\nlibrary_name: peft\n---\n\n# A", gguf, proof, 64)
    assert "library_name: gguf" in told
    assert proof.sentence in told
    assert "at most 64 tokens" in told


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"to": "gguf"}, "Comparing the answers needs xllamacpp, which is not installed here"),
        ({"to": "ollama"}, "Comparing the answers needs xllamacpp, which is not installed here"),
        ({"to": "gguf", "quantisation": "Q4_K_M", "certify": False}, "Q4_K_M needs xllamacpp"),
        ({"to": "hub"}, "The repository on the Hub has no name"),
        ({"to": "hub", "repository": "not a name"}, "not a name"),
    ],
)
def test_export_that_could_only_fail_is_refused_at_once(world, monkeypatch, values, problem):
    ws, project, model = world
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    before = len(exports.list_all(ws, LOCAL, project.id))
    with pytest.raises(UserError, match=problem) as refused:
        exports.start(ws, LOCAL, project.id, {"model": model.id, **values})
    if "xllamacpp" in problem:
        assert "pip install 'tuneloop[gguf]'" in refused.value.fix
    assert len(exports.list_all(ws, LOCAL, project.id)) == before


def test_export_refuses_what_it_cannot_do(world):
    ws, project, model = world
    base = next(one for one in registry.list_all(ws, LOCAL) if one.kind == "base")
    job, state = exported(ws, project, base, "adapter", certify=False)
    assert state is State.FAILED
    assert "whole model" in job.error
    with pytest.raises(UserError, match="no questions"):
        exports.start(ws, LOCAL, project.id, {"model": base.id, "to": "merged"})
    with pytest.raises(UserError, match="There is no exporter named 'onnx'"):
        exports.start(ws, LOCAL, project.id, {"model": model.id, "to": "onnx"})


def test_export_is_for_trainers_of_the_project_only(world):
    ws, project, model = world
    job, _ = exported(ws, project, model, "adapter", certify=False)
    rater = Actor(name="ada", role=Role.RATER, projects=frozenset({project.id}))
    stranger = Actor(name="bob", role=Role.TRAINER, projects=frozenset())
    with pytest.raises(Forbidden):
        exports.folder(ws, rater, job.id)
    with pytest.raises(NotFound):
        exports.folder(ws, stranger, job.id)
    with pytest.raises(NotFound):
        exports.start(ws, stranger, project.id, {"model": model.id, "to": "adapter"})


# Four faults of exports that people report most, planted in an artefact that was right.


def other_template(folder):
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("<|im_start|>", "<|im_start|> "))


def doubled_start(folder):
    path = folder / "chat_template.jinja"
    path.write_text("{{ '<|im_start|>' }}" + path.read_text())


def missing_end(folder):
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text()) | {"eos_token_id": 7}
    path.write_text(json.dumps(settings))


def short_context(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"max_position_embeddings": 16}
    path.write_text(json.dumps(config))


FAULTS = {
    Cause.TEMPLATE: other_template,
    Cause.DOUBLED_START: doubled_start,
    Cause.END_TOKEN: missing_end,
    Cause.CONTEXT: short_context,
}


@pytest.fixture(scope="module")
def answering(tmp_path_factory, tiny_model):
    """A folder of a model that ends its answers, and what it answers itself."""
    from engine.models.chat_template import Template
    from tests.models.test_end_tokens import assistant, files_of, taught, user

    folder = tmp_path_factory.mktemp("answering") / "model"
    shutil.copytree(tiny_model, folder)
    asked = {"a": "one", "b": "two", "c": "x"}
    rows = [Chat(messages=(user(q), assistant(a))) for q, a in asked.items()]
    taught(folder, rows)
    template = Template.load(folder)
    config = {"eos_token_id": template.end_id}
    (folder / "generation_config.json").write_text(json.dumps(config))
    prompts = [row.prompt for row in rows]
    from engine.models.answer import Answerer

    files = files_of(folder)
    replies = Answerer(folder).answer(files, prompts, max_new_tokens=8)
    own = [
        ModelAnswer(p, ("one",), template.prompt_text(p), tuple(template.prompt_ids(p)), r.text,
                    r.finished)
        for p, r in zip(prompts, replies, strict=True)
    ]  # fmt: skip
    assert [one.text for one in own] == ["one", "two", "x"]
    return folder, own


def test_certificate_of_a_right_artefact_is_all_the_same(answering):
    folder, own = answering
    proof = certificate.certify(merged.RUNTIME, folder, folder, own, 8, ("exact_match",))
    assert (proof.same, proof.n, proof.causes, proof.differences) == (3, 3, (), ())
    assert proof.sentence == "transformers gives the same text on 3 of 3 prompts."


@pytest.mark.parametrize("cause", FAULTS)
def test_certificate_names_the_fault(answering, cause, tmp_path):
    folder, own = answering
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    FAULTS[cause](broken)
    proof = certificate.certify(merged.RUNTIME, broken, folder, own, 8, ("exact_match",))
    assert proof.causes == (cause,)
    assert CAUSES[cause] in proof.sentence


def answer(text, **other):
    known = {"prompt_text": "p", "prompt_ids": (1, 2), "finished": True}
    return ArtefactAnswer(text=text, **{**known, **other})


def own_answer(text):
    return ModelAnswer((Message(role="user", content="q"),), ("r",), "p", (1, 2), text, True)


def test_certificate_puts_the_rest_down_to_fewer_bits_or_to_ties():
    own, found = [own_answer("a b c"), own_answer("d")], [answer("a x c"), answer("d")]
    metrics = ("exact_match", "token_f1")
    quantised = certificate.compare("llama.cpp", own, found, metrics, quantised=True, gaps={0: 0.7})
    assert (quantised.causes, quantised.holds) == ((Cause.QUANTISATION,), False)
    assert "at most 101.4% likelier" in quantised.sentence
    tie = certificate.compare("llama.cpp", own, found, metrics, gaps={0: 0.004})
    assert (tie.causes, tie.holds, tie.gap) == ((Cause.ROUNDING,), True, 0.004)
    assert "between tokens that tie" in tie.sentence
    assert "at most 0.4% likelier" in tie.sentence
    assert [one.metric for one in tie.differences] == list(metrics)
    assert "No difference shown in exact_match, token_f1." in tie.sentence


@pytest.mark.parametrize("gaps", [{}, {0: 0.004, 1: 1.2}], ids=["unmeasured", "measured"])
def test_certificate_does_not_call_a_clear_choice_rounding(gaps):
    own, found = [own_answer("a b c"), own_answer("d")], [answer("a x c"), answer("e")]
    proof = certificate.compare("llama.cpp", own, found, ("exact_match",), gaps=gaps)
    assert (proof.causes, proof.holds) == ((), False)
    assert "the cause is not a known one" in proof.sentence
    assert ("up to 3.3 times as likely" in proof.sentence) is bool(gaps)


def test_certificate_calls_an_end_that_was_nearly_a_tie_no_fault_of_the_end_token():
    own, found = [own_answer("a b c")], [answer("a b")]
    asked = ("llama.cpp", own, found, ("exact_match",))
    assert certificate.compare(*asked, quantised=True).causes == (Cause.END_TOKEN,)
    near = certificate.compare(*asked, quantised=True, gaps={0: 0.3})
    assert near.causes == (Cause.QUANTISATION,)
    clear = certificate.compare(*asked, quantised=True, gaps={0: 3.0})
    assert clear.causes == (Cause.END_TOKEN,)


def test_parting_is_the_first_token_that_differs():
    def tokens(text):
        return [ord(letter) for letter in text]

    found = certificate.parting(own_answer("abc"), answer("abx"), tokens, 0)
    assert found == ((1, 2, 97, 98), 99, 120)
    ended = certificate.parting(own_answer("ab"), answer("abx", finished=False), tokens, 0)
    assert ended == ((1, 2, 97, 98), 0, 120)
    assert certificate.parting(own_answer("ab"), answer("ab"), tokens, 0) is None


def test_export_measures_how_near_the_tokens_are_where_answers_part(world, monkeypatch):
    ws, project, model = world

    def other(*_, **__):
        found = asked(*_, **__)
        return [one.model_copy(update={"text": "zzz"}) for one in found]

    asked = certificate.ask
    monkeypatch.setattr(certificate, "ask", other)
    job, state = exported(ws, project, model, "adapter")
    proof = job.result.certificate
    assert (state, proof.same, proof.causes) == (State.DONE, 0, ())
    assert proof.gap is not None
    assert proof.gap > 0


def test_certificate_tells_another_tokenizer():
    proof = certificate.compare(
        "llama.cpp", [own_answer("a")], [answer("b", prompt_ids=(3, 4))], ()
    )
    assert proof.causes == (Cause.TOKENIZER,)


def test_certificate_says_when_the_artefact_cannot_be_loaded(tmp_path, tiny_model):
    with pytest.raises(UserError, match="transformers cannot answer with the exported model"):
        certificate.ask(
            merged.RUNTIME, tmp_path, tiny_model, [[Message(role="user", content="a")]], 4
        )


def test_export_card_on_the_page_shows_the_certificate_and_a_link(world):
    from ui.components.refresh import Drawn
    from ui.pages.models import export_panel

    ws, project, model = world
    job, _ = exported(ws, project, model, "adapter")
    text, timer = export_panel.draw(ws, project.id, Drawn())[1:]
    assert "the same text on 5 of 5 prompts" in text
    assert f"downloads/exports/{job.id}" in text
    assert timer.active is False


def test_export_packs_to_an_archive_of_the_same_bytes(world):
    ws, project, model = world
    job, _ = exported(ws, project, model, "adapter", certify=False)
    pieces = b"".join(exports.packed(ws, LOCAL, job.id))
    folder = exports.folder(ws, LOCAL, job.id)
    with zipfile.ZipFile(io.BytesIO(pieces)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(path.name for path in folder.iterdir())
        for name in archive.namelist():
            assert archive.read(name) == (folder / name).read_bytes()
