"""Trackio: a database in the job's folder."""

import os
import sys
from shlex import quote

from engine.core.extras import install_command
from engine.trackers.run import Run, Tracker

TITLE = "Trackio"
LIBRARY = "trackio"
INSTALL = install_command("trackio")


def start(run: Run) -> Tracker:
    """The callback, which takes the run's name and project from the trainer's arguments."""
    os.environ["TRACKIO_DIR"] = str(run.folder)
    # it reads its folder while it is imported, and TRL's trainers import it before this job could
    # say where
    for name in [name for name in sys.modules if name.split(".")[0] == LIBRARY]:
        del sys.modules[name]
    import trackio
    from transformers.integrations import TrackioCallback

    command = f"TRACKIO_DIR={quote(str(run.folder))} trackio show --project {quote(run.project)}"

    def finish(_: bool) -> None:
        if trackio.context_vars.current_run.get() is not None:  # the callback ends it otherwise
            trackio.finish()

    return Tracker(TrackioCallback(), f"{TITLE} is written; open it with: {command}", finish)
