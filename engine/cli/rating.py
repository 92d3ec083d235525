"""rating plan | verdict | agreement | ranking | bias | quality: statistics of a file of votes.

rounds.py adds the commands that work on a project: rating rounds, invite, erase, audit.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from engine.cli import predicted_votes, vote_files
from engine.cli.common import AliasGroup, as_json, show
from engine.core.errors import UserError
from engine.core.imported_votes import VoteMapping
from engine.core.rating import Verdict
from engine.formats.files.loaded_file import LoadedFile
from engine.stats import agreement as agreements
from engine.stats import length_bias, prediction_powered
from engine.stats import power as powers
from engine.stats import ranking as rankings
from engine.stats import rater_quality as qualities
from engine.stats import side_bias as biases
from engine.stats import verdict as stats_verdict
from engine.stats.rated_pairs import RatedPair, between, counted, hash_order_score, prompt_means
from engine.stats.rater_population import RaterScore
from engine.stats.sequential import Evidence, evidence_by_prompt

FILE = click.argument("file", type=click.Path(path_type=Path))
NEW = click.option("--new", required=True, help="Model under test.")
BASELINES = ("base", "baseline", "reference", "control", "old", "previous")
LEVELS = ["nominal", "ordinal", "interval", "ratio"]


@click.group(cls=AliasGroup)
def rating() -> None:
    """Run rating rounds, and analyse votes.

    `rating rounds` works on the rounds of a project. The commands plan, verdict, agreement,
    ranking, bias and quality need no project: they work on counts or on a file of votes.

    A file of votes is a table (CSV with any separator, XLSX, JSONL, Parquet) with one row per vote,
    or an export of Label Studio, Argilla, Open WebUI or LangSmith. Its columns are prompt, rater,
    model_left and model_right (or model_a and model_b) and choice: left, right, a, b, tie, both
    bad, or one of five levels such as "a is slightly better"; --map names other columns. Optional:
    left_len and right_len (lengths of the answers) and expected (the correct choice of a gold item,
    empty on all other rows). A second vote of a rater on the same prompt and models is a repeat: it
    measures self-consistency and is not counted otherwise. `rating add` puts such a file into a
    project.
    """


@rating.command()
@click.option(
    "--win-rate", default=0.6, show_default=True, type=float, help="True win rate to detect."
)
@click.option("--power", default=0.8, show_default=True, type=float)
@click.option("--alpha", default=0.05, show_default=True, type=float)
@click.option("--tie-rate", default=0.0, show_default=True, type=float)
@as_json
def plan(win_rate: float, power: float, alpha: float, tie_rate: float, as_json: bool) -> None:
    """Calculate how many decisive votes are needed to detect a win rate."""
    needed = powers.plan(win_rate, power, alpha, tie_rate)
    show(needed, needed.sentence, as_json)


@rating.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--new",
    default=None,
    help="Model under test. Without it, the one of two that meets a baseline.",
)
@click.option(
    "--base", default=None, help="Model it is compared with; by default the only other one."
)
@click.option("--look", is_flag=True, help="Sequential test: may be repeated after every prompt.")
@click.option(
    "--unlabelled",
    default=None,
    type=click.Path(path_type=Path),
    help="Questions without votes; both files have a column predicted.",
)
@click.option("--wins", type=click.IntRange(0))
@click.option("--losses", type=click.IntRange(0))
@click.option("--ties", default=0, show_default=True, type=click.IntRange(0))
@click.option("--both-bad", default=0, show_default=True, type=click.IntRange(0))
@click.option("--alpha", default=0.05, show_default=True, type=click.FloatRange(0.001, 0.5))
@vote_files.map_options
@as_json
def verdict(
    file: Path | None,
    columns: tuple[str, ...],
    choices: tuple[str, ...],
    new: str | None,
    base: str | None,
    look: bool,
    unlabelled: Path | None,
    wins: int | None,
    losses: int | None,
    ties: int,
    both_bad: int,
    alpha: float,
    as_json: bool,
) -> None:
    """Test whether the new model is better, from a file of votes or from counts.

    In a file, several raters may have voted on a prompt. A file that does not say which answer
    stood on the left is not known to be blind and gives none. Counts are one vote per prompt. For
    the verdict of a round of a project use `rating rounds verdict`.

    With --unlabelled a predictor, such as a judge, narrows the interval where it helps: both files
    have a column predicted, a number for each question (how well it expects the new model to do, on
    any scale). Questions with votes must be drawn by chance from all. Decide on the predictor
    before you read the votes.
    """
    found: Verdict | Evidence
    if file is None:
        if unlabelled:
            raise UserError("A predictor needs a file of votes.", "Give it before --unlabelled.")
        if wins is None or losses is None or look:
            raise UserError("There is no vote to weigh.", "Give a file, or --wins and --losses.")
        found = stats_verdict.verdict(wins, losses, ties, both_bad, alpha=alpha)
    elif wins is not None or losses is not None:
        raise UserError("A file of votes takes no counts.", "Leave out --wins and --losses.")
    else:
        loaded = vote_files.open_file(file)
        read = vote_files.votes_in(file, loaded, vote_files.mapping_of(columns, choices))
        vote_files.refuse_unstated_sides(file, read)
        rated = vote_files.rated(read)
        new = new or _under_test(rated, base)
        votes, other = _two(rated, new, base)
        if look and unlabelled:
            raise UserError("--look takes no predictor.", "Leave out --unlabelled.")
        found = _early_look(votes, new, alpha) if look else _weighed(votes, new, other, alpha)
        if unlabelled and isinstance(found, Verdict):
            models = (new, other)
            given = predicted_votes.matched(file, loaded, read, votes, models, unlabelled)
            found = prediction_powered.with_predictor(found, given, models, alpha)
    show(found, found.sentence, as_json)


def _under_test(given: Sequence[RatedPair], base: str | None) -> str:
    """The model that meets `base`, or the only one that is not called a baseline.

    UserError where the votes are about more models, or neither of two is.
    """
    names = sorted({name for pair in given if pair.two_models for name in pair.pair})
    baselines = [name for name in names if name == base or name.casefold() in BASELINES]
    others = [name for name in names if name not in baselines]
    if len(names) != 2 or len(others) != 1:
        known = ", ".join(names[:20]) or "none"
        raise UserError(
            "The votes do not say which model is under test.", f"Name it with --new: {known}."
        )
    return others[0]


def _two(given: Sequence[RatedPair], new: str, base: str | None) -> tuple[list[RatedPair], str]:
    """The votes between the two models, and the name of the other."""
    votes = between(counted(given), new)
    others = sorted({name for vote in votes for name in vote.pair} - {new})
    if base is None and len(others) != 1:
        raise UserError(f"{new} met {', '.join(others[:20])}.", "Name one of them with --base.")
    other = others[0] if base is None else base
    return between(votes, other), other


def _weighed(votes: Sequence[RatedPair], new: str, other: str, alpha: float) -> Verdict:
    scores = Counter(vote.score(new) for vote in votes)
    bad = sum(vote.choice == "both_bad" for vote in votes)
    means = list(prompt_means(votes, new).values())
    return stats_verdict.verdict(
        scores[1], scores[0], scores[0.5] - bad, bad, means, names=(new, other), alpha=alpha,
        votes=[RaterScore(vote.prompt, vote.rater, vote.score(new)) for vote in votes],
    )  # fmt: skip


def _early_look(votes: Sequence[RatedPair], new: str, alpha: float) -> Evidence:
    return evidence_by_prompt(list(prompt_means(votes, new).values()), alpha)


@rating.command()
@FILE
@click.option(
    "--level",
    default=None,
    type=click.Choice(LEVELS),
    help="nominal by default, ordinal for a file of votes: right, tie, left.",
)
@vote_files.map_options
@as_json
def agreement(
    file: Path,
    level: agreements.Level | None,
    columns: tuple[str, ...],
    choices: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure agreement between raters, from a file of votes or one with item, rater and value.

    Prints Krippendorff's alpha, Gwet's AC1, Fleiss' kappa (where items have equal numbers of
    ratings), the noise that the votes with a winner imply, and Cohen's kappa and Scott's pi for
    each two raters. The order of the two models is drawn anew for each prompt.
    """
    mapping = vote_files.mapping_of(columns, choices)
    loaded = vote_files.open_file(file)
    of_choices = mapping is not None or "value" not in vote_files.columns(loaded)
    votes: list[agreements.Vote]
    votes = _judged(file, loaded, mapping) if of_choices else _values(file, loaded)
    measured = agreements.agreement(
        votes, level or ("ordinal" if of_choices else "nominal"), tie=0 if of_choices else None
    )
    pairs = agreements.rater_pairs(votes)
    lines = [
        f"{pair.first} and {pair.second}: {pair.raw * 100:.0f} % of {pair.items} alike, kappa "
        f"{_two_digits(pair.kappa)}, pi {_two_digits(pair.pi)}"
        for pair in pairs
    ]
    whole = [f"Fleiss' kappa {measured.fleiss:.2f}."] if measured.fleiss is not None else []
    text = "\n".join([measured.sentence, *whole, *lines])
    show({**measured.model_dump(), "pairs": pairs}, text, as_json)


def _two_digits(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _judged(file: Path, loaded: LoadedFile, mapping: VoteMapping | None) -> list[agreements.Vote]:
    return [
        ((vote.prompt, *vote.pair), vote.rater, hash_order_score(vote))
        for vote in counted(vote_files.rated(vote_files.votes_in(file, loaded, mapping)))
        if vote.two_models
    ]


def _values(file: Path, loaded: LoadedFile) -> list[agreements.Vote]:
    missing = sorted({"item", "rater", "value"} - vote_files.columns(loaded))
    if missing:
        raise UserError(
            f"{file.name} has no column {', '.join(missing)}.", "It needs item, rater and value."
        )
    found: list[agreements.Vote] = []
    for number, row in vote_files.rows(file, loaded):
        item, rater, value = (str(row.get(name, "")) for name in ("item", "rater", "value"))
        if not (item and rater and value):
            raise UserError(
                f"Row {number} of {file.name} is incomplete.", "Give item, rater and value."
            )
        found.append((item, rater, value))
    return found


@rating.command()
@FILE
@click.option("--baseline", required=True, help="Model whose strength is set to 0.")
@click.option(
    "--ties",
    default="half",
    show_default=True,
    type=click.Choice(["half", "davidson"]),
    help="Count ties as half a win, or model their rate (Davidson).",
)
@vote_files.map_options
@as_json
def ranking(
    file: Path,
    baseline: str,
    ties: rankings.Ties,
    columns: tuple[str, ...],
    choices: tuple[str, ...],
    as_json: bool,
) -> None:
    """Rank several models with Bradley-Terry strengths, from a file of votes."""
    read = vote_files.read(file, vote_files.mapping_of(columns, choices))
    ranks = rankings.ranking(vote_files.rated(read), baseline, ties)
    lines = [
        f"{place:3} {model.name:30} {model.win_rate * 100:5.1f} % against {baseline} "
        f"({model.win_low * 100:.1f} to {model.win_high * 100:.1f} %; {model.votes} votes)"
        for place, model in enumerate(ranks.models, start=1)
    ]
    show(ranks, "\n".join([ranks.sentence, *lines]), as_json)


@rating.command()
@FILE
@NEW
@vote_files.map_options
@as_json
def bias(
    file: Path, new: str, columns: tuple[str, ...], choices: tuple[str, ...], as_json: bool
) -> None:
    """Measure position bias and length bias in a file of votes."""
    read = vote_files.read(file, vote_files.mapping_of(columns, choices))
    vote_files.refuse_unstated_sides(file, read)
    given = vote_files.rated(read)
    votes = between(given, new)
    side, raters = biases.position_of(given), biases.position_by_rater(given)
    controlled = length_bias.length_controlled(votes, new)
    longer = length_bias.longer_chosen(votes)
    found = {
        "position": side, "raters": raters, "length_controlled": controlled, "longer": longer,
        "sentence": f"{side.sentence} {controlled.sentence} {longer.sentence}",
    }  # fmt: skip
    flagged = [f"{one.rater}: {one.sentence}" for one in raters if one.biased]
    lines = [side.sentence, controlled.sentence, longer.sentence, *flagged]
    show(found, "\n".join(lines), as_json)


@rating.command()
@FILE
@click.option(
    "--new", default=None, help="Also test whether raters form two camps about this model."
)
@vote_files.map_options
@as_json
def quality(
    file: Path, new: str | None, columns: tuple[str, ...], choices: tuple[str, ...], as_json: bool
) -> None:
    """Check rater quality in a file of votes: gold items, repeats, sides, anomalies."""
    read = vote_files.read(file, vote_files.mapping_of(columns, choices))
    raters = qualities.quality(vote_files.rated(read), new)
    lines = [
        f"{one.rater}: {one.votes} votes, gold {one.gold.right} of {one.gold.of}, repeats "
        f"{one.repeats.same} of {one.repeats.of}, "
        f"{f'left {one.left_share * 100:.0f} %' if read.sides else 'sides unknown'}"
        f"{': ' if one.reasons else ''}{', '.join(one.reasons)}"
        for one in raters.raters
    ]
    show(raters, "\n".join([raters.sentence, *lines]), as_json)
