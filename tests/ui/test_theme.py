"""The colours: what is written can be read, by light and by dark (WCAG 2.2, 1.4.3: 4.5 to 1)."""

import re

import pytest

from tests.conftest import REPO
from ui.components import charts, tokens
from ui.components.theme import SETTINGS

CSS = (REPO / "ui" / "static" / "tokens.css").read_text()
READABLE = 4.5
SET_ELSEWHERE = {"--tl-tone", "--tl-at", "--tl-share"}  # by another sheet or by an element


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", ["", "_dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("body_text_color_subdued", "block_background_fill"),  # the help under a label
        ("body_text_color_subdued", "body_background_fill"),
        ("block_label_text_color", "block_background_fill"),
        ("input_placeholder_color", "input_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill_hover"),
        ("button_secondary_text_color", "button_secondary_background_fill"),
    ],
)
def test_text_has_enough_contrast(ink, paper, dark):
    assert contrast(SETTINGS[ink + dark], SETTINGS[paper + dark]) >= READABLE


@pytest.mark.parametrize("theme", [":root, .light", ".dark"])
@pytest.mark.parametrize("tone", ["good", "warn", "bad", "accent", "muted"])
def test_badge_has_enough_contrast(theme, tone):
    block = CSS[CSS.index(f"{theme} {{") :].partition("}")[0]
    ink, ground = (re.search(rf"--tl-{name}: (#\w{{6}})", block)[1] for name in (tone, "ground"))
    tint = "#" + "".join(
        f"{round(0.12 * int(ink[n : n + 2], 16) + 0.88 * int(ground[n : n + 2], 16)):02x}"
        for n in (1, 3, 5)
    )
    assert contrast(ink, tint) >= READABLE


def test_field_has_an_edge_by_light_and_by_dark():
    assert SETTINGS["input_border_width"] == SETTINGS["input_border_width_dark"] == "1px"
    for dark in ("", "_dark"):
        assert SETTINGS[f"input_border_color{dark}"] != SETTINGS[f"input_background_fill{dark}"]


def test_pages_outside_of_gradio_have_the_same_dark_colours():
    system = CSS[CSS.index("@media (prefers-color-scheme: dark)") :]
    system = re.findall(r"--tl-([\w-]+): ([^;]+);", system[: system.index("\n}")])
    assert dict(system) == tokens.DARK


def test_every_token_of_light_has_a_dark_one():
    assert set(tokens.LIGHT) == set(tokens.DARK)


def test_tokens_are_read_by_theme_and_charts():
    assert SETTINGS["body_text_color_subdued"] == tokens.LIGHT["muted"]
    assert SETTINGS["body_text_color_subdued_dark"] == tokens.DARK["muted"]
    assert tokens.SHARED["chart-accent"] == charts.ACCENT
    assert len(tokens.scale("teal")) == len(tokens.scale("stone")) == 11


def test_every_variable_that_a_style_sheet_uses_is_a_token_or_its_own():
    known = {f"--tl-{name}" for name in {**tokens.SHARED, **tokens.LIGHT}}
    for sheet in (REPO / "ui" / "static").glob("*.css"):
        text = sheet.read_text()
        used = set(re.findall(r"var\((--tl-[\w-]+)", text))
        assert used <= known | set(re.findall(r"(--tl-[\w-]+):", text)) | SET_ELSEWHERE, sheet.name
