"""The card of exported files: the model's own card, what the files are, and the certificate."""

import re
from typing import Any

from engine.core.export import Certificate
from engine.metrics.descriptions import title

_LIBRARY = re.compile(r"^library_name: .*$", re.M)


def finished_card(
    card: str, exporter: Any, certificate: Certificate | None, max_new_tokens: int
) -> str:
    """`card` with the library that reads the files, their format and what was compared."""
    library = getattr(exporter, "LIBRARY_NAME", "")
    if library:
        card = _LIBRARY.sub(f"library_name: {library}", card, count=1)
    files = f"## These files\n\n{exporter.TITLE}: {exporter.SUMMARY}"
    return "\n\n".join([card.rstrip(), files, _compared(certificate, max_new_tokens)]) + "\n"


def _compared(certificate: Certificate | None, max_new_tokens: int) -> str:
    head = "## Do they answer as the model does?\n\n"
    if certificate is None:
        return f"{head}Not compared: the export was made without a certificate."
    lines = [
        f"- {title(one.metric)}: {one.model:.3f} of the model, {one.artefact:.3f} of these files "
        f"(difference {one.gain.low:+.3f} to {one.gain.high:+.3f} at 95 %)"
        for one in certificate.differences
    ]
    shown = "\n\n" + "\n".join(lines) if lines else ""
    return (
        f"{head}Held-out prompts, greedy answers of at most {max_new_tokens} tokens, compared when "
        f"the files were made: {certificate.sentence}{shown}"
    )
