"""The README of a folder that leaves: what it is, how to run it, and what differs from the run."""

from engine.recipe_files.run import ExportedRun

METHODS = {"sft": "An SFT", "dpo": "A DPO"}
MEASURES = {
    "last_train_loss": "training loss of the last step",
    "last_held_out_loss": "held-out loss at the end",
    "best_held_out_loss": "lowest held-out loss",
}


def page(run: ExportedRun, title: str, notes: list[str], commands: str, more: str = "") -> str:
    """Markdown of one page."""
    return (
        "\n\n".join(
            part
            for part in (
                f"# {one_line(run.name)}: {title}",
                _origin(run),
                f"```\n{commands.strip()}\n```",
                more.strip(),
                "## What to know" if notes else "",
                "\n".join(f"- {note}" for note in notes),
            )
            if part
        )
        + "\n"
    )


def one_line(name: str) -> str:
    """A person's name for something, without line breaks and marks of Markdown."""
    return " ".join(name.split()).replace("`", "'").replace("[", "(").replace("]", ")")


def _origin(run: ExportedRun) -> str:
    base, result = run.base, run.result
    at = f" at {base.revision}" if base.revision else ""
    licence = f", licence {base.licence}" if base.licence else ""
    start = f" through the adapter {one_line(run.start_name)}" if run.start else ""
    known = result.model_dump()
    losses = [f"{words} {known[name]:.4f}" for name, words in MEASURES.items() if known.get(name)]
    return (
        f"{METHODS[run.method]} training of {one_line(base.name)}{at}{licence}{start}, on "
        f"{one_line(run.dataset.label)} ({run.dataset.train_rows} rows to train, "
        f"{run.dataset.held_out_rows} held out, SHA-256 {run.dataset.sha256}). It took "
        f"{result.steps} steps: {', '.join(losses)}."
    )
