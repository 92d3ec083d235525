"""TensorBoard: event files in the job's folder."""

from shlex import quote

from engine.core.extras import install_command
from engine.trackers.run import Run, Tracker

TITLE = "TensorBoard"
LIBRARY = "tensorboard"
INSTALL = install_command("tensorboard")


def start(run: Run) -> Tracker:
    """The callback with a writer of its own.

    An attempt that goes on from a checkpoint takes back the steps after it, which come again.
    """
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    writer = SummaryWriter(str(run.folder), purge_step=run.step + 1 if run.step else None)
    callback = TensorBoardCallback(writer)
    callback.logging_dir = str(run.folder)  # not what the environment says, nor the current folder
    command = f"tensorboard --logdir {quote(str(run.folder))}"
    return Tracker(
        callback, f"{TITLE} is written; open it with: {command}", lambda _: writer.close()
    )
