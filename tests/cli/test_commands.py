"""The command tree: one group per noun; earlier spellings run the same commands, unlisted."""

import click
import pytest
from click.testing import CliRunner

from engine.cli.app import cli

NOUNS = {"data", "models", "jobs", "training", "evaluation", "rating", "preferences", "loop"}
NOUNS |= {"playground", "people"}
OTHERS = {"api", "serve", "worker", "backup", "restore"}


def find(spelling: str) -> click.Command:
    """The command that these words run."""
    command: click.Command = cli
    for word in spelling.split():
        assert isinstance(command, click.Group), spelling
        below = command.get_command(click.Context(command), word)
        assert below is not None, spelling
        command = below
    return command


def every(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    """Each listed command below `command` with its words."""
    below = command.commands.items() if isinstance(command, click.Group) else ()
    here = [(" ".join(path), command)]
    return here + [each for name, one in below for each in every(one, (*path, name))]


def test_commands_are_the_nouns_and_the_server():
    assert set(cli.commands) == NOUNS | OTHERS


@pytest.mark.parametrize(
    ("earlier", "today"),
    [
        ("train", "training start"),
        ("preflight", "training estimate"),
        ("curve", "training curve"),
        ("sweep", "training sweep"),
        ("runs", "jobs"),
        ("runs list", "jobs list"),
        ("evaluate", "evaluation"),
        ("evaluate score", "evaluation score"),
        ("benchmark", "evaluation benchmark"),
        ("benchmark run", "evaluation benchmark run"),
        ("rate", "rating"),
        ("rate ranking", "rating ranking"),
        ("rate verdict", "rating verdict"),
        ("rounds", "rating rounds"),
        ("rounds start", "rating rounds start"),
        ("rounds verdict", "rating rounds verdict"),
        ("rounds invite", "rating invite"),
        ("rounds forget", "rating erase"),
        ("rating forget", "rating erase"),
        ("rounds audit", "rating audit"),
        ("pairs", "preferences"),
        ("pairs export", "preferences export"),
        ("play", "playground ask"),
    ],
)
def test_earlier_spelling_runs_the_same_command(earlier, today):
    assert find(earlier) is find(today)
    assert earlier not in [words for words, _ in every(cli)]
    assert CliRunner().invoke(cli, [*earlier.split(), "--help"]).exit_code == 0


def test_help_of_every_command_is_a_sentence_and_every_option_is_explained_or_plain():
    plain = {"metrics", "temperature", "max_new_tokens", "batch_size", "seed", "power", "alpha"}
    plain |= {"tie_rate", "wins", "losses", "ties", "both_bad", "sort", "rows", "max_length"}
    plain |= {"purpose"}
    for words, command in every(cli):
        assert command.help, words
        assert command.help.split("\n")[0].rstrip().endswith((".", ":")), words
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in plain:
                assert option.help, f"{words} --{option.name}"


def test_unknown_command_is_refused_with_exit_code_2(tuneloop):
    code, _, err = tuneloop("no-such-noun")
    assert code == 2
    assert "No such command" in err
