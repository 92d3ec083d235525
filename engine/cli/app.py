"""The command tree: one group per noun, and the earlier spellings."""

import click

from engine.cli import (
    api,
    backup,
    benchmark,
    data,
    estimate,
    evaluation,
    jobs,
    loop,
    models,
    people,
    playground,
    preferences,
    rating,
    rounds,
    run_files,
    serve,
    studies,
    training,
    vote_import,
)
from engine.cli.common import AliasGroup


@click.group(cls=AliasGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tuneloop", prog_name="tuneloop")
def cli() -> None:
    """Fine-tune a language model on your team's blind votes, and test whether it got better.

    All data is stored in the folder TUNELOOP_HOME (.tuneloop in the current folder by default).
    """


for command in (
    serve.serve,
    serve.worker,
    api.api,
    data.data,
    models.models,
    jobs.jobs,
    training.training,
    evaluation.evaluation,
    rating.rating,
    preferences.preferences,
    loop.loop,
    playground.playground,
    people.people,
    backup.backup,
    backup.restore,
):
    cli.add_command(command)

# Earlier or shorter spellings, for scripts that use them; help and documents name the nouns only.
cli.aliases = {
    "export": models.export_model,
    "eject": run_files.eject,
    "recipe": run_files.recipe,
    "train": training.start_training,
    "preflight": estimate.estimate_training,
    "curve": studies.curve,
    "sweep": studies.sweep,
    "runs": jobs.jobs,
    "evaluate": evaluation.evaluation,
    "benchmark": benchmark.benchmark,
    "rate": rating.rating,
    "rounds": rounds.rounds,
    "pairs": preferences.preferences,
    "play": playground.ask,
    "votes": vote_import.votes,
}
