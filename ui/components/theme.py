"""The look: one accent, warm neutrals, IBM Plex from the fonts that Gradio serves locally."""

import gradio as gr
from gradio.themes.utils.colors import Color

from ui.components import tokens

TEAL = Color(name="tl_teal", **tokens.scale("teal"))
STONE = Color(name="tl_stone", **tokens.scale("stone"))

# the settings of Gradio that are a colour, by the token that they take in light and in dark
COLOURS = {
    "body_background_fill": "ground",
    "background_fill_primary": "paper",
    "background_fill_secondary": "ground",
    "block_background_fill": "paper",
    "block_border_color": "line",
    "block_label_text_color": "label",
    "body_text_color_subdued": "muted",
    "input_placeholder_color": "placeholder",
    "border_color_primary": "line",
    "button_primary_background_fill": "button",
    "button_primary_background_fill_hover": "button-hover",
    "button_primary_text_color": "on-button",
    "button_secondary_background_fill": "second",
    "button_secondary_background_fill_hover": "second-hover",
    "button_secondary_border_color": "field-line",
    "button_primary_border_color": "button",
    "button_secondary_text_color": "ink",
    "input_border_color": "field-line",
}
SETTINGS = {
    **{name: tokens.LIGHT[token] for name, token in COLOURS.items()},
    **{f"{name}_dark": tokens.DARK[token] for name, token in COLOURS.items()},
    "input_background_fill": tokens.LIGHT["paper"],
    "input_background_fill_dark": tokens.DARK["ground"],
    "block_border_width": "1px",
    "block_shadow": "none",
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
    "block_label_border_width": "0px",
    "block_title_text_weight": "500",
    "block_info_text_size": "13px",
    "button_border_width": "1px",
    "button_border_width_dark": "1px",
    "button_large_text_weight": "600",
    "button_large_radius": "10px",
    "button_medium_radius": "10px",
    "button_small_radius": "9px",
    "button_small_text_size": "14px",
    "button_small_text_weight": "400",
    "button_medium_text_weight": "600",
    "button_medium_text_size": "15px",
    # without a border a field is white on white, and an empty one is not there to be seen
    "input_border_width": "1px",
    "input_border_width_dark": "1px",
}


def theme() -> gr.themes.Base:
    """The theme of all pages; the style sheets build on the same tokens."""
    # Regular and bold only: the semibold files that Gradio brings hold a few letters each.
    sans = [gr.themes.LocalFont("IBM Plex Sans", (400, 700)), "system-ui", "sans-serif"]
    mono = [gr.themes.LocalFont("IBM Plex Mono", (400, 700)), "ui-monospace", "monospace"]
    made = gr.themes.Base(
        primary_hue=TEAL,
        secondary_hue=TEAL,
        neutral_hue=STONE,
        radius_size=gr.themes.sizes.radius_md,
        font=sans,
        font_mono=mono,
    )
    return made.set(**SETTINGS)
