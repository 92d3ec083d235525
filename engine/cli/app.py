"""The command tree."""

import click

from engine.cli import (
    backup,
    benchmark,
    data,
    evaluate,
    loop,
    pairs,
    people,
    preflight,
    rate,
    rounds,
    run,
    runs,
    studies,
    train,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tuneloop", prog_name="tuneloop")
def cli() -> None:
    """Turn a team's blind judgement into a better language model, and see whether it is better.

    Everything lies under TUNELOOP_HOME (.tuneloop in the current folder by default).
    """


for command in (
    run.serve,
    run.worker,
    run.models,
    data.data,
    train.train,
    studies.curve,
    studies.sweep,
    preflight.preflight,
    runs.runs,
    evaluate.evaluate,
    benchmark.benchmark,
    rate.rate,
    rounds.rounds,
    rounds.play,
    pairs.pairs,
    loop.loop,
    people.people,
    backup.backup,
):
    cli.add_command(command)
