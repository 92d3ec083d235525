"""Fetching the default model while the page is there already."""

import logging
import threading

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.models import registry
from engine.workspace import Workspace

NAME = "SmolLM2-135M-Instruct"
log = logging.getLogger("tuneloop.ui")


class Setup:
    """`words` says what is being done or what went wrong; it is empty when all is ready."""

    def __init__(self) -> None:
        self.words = ""
        self.failed = False

    def start(self, ws: Workspace) -> None:
        """Fetch the default model in the background, unless it is there."""
        if registry.default_is_known(ws, LOCAL):
            return
        self.words = f"Fetching the first model, {NAME}. This happens once; you can look around."
        threading.Thread(target=self.fetch, args=(ws,), daemon=True, name="setup").start()

    def fetch(self, ws: Workspace) -> None:
        """Fetch it now; what goes wrong ends up in `words`."""
        try:
            registry.ensure_default(ws, LOCAL, self._on_message)
            self.words = ""
        except UserError as error:
            self._fail(str(error))
        except Exception:
            log.exception("fetching the default model")
            self._fail("The server's log has the details.")

    def _on_message(self, text: str) -> None:
        self.words = f"Fetching the first model. {text}"

    def _fail(self, why: str) -> None:
        self.failed = True
        self.words = f"The first model could not be fetched. {why}"
