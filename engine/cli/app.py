"""The command tree."""

import click

from engine.cli import (
    backup,
    benchmark,
    data,
    estimate,
    evaluation,
    jobs,
    loop,
    people,
    preferences,
    rating,
    rounds,
    serve,
    studies,
    training,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tuneloop", prog_name="tuneloop")
def cli() -> None:
    """Turn a team's blind judgement into a better language model, and see whether it is better.

    Everything lies under TUNELOOP_HOME (.tuneloop in the current folder by default).
    """


for command in (
    serve.serve,
    serve.worker,
    serve.models,
    data.data,
    training.train,
    studies.curve,
    studies.sweep,
    estimate.preflight,
    jobs.runs,
    evaluation.evaluate,
    benchmark.benchmark,
    rating.rate,
    rounds.rounds,
    rounds.play,
    preferences.pairs,
    loop.loop,
    people.people,
    backup.backup,
):
    cli.add_command(command)
