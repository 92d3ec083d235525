"""The Loop page: generations, the chosen one, the champion, the auto loop, and cheap polls."""

import json
from dataclasses import replace

import gradio as gr
import pytest

from engine import plugins
from engine.core.actor import LOCAL
from engine.core.errors import Conflict, UserError
from engine.core.job import State
from engine.core.job_outcome import Outcome
from engine.core.job_result import DialResult, DialStop
from engine.services import job_outcomes
from engine.services.data import datasets
from engine.services.erasure import erase
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.services.loop import auto_loop_start, champion, dial
from engine.services.preferences import build
from tests import helpers
from tests.loop import loop_in_tables
from tests.rating import votes_in_tables
from tests.ui import results
from ui.components import event_cursor, loop_words, names
from ui.components.page import NavigationTarget
from ui.pages.loop import auto_loop_panel, detail, dial_chart, dial_panel
from ui.pages.loop import tab as loop_tab
from ui.pages.loop.tab import LoopView
from ui.pages.models import tab as models_tab
from ui.pages.rating import tab
from ui.pages.training import methods


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def sft(ws, project, tmp_path):
    return loop_in_tables.trained(ws, project, "first", helpers.model(ws, tmp_path), "sft")


@pytest.fixture
def source(ws, project, tmp_path):
    return helpers.dataset(ws, project.id, tmp_path)


@pytest.fixture
def gone_round(ws, project, sft):
    """Two generations, both tested against the baseline."""
    one = loop_in_tables.trained(ws, project, "one", sft)
    two = loop_in_tables.trained(ws, project, "two <b>", one)
    loop_in_tables.blind(ws, project, one, sft, 30, 8, 2)
    loop_in_tables.blind(ws, project, two, sft, 33, 5, 2)
    return one, two


def look(ws, project, chosen=None):
    """What every part shows, and the view's own fields."""
    view, values = loop_tab.of_project(ws, project.id, LoopView(picked=chosen))
    view, progress = loop_tab._under_way(ws, view)
    page = loop_words.ACTIONS[view.action].page
    return {**values, **progress, "picked": view.picked, "page": page}


def polled(ws, project, seen):
    view, *updates = loop_tab.poll(ws, project and project.id, seen)
    return view, dict(zip(loop_tab.LoopParts._fields, updates, strict=True))


def test_loop_page_without_a_project_is_empty(ws):
    view, updates = polled(ws, None, LoopView(picked="m-1"))
    assert view.picked is None
    assert updates.pop("empty").visible is True
    assert updates.pop("body").visible is False
    assert all(each == gr.skip() for each in updates.values())


def test_new_project_says_how_to_begin(ws, project):
    seen = look(ws, project)
    assert (seen["empty"], seen["go"], seen["page"]) == (True, "Add your examples", "data")


def test_generations_chart_shows_every_generation_with_its_win_rate_and_votes(
    ws, project, gone_round
):
    seen = look(ws, project)
    drawn = seen["chart"]
    assert drawn.count("data-pick=") == 2
    assert ">78 %<" in drawn
    assert ">85 %<" in drawn
    assert "W 30" in drawn
    assert "Generation 2 beats the baseline on 40" in seen["headline"]
    assert seen["rounds"]


def test_generation_without_a_round_or_an_evaluation_offers_neither(ws, project, sft):
    seen = look(ws, project)
    assert not any(seen[part] for part in ("rounds", "evaluation", "pairs"))


def test_names_are_text_and_never_markup(ws, project, gone_round):
    seen = look(ws, project)
    assert "two <b>" not in "".join(str(part) for part in seen.values())
    assert "two &lt;b&gt;" in seen["chart"]


def test_generation_is_shown_on_a_click(ws, project, gone_round):
    one, two = gone_round
    assert look(ws, project)["picked"] == two.id
    seen = look(ws, project, one.id)
    assert "Generation 1: one" in seen["chosen"]
    assert ">78 %<" in seen["chosen"]


def test_aa_round_is_a_band_on_the_generations_chart(ws, project, sft, gone_round):
    before = look(ws, project)["chart"]
    assert "tl-band" not in before
    assert "a model against itself" not in before  # nothing in the picture has that colour
    loop_in_tables.blind(ws, project, sft, sft, 10, 10)
    assert "a model against itself</span>" in look(ws, project)["chart"]
    assert "A model against itself: 50 %" in look(ws, project)["chart"]


def test_loop_page_says_why_a_value_is_missing(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft)
    assert "not tested" in look(ws, project)["chart"]
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=True)
    assert "held back" in look(ws, project)["chart"]
    assert "BLEU: 0.40 to 0.20" in look(ws, project)["chosen"]
    two = loop_in_tables.trained(ws, project, "two", sft)
    loop_in_tables.blind(ws, project, two, sft, 5, 5, close=False)
    assert "being rated" in look(ws, project)["chart"]


def test_promoting_and_going_back_are_shown(ws, project, gone_round):
    one, two = gone_round
    loop_tab.promote(ws, project.id, LoopView(picked=one.id))
    assert not look(ws, project, one.id)["promote"]
    assert not look(ws, project)["back"]
    loop_tab.promote(ws, project.id, LoopView(picked=two.id))
    seen = look(ws, project)
    assert seen["back"]
    assert "★ champion" in seen["chart"]
    assert "Generation 2 beats" in seen["champion"]
    loop_tab.roll_back(ws, project.id, LoopView())
    assert champion.current(ws, LOCAL, project.id).id == one.id


def test_promotion_needs_a_choice(ws, project):
    with pytest.raises(UserError, match="No generation"):
        loop_tab.promote(ws, project.id, LoopView())


def test_loop_page_redraws_changed_parts_only(ws, project, gone_round):
    view, updates = polled(ws, project, LoopView())
    assert updates["promote"].visible is True
    again, updates = polled(ws, project, view)
    assert again == view
    assert all(each == gr.skip() for each in updates.values())


def test_poll_without_news_computes_no_history(ws, project, gone_round, monkeypatch):
    view, _ = polled(ws, project, LoopView())
    monkeypatch.setattr(loop_tab, "history", lambda *_: pytest.fail("read again"))
    polled(ws, project, view)
    with pytest.raises(pytest.fail.Exception, match="read again"):
        polled(ws, project, replace(view, picked=gone_round[0].id))


def test_poll_draws_a_vote_and_a_promotion_at_once(ws, project, gone_round):
    view, _ = polled(ws, project, LoopView())
    champion.promote(ws, LOCAL, project.id, gone_round[0].id)
    view, updates = polled(ws, project, view)
    assert "★ champion" in updates["chart"]
    assert updates["headline"] == gr.skip()


def test_poll_of_another_project_shows_that_one(ws, project, gone_round):
    view, _ = polled(ws, project, LoopView())
    view, updates = polled(ws, helpers.project(ws, "Other"), view)
    assert updates["empty"].visible is True
    assert view.picked is None


def test_poll_reads_the_auto_loop_by_cursor(ws, project, sft, source, monkeypatch):
    job = auto_loop_start.start(ws, LOCAL, project.id)
    view, _ = polled(ws, project, LoopView())
    results.say(ws, job.id, ("log", None, {"text": "Starting <b>rating</b> round 1"}))
    view, updates = polled(ws, project, view)
    assert "Starting &lt;b&gt;rating" in updates["progress"].value
    assert updates["chart"] == gr.skip()
    asked = []
    monkeypatch.setattr(lifecycle, "stored_events", lambda *given: asked.append(given[3]) or [])
    polled(ws, project, view)
    assert asked == [view.track(job.id).seq]


def test_links_aim_at_the_run_and_the_pairs(ws, project, sft, source):
    job = auto_loop_start.start(ws, LOCAL, project.id)
    one = loop_in_tables.trained(ws, project, "one", sft, dataset=source.id, job=job.id)
    picked = LoopView(picked=one.id)
    assert loop_tab.aim_at_run(ws, project.id, picked) == NavigationTarget(run=job.id)
    assert loop_tab.aim_at_pairs(ws, project.id, picked) == NavigationTarget(
        method="dpo", dataset=source.id
    )
    nobody = (loop_tab.aim_at_run, loop_tab.aim_at_votes, loop_tab.aim_at_evaluation)
    assert [aims(ws, None, LoopView()) for aims in nobody] == [NavigationTarget()] * 3


def test_links_aim_at_the_votes_and_the_evaluation(ws, project, sft, source):
    one = loop_in_tables.trained(ws, project, "one", sft, dataset=source.id)
    open_one = loop_in_tables.blind(ws, project, one, sft, 5, 5, close=False)
    assert loop_tab.aim_at_votes(ws, project.id, LoopView(picked=one.id)) == NavigationTarget(
        round=open_one.id
    )
    two = loop_in_tables.trained(ws, project, "two", one, dataset=source.id)
    tested = loop_in_tables.blind(ws, project, two, sft, 30, 8, 2)
    loop_in_tables.evaluated(ws, project, source, one, two, regressed=False)
    picked = LoopView(picked=two.id)
    assert loop_tab.aim_at_votes(ws, project.id, picked) == NavigationTarget(round=tested.id)
    assert tab.read(ws, project.id, tested.id)["which"][1] == tested.id
    aim = loop_tab.aim_at_evaluation(ws, project.id, picked)
    assert two.id in evaluations.get(ws, LOCAL, aim.evaluation).models


def test_auto_loop_starts_with_what_fits(ws, project, sft, source):
    usual = auto_loop_start.usually(ws, LOCAL, project.id)
    assert usual == (sft.id, source.id, source.id)
    said = auto_loop_panel.start(
        ws, project.id, LoopView(), *usual, auto_loop_panel.PEOPLE, 2, 24, None
    )
    assert "appears here" in said
    job = auto_loop_start.newest(ws, LOCAL, project.id)
    assert (job.recipe["rater"], job.recipe["prompts"], job.lane) == (None, 24, "loop")
    seen = look(ws, project)
    assert seen["stop"]
    assert "waits for a worker" in seen["progress"]
    auto_loop_panel.stop(ws, project.id, LoopView())
    assert "Start it again to go on" in look(ws, project)["progress"]


def test_auto_loop_is_refused_while_another_runs(ws, project, sft, source):
    auto_loop_start.start(ws, LOCAL, project.id)
    with pytest.raises(Conflict, match="already"):
        auto_loop_start.start(ws, LOCAL, project.id, prompts=30)


def test_auto_loop_start_takes_every_field_of_the_recipe():
    fields = auto_loop_start.recipe().model_fields
    assert auto_loop_start.LoopOptions.__annotations__.keys() == fields.keys()


def test_auto_loop_offers_the_champion_as_its_start(ws, project, sft, source):
    loop_in_tables.trained(ws, project, "newer", sft)
    champion.promote(ws, LOCAL, project.id, sft.id)
    assert auto_loop_start.usually(ws, LOCAL, project.id).model == sft.id


def test_champion_is_offered_first_and_marked(ws, project, gone_round):
    one, two = gone_round
    assert names.first_two(ws, project.id)[-1] == two.id
    champion.promote(ws, LOCAL, project.id, one.id)
    assert names.first_two(ws, project.id)[-1] == one.id
    trained = [(label, m) for label, m in names.choices(ws, project.id) if "(base)" not in label]
    assert trained[0] == ("one (champion)", one.id)


def test_training_on_votes_starts_from_the_champion(ws, project, gone_round):
    one, _ = gone_round
    champion.promote(ws, LOCAL, project.id, one.id)
    offered = methods.choices(ws, project.id, plugins.load("jobs", "dpo").Recipe)
    assert offered[0][0] == ("one", one.id)


def test_auto_loop_form_says_what_is_missing(ws, project):
    with pytest.raises(UserError, match="no trained model"):
        auto_loop_start.start(ws, LOCAL, project.id)


def test_dataset_without_held_out_rows_cannot_test(ws, project, sft, tmp_path, source):
    path = helpers.chat_file(tmp_path, 10, "all.jsonl")
    bare = loop_dataset(ws, project, path)
    with pytest.raises(UserError, match="no held-out questions"):
        auto_loop_start.start(ws, LOCAL, project.id, dataset_test=bare)


def loop_dataset(ws, project, path):
    return datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.0).id


def test_failed_loop_says_why(ws, project, sft, source):
    job = auto_loop_start.start(ws, LOCAL, project.id)
    failed = lifecycle.get(ws, LOCAL, job.id).model_copy(
        update={"state": State.FAILED, "error": "No <i>room</i>."}
    )
    assert "stopped early. No &lt;i&gt;room" in detail.progress(failed, event_cursor.Track())


def test_every_simulated_rater_can_be_chosen_and_people_come_first():
    offered = auto_loop_panel.raters()
    assert offered[0] == ("People", auto_loop_panel.PEOPLE)
    assert ("Simulated: shorter", "shorter") in offered


def test_generation_and_model_say_that_votes_behind_them_were_deleted(ws, project, sft):
    votes_in_tables.filled(ws, project.id, (sft, sft), raters="ab")
    made = build.make(ws, LOCAL, project.id)
    taught = loop_in_tables.trained(ws, project, "taught", sft, dataset=made.dataset_id)
    later = loop_in_tables.trained(ws, project, "later", taught)
    assert "Stale" not in look(ws, project)["chosen"] + models_tab.refresh(ws, project.id)[1]
    erase(ws, LOCAL, project.id, "a")
    for one in (taught, later):
        assert "Stale: 24 votes behind these pairs" in look(ws, project, one.id)["chosen"]
    assert models_tab.refresh(ws, project.id)[1].count("Stale: 24 votes") == 2


def dialled(ws, project, sft, pairs):
    """A generation with a dial: the folders of both adapters are there."""
    one = loop_in_tables.trained(ws, project, "tuned", sft, "dpo", pairs.id)
    for model in (sft, one):
        folder = ws.files / model.path
        folder.mkdir(parents=True)
        config = {"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return one


def stops(*kept):
    return tuple(
        DialStop(
            strength=0.5 * n, margin=0.1 * n, metric=0.6 - 0.04 * n, length=9 - n, perplexity=2 + n,
            kept=each, reasons=() if each else ("Exact match <fell>.",), recommended=n == 1,
        )
        for n, each in enumerate(kept)
    )  # fmt: skip


def test_dial_is_offered_for_a_generation_with_adapters_alone(ws, project, gone_round):
    assert look(ws, project)["dial"] is False  # of these models no file is there


def test_dial_shows_each_strength_and_the_recommended_one(ws, project, sft, tmp_path):
    source = helpers.dataset(ws, project.id, tmp_path, rows=240)
    one = dialled(
        ws, project, loop_in_tables.trained(ws, project, "sft", sft, "sft", source.id), source
    )
    seen = look(ws, project)
    assert (seen["picked"], seen["dial"]) == (one.id, True)
    assert (seen["dial_picture"], seen["dial_choice"], seen["strength"]) == ("", False, None)
    view = LoopView(picked=one.id)
    assert "Every strength" in dial_panel.measure(ws, project.id, view)
    assert "waits for a worker" in look(ws, project)["dial_picture"]
    job = lifecycle.list_all(ws, LOCAL, project.id, ("dial",))[0]
    found = DialResult(
        stops=stops(True, True, False), metric="exact_match", questions=30, pairs=24,
        recommended=0.5, sentence="Strength 0.5 is recommended.",
    )  # fmt: skip
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(result=found))
    seen = look(ws, project)
    drawn = seen["dial_picture"]
    assert (seen["dial_choice"], seen["strength"]) == (True, 0.5)
    assert "Strength 0.5 is recommended." in drawn
    assert "24 pairs that it learned" in drawn
    assert "Exact match &lt;fell&gt;." in drawn
    assert drawn.count("tl-dial-lost") == 2  # in both pictures
    assert drawn.count("<tr>") == 4
    assert dial_panel.label(0.5) == "Use strength 0.5"
    assert "tuned at 0.55" in dial_panel.use(ws, project.id, view, 0.55)
    job = lifecycle.list_all(ws, LOCAL, project.id, ("strength",))[0]
    assert job.recipe["strength"] == 0.55


def test_dial_without_a_kept_strength_says_so(ws, project):
    found = DialResult(stops=stops(True, False), metric="rougeL", questions=30, sentence="None.")
    drawn = dial_chart.picture(found)
    assert "no margin" in drawn
    assert "tl-dial-gain" not in drawn


def test_failed_measurement_shows_its_reason(ws, project, sft, tmp_path):
    source = helpers.dataset(ws, project.id, tmp_path, rows=240)
    one = dialled(
        ws, project, loop_in_tables.trained(ws, project, "sft", sft, "sft", source.id), source
    )
    job = dial.start(ws, LOCAL, project.id, one.id)
    job = helpers.claimed(ws, job.id)
    job_outcomes.end(ws, job.id, job.fence, State.FAILED, "No <room>.")
    assert "No &lt;room&gt;." in look(ws, project)["dial_picture"]
    assert look(ws, project)["dial_choice"] is False
