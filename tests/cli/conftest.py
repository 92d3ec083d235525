"""The command line as a test runs it."""

import pytest

from engine.__main__ import main


@pytest.fixture
def tuneloop(capsys, home):
    """Runs the command line: (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main(list(map(str, arguments)))
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run
