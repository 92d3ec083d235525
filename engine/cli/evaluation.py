"""evaluation score | compare | judge | run; benchmark.py adds evaluation benchmark."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from engine import plugins
from engine.cli import common, own_metric, recipe_options
from engine.cli.common import as_json, in_project, show, wait, working, workspace
from engine.cli.training import changed, values_of, with_ids
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.evaluation import Evaluation, Mean
from engine.core.evaluation_sentences import caveat, of_cut_answers
from engine.core.recipe import Recipe, read
from engine.metrics.compare_systems import TESTS, PairedTest, compare_systems
from engine.metrics.llm_judge import Question, compare, from_environment
from engine.metrics.score import equal_in_squad, score_all, score_with
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.stats.verdict import verdict

EVALUATION: type[Recipe] = plugins.load("jobs", "evaluate").Recipe
METRICS = "bleu,rouge,meteor,exact_match"
ALIASES = {"rouge": ("rouge1", "rouge2", "rougeL")}
FILE = click.Path(path_type=Path)
NumberedRow = tuple[int, dict[str, object]]


class Number(NamedTuple):
    """A number of a JSON file, as it is written there."""

    text: str


@click.group()
def evaluation() -> None:
    """Score text files, or generate answers with models and score them."""


@evaluation.command()
@click.option(
    "--predictions", required=True, type=FILE, help="Text with one prediction per line, or JSONL."
)
@click.option(
    "--references", type=FILE, help="Text with one reference per line, or JSONL (lists allowed)."
)
@click.option("--metrics", default=METRICS, show_default=True)
@click.option(
    "--json-schema",
    "schema",
    type=FILE,
    help="Also report the share of predictions valid under this schema.",
)
@click.option("--metric-file", "mine", help="Also use your own metric, given as my.py:function.")
@as_json
def score(
    predictions: Path,
    references: Path | None,
    metrics: str,
    schema: Path | None,
    mine: str | None,
    as_json: bool,
) -> None:
    """Score predictions against references and print each mean with its 95 % interval.

    JSONL rows have `prediction`, and `reference` or `references`; one file may have both.
    A null prediction is a failed answer: it is counted but not scored. The function given by
    --metric-file takes (predictions, references) and returns one score from 0 to 1 per row; it
    runs with your permissions.
    """
    texts, beside = _predictions(predictions)
    expected = _accepted(references) if references else beside
    if expected is None:
        raise UserError(
            f"{(references or predictions).name} has no references.", "Give --references."
        )
    extra = [f"json_schema:{_text(schema)}"] if schema else []
    scores = score_all([*_names(metrics), *extra], texts, expected)
    if mine:
        scores[mine] = score_with(own_metric.named(mine), texts, expected).mean
    lines = [
        f"{name.partition(':{')[0]:12} {m.score:.4f}  (95 % interval {m.low:.4f} to "
        f"{m.high:.4f}; n={m.n}{f', failed {m.failed}' if m.failed else ''}){_few(m)}"
        for name, m in scores.items()
    ]
    if any(name.startswith("squad_") for name in scores) and (twins := equal_in_squad(expected)):
        lines.append(
            f"SQuAD's normalisation takes the references {twins[0]!r} and {twins[1]!r} as equal; "
            "exact_match tells them apart."
        )
    show(scores, "\n".join(lines), as_json)


@evaluation.command("compare")
@click.argument("systems", nargs=-1, required=True, type=FILE)
@click.option(
    "--references", required=True, type=FILE, help="Text with one reference per line, or JSONL."
)
@click.option("--metrics", default=METRICS, show_default=True)
@click.option(
    "--test",
    default="permutation",
    show_default=True,
    type=click.Choice(["permutation", *TESTS]),
    help="Also print the p of sacrebleu's paired approximate randomisation or bootstrap.",
)
@as_json
def compare_files(
    systems: tuple[Path, ...], references: Path, metrics: str, test: PairedTest, as_json: bool
) -> None:
    """Compare files of predictions for the same rows, each with the first of SYSTEMS.

    Gains have a 95 % interval of the paired difference and a p that allows for their number.
    Metrics may have options: bleu:tokenize=intl+lowercase, chrf:word_order=2, rougeL:stemmer.
    """
    if len({*systems}) < 2 or len({*systems}) < len(systems):
        raise UserError("A comparison needs two or more different files.", "Name each once.")
    expected = _accepted(references)
    if expected is None:
        raise UserError(f"{references.name} has no references.", "Name the field references.")
    answers = {str(path): _predictions(path)[0] for path in systems}
    comparison = compare_systems(answers, expected, _names(metrics), test)
    lines = []
    for name, each in comparison.items():
        for metric, mean in each.scores.items():
            line = f"{name:24} {metric:12} {mean.score:.4f} ({mean.low:.4f} to {mean.high:.4f})"
            beside = f"  {each.gains[metric].sentence}" if metric in each.gains else ""
            p = f"  {test} p = {each.p[metric]:.4f}" if metric in each.p else ""
            lines.append(f"{line}{beside}{p}{_few(mean)}")
    show({"systems": comparison}, "\n".join(lines), as_json)


@evaluation.command()
@click.option("--answers", required=True, type=FILE, help="JSONL rows with prompt, base and new.")
@as_json
def judge(answers: Path, as_json: bool) -> None:
    """Let a language model judge which of two answers is better, each pair in both orders.

    The judge is any OpenAI-compatible endpoint, set by TUNELOOP_JUDGE_URL (ending in /v1),
    TUNELOOP_JUDGE_MODEL and, if required, TUNELOOP_JUDGE_KEY. The answers are sent to it.
    """
    endpoint = from_environment(os.environ)
    questions = _questions(answers)
    found = compare(endpoint, questions)
    preference = verdict(found.wins, found.losses, found.ties)
    text = (
        f"{preference.sentence}\nThe judge contradicted itself on {found.contradicted} of "
        f"{len(questions)} pairs (counted as ties) and failed on {found.failed} (not counted)."
    )
    show({"verdict": preference, "judged": found}, text, as_json)


@evaluation.command("run")
@click.argument("recipe", required=False, type=FILE)
@click.option(
    "--model",
    "wanted",
    multiple=True,
    help="Model to evaluate; repeat it, the baseline first.",
)
@click.option("--metrics", help="Names, separated by commas; rouge stands for its three.")
@recipe_options.options(EVALUATION, aliases={"max_rows": ["--rows"]})
@click.option("--set", "changes", multiple=True, help="FIELD=VALUE, as in the file.")
@in_project
@as_json
def run_job(
    recipe: Path | None,
    wanted: tuple[str, ...],
    metrics: str | None,
    changes: tuple[str, ...],
    project: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Generate answers to held-out rows and compare each model with the first.

    Options may also stand in the YAML file RECIPE, under the same names.
    """
    values = values_of(recipe, changes) if recipe else changed({}, changes)
    values.pop("kind", None)
    values |= recipe_options.given(options)
    if wanted:
        values["models"] = [*wanted]
    if metrics or "metrics" not in values:
        values["metrics"] = [*_names(metrics or METRICS)]
    with workspace() as ws:
        chosen = common.project(ws, project)
        values = with_ids(ws, chosen.id, values)
        models = values.get("models")
        names = list(map(str, models)) if isinstance(models, list) else []
        values["models"] = [common.model_id(ws, chosen.id, name) for name in names]
        checked = read(EVALUATION, values)
        with working(ws):
            job = wait(ws, lifecycle.submit(ws, LOCAL, chosen.id, checked, "Evaluation"))
        evaluation = evaluations.get(ws, LOCAL, job.result.evaluation_id or "")
        lines = _lines_of(evaluation, dict(zip(evaluation.models, names, strict=True)))
        summary = evaluation.model_dump(mode="json", exclude={"rows"})
        show(summary, "\n".join(lines), as_json)


def _lines_of(evaluation: Evaluation, names: Mapping[str, str]) -> list[str]:
    """Scores and gains of each model by the name that it was asked for by; then cut answers."""
    lines = []
    for model, name in names.items():
        for metric, mean in evaluation.means[model].items():
            lines.append(
                f"{name:24} {metric:12} {mean.score:.4f} ({mean.low:.4f} to {mean.high:.4f})"
                f"{_few(mean)}"
            )
        for metric, gain in evaluation.gains.get(model, {}).items():
            lines.append(f"{name:24} {metric:12} {gain.sentence}")
    return lines + of_cut_answers(evaluation, names)


def _few(mean: Mean) -> str:
    return f"  {warning}" if (warning := caveat(mean)) else ""


def _names(metrics: str) -> list[str]:
    """Metric names of a comma-separated list; `rouge` stands for its three."""
    return [n for m in metrics.split(",") for n in ALIASES.get(m.strip(), (m.strip(),))]


def _questions(path: Path) -> list[Question]:
    rows = _rows(path, _lines(path))
    for number, row in rows:
        if not all(isinstance(row.get(field), str) for field in Question._fields):
            raise UserError(
                f"Line {number} of {path.name} lacks a text for prompt, base or new.", "Add it."
            )
    if not rows:
        raise UserError(f"{path.name} has no rows.", "Give it one line of JSON for each pair.")
    return [Question(*(str(row[field]) for field in Question._fields)) for _, row in rows]


def _predictions(path: Path) -> tuple[list[str | None], list[list[str]] | None]:
    """The predictions of a file, and the references that stand beside them, where any do."""
    lines = _lines(path)
    if not _is_jsonl(lines):
        return [*lines], None
    rows = _rows(path, lines)
    missing = next((number for number, row in rows if "prediction" not in row), None)
    if missing is not None:
        raise UserError(f"Line {missing} of {path.name} has no 'prediction'.", "Name the field so.")
    return [_answer(path, n, row["prediction"]) for n, row in rows], _accepted_in(path, rows)


def _accepted(path: Path) -> list[list[str]] | None:
    """The references of each row of a file; None where it has none."""
    lines = _lines(path)
    if not _is_jsonl(lines):
        return [[line] for line in lines]
    return _accepted_in(path, _rows(path, lines))


def _is_jsonl(lines: Sequence[str]) -> bool:
    return bool(lines) and lines[0].lstrip().startswith("{")


def _rows(path: Path, lines: Sequence[str]) -> list[NumberedRow]:
    return [(n, _row(path, n, line)) for n, line in enumerate(lines, 1) if line.strip()]


def _accepted_in(path: Path, rows: Sequence[NumberedRow]) -> list[list[str]] | None:
    if not any("reference" in row or "references" in row for _, row in rows):
        return None
    return [_references(path, number, row) for number, row in rows]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path.name} is not UTF-8 text.", "Save it as UTF-8.") from None


def _lines(path: Path) -> list[str]:
    """The lines of a file: only a line feed ends one, since answers may hold other separators."""
    lines = _text(path).split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def _answer(path: Path, number: int, value: object) -> str | None:
    return None if value is None else _as_text(path, number, "prediction", value)


def _references(path: Path, number: int, row: Mapping[str, object]) -> list[str]:
    many = row.get("references", row.get("reference"))
    each = many if isinstance(many, list) else [many]
    return [_as_text(path, number, "reference", value) for value in each]


def _as_text(path: Path, number: int, field: str, value: object) -> str:
    """A text as it is; a number, true or false as it is written in the file."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    kinds = ((dict, "an object"), (list, "a list"))
    kind = next((name for each, name in kinds if isinstance(value, each)), "missing or null")
    raise UserError(
        f"Line {number} of {path.name}: the {field} is {kind}.",
        "Give a text, or leave it out.",
    )


def _row(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        row = json.loads(line, parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise UserError(f"Line {number} of {path.name} is not a JSON object.", "Correct the line.")
    return row
