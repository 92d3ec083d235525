"""MLflow: a database in the job's folder, or the server that MLFLOW_TRACKING_URI names."""

import os
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from engine.core.extras import install_command
from engine.trackers.run import Run, Tracker

TITLE = "MLflow"
LIBRARY = "mlflow"
INSTALL = install_command("mlflow")
SERVER = "MLFLOW_TRACKING_URI"
# a server that does not answer may hold a run up for seconds, not for the library's minutes; what
# waits for it is put together, or each step would wait by itself
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS": "2",
}


def start(run: Run) -> Tracker:
    """The callback in a run that was started here; each attempt of a training is a run of its own.

    A second attempt can't go on in the first one's run: MLflow lets no parameter change.
    """
    server = _without_password(os.environ.get(SERVER, ""))
    for name, value in {**PATIENCE, "MLFLOW_DISABLE_TELEMETRY": "true"}.items():
        os.environ.setdefault(name, value)
    import mlflow
    from transformers.integrations import MLflowCallback

    store = server or f"sqlite:///{run.folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(store)
    callback = MLflowCallback()
    experiment = _experiment(mlflow, run, None if server else run.folder / "artifacts")
    mlflow.start_run(
        experiment_id=experiment,
        run_name=run.name,
        tags={"tuneloop.run": run.id, "tuneloop.from_step": str(run.step)},
    )

    def finish(came_to_its_end: bool) -> None:
        mlflow.flush_async_logging()
        mlflow.end_run("FINISHED" if came_to_its_end else "FAILED")
        if not server:
            mlflow.set_tracking_uri(None)  # or the next training would take it for a server's

    command = f"mlflow ui --backend-store-uri {quote(store)}"
    message = f"is written to {server}" if server else f"is written; open it with: {command}"
    return Tracker(callback, f"{TITLE} {message}", finish)


def _without_password(address: str) -> str:
    """`address` without a name and a password, which MLflow then takes from the environment.

    In the address they would get into the log file with every error.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.username:
        return address
    os.environ.setdefault("MLFLOW_TRACKING_USERNAME", unquote(parts.username))
    os.environ.setdefault("MLFLOW_TRACKING_PASSWORD", unquote(parts.password or ""))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _experiment(mlflow: Any, run: Run, artifacts: Path | None) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.project
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(mlflow.create_experiment(name, artifacts.as_uri() if artifacts else None))
