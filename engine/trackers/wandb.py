"""Weights & Biases: files in the job's folder, sent later or, with WANDB_API_KEY, at once."""

import os
from shlex import quote
from typing import Literal, get_args

from engine.core.extras import install_command
from engine.trackers.run import Run, Tracker

TITLE = "Weights & Biases"
LIBRARY = "wandb"
INSTALL = install_command("wandb")
Mode = Literal["online", "offline", "disabled", "shared"]
PATIENCE_S = 30.0  # a server that does not answer may not hold a run up for longer


def start(run: Run) -> Tracker:
    """The callback in a run that was started here: in this folder, without code or git."""
    import wandb
    from transformers.integrations import WandbCallback

    mode = _mode()
    quiet = wandb.Settings(
        silent=True,
        console="off",  # what a job prints is its log file's
        disable_code=True,
        disable_git=True,
        init_timeout=PATIENCE_S,
        finish_timeout=PATIENCE_S,
        finish_timeout_raises=True,
    )
    begun = wandb.init(
        id=run.id,
        name=run.name,
        project=os.environ.get("WANDB_PROJECT") or run.project,
        dir=str(run.folder),
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=quiet,
    )

    def finish(came_to_its_end: bool) -> None:
        begun.finish(exit_code=0 if came_to_its_end else 1)
        wandb.teardown()  # only then is the file whole

    if begun.offline:
        folder = quote(str(run.folder / "wandb"))
        message = f"is written; send it with: wandb sync {folder}/offline-run-*"
    else:
        message = f"is written to {begun.url}"
    return Tracker(WandbCallback(), f"{TITLE} {message}", finish)


def _mode() -> Mode:
    """What WANDB_MODE says, in W&B's own words; else online where there is a key."""
    wanted = os.environ.get("WANDB_MODE")
    modes: tuple[Mode, ...] = get_args(Mode)
    usual: Mode = "online" if os.environ.get("WANDB_API_KEY") else "offline"
    return next((mode for mode in modes if mode == wanted), usual)
