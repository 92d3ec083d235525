"""Fetching the default model while the page is ready already."""

import logging
import threading

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import models
from engine.workspace import Workspace


class Setup:
    """`words` says what is being done, or what went wrong; it is empty when all is ready."""

    def __init__(self) -> None:
        self.words = ""
        self.failed = False

    def start(self, ws: Workspace) -> None:
        """Fetch the default model in the background, unless a base model is there."""
        if any(model.kind == "base" for model in models.list_all(ws, LOCAL)):
            return
        self.words = "Fetching the default model, SmolLM2-135M-Instruct. This happens once."
        threading.Thread(target=self._fetch, args=(ws,), daemon=True).start()

    def _fetch(self, ws: Workspace) -> None:
        try:
            models.ensure_default(ws, LOCAL, self._say)
            self.words = ""
        except UserError as error:
            self.failed = True
            self.words = f"The default model could not be fetched. {error}"
        except Exception:
            logging.getLogger(__name__).exception("fetching the default model")
            self.failed = True
            self.words = "The default model could not be fetched; the server's log has the details."

    def _say(self, text: str) -> None:
        self.words = text
