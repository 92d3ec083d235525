"""A tracker of somebody else, which notes what it hears and raises where it is told to."""

import os

TITLE, LIBRARY, INSTALL = "Theirs", "transformers", "pip install theirs"


def start(run):
    from transformers import TrainerCallback

    from engine.trackers.run import Tracker

    heard = (run.folder / "heard.txt").open("a")

    def note(line):
        print(line, file=heard, flush=True)

    class Callback(TrainerCallback):
        def on_log(self, args, state, control, **_):
            note(f"log {state.global_step}")
            if os.environ.get("THEIRS_BREAKS"):
                raise ConnectionError(f"refused the key {os.environ['WANDB_API_KEY']}")
            control.should_training_stop = False

    return Tracker(Callback(), "Theirs is written", lambda well: note(f"finish {well}"))
