"""The colours of ui/static/tokens.css, read once: `LIGHT["ink"]` is the value of --tl-ink."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "static" / "tokens.css"
_TOKEN = re.compile(r"--tl-([\w-]+):\s*([^;]+);")


def read(text: str, selector: str) -> dict[str, str]:
    """Token to value of the first block with exactly this selector; ValueError without one."""
    found = re.search(rf"^{re.escape(selector)} \{{(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"no block {selector!r} in the tokens")
    return dict(_TOKEN.findall(found[1]))


_TEXT = SOURCE.read_text(encoding="utf-8")
SHARED = read(_TEXT, ":root")
LIGHT = read(_TEXT, ":root, .light")
DARK = read(_TEXT, ".dark")


def chart(name: str) -> str:
    """A colour of the charts, which are drawn alike on light and on dark."""
    return SHARED[f"chart-{name}"]


def scale(name: str) -> dict[str, str]:
    """The eleven steps of a scale, from c50 to c950, as Gradio names them."""
    steps = {key: value for key, value in SHARED.items() if re.fullmatch(rf"{name}-\d+", key)}
    return {f"c{key.rpartition('-')[2]}": value for key, value in steps.items()}
