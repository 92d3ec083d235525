"""The look: one accent, warm neutrals, IBM Plex from the fonts that Gradio serves locally."""

import gradio as gr
from gradio.themes.utils.colors import Color

TEAL = Color(
    name="tl_teal",
    c50="#eef8f7",
    c100="#d5efec",
    c200="#abddd8",
    c300="#79c5be",
    c400="#45a79f",
    c500="#1c8a82",
    c600="#0f726b",
    c700="#0d5b56",
    c800="#0d4845",
    c900="#0b3a38",
    c950="#062524",
)
STONE = Color(
    name="tl_stone",
    c50="#faf9f6",
    c100="#f3f1ec",
    c200="#e7e4dc",
    c300="#d3cfc4",
    c400="#a6a294",
    c500="#7a766a",
    c600="#5c594f",
    c700="#3c3c3a",
    c800="#24262a",
    c900="#1a1c20",
    c950="#131518",
)


SETTINGS = {
    "body_background_fill": "#faf9f6",
    "body_background_fill_dark": "#131518",
    "background_fill_primary": "#ffffff",
    "background_fill_primary_dark": "#1a1c20",
    "background_fill_secondary": "#faf9f6",
    "background_fill_secondary_dark": "#131518",
    "block_background_fill": "#ffffff",
    "block_background_fill_dark": "#1a1c20",
    "block_border_width": "1px",
    "block_border_color": "#e7e4dc",
    "block_border_color_dark": "#2e3136",
    "block_shadow": "none",
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
    "block_label_border_width": "0px",
    "block_label_text_color": "#5c594f",
    "block_label_text_color_dark": "#a6a294",
    "block_title_text_weight": "500",
    "block_info_text_size": "13px",
    # of the words under a label, and of all else that Gradio calls subdued: the same as --tl-muted
    "body_text_color_subdued": "#68645a",
    "body_text_color_subdued_dark": "#a8a497",
    "input_placeholder_color": "#7a766a",
    "input_placeholder_color_dark": "#8d897d",
    "border_color_primary": "#e7e4dc",
    "border_color_primary_dark": "#2e3136",
    "button_primary_background_fill": "#0f726b",
    "button_primary_background_fill_hover": "#0d5b56",
    "button_primary_background_fill_dark": "#187f77",
    "button_primary_background_fill_hover_dark": "#0f726b",
    "button_primary_text_color": "#ffffff",
    "button_primary_text_color_dark": "#ffffff",
    "button_secondary_background_fill": "#ffffff",
    "button_secondary_background_fill_hover": "#f3f1ec",
    "button_secondary_background_fill_dark": "#24262a",
    "button_secondary_background_fill_hover_dark": "#2e3136",
    "button_secondary_border_color": "#d3cfc4",
    "button_secondary_border_color_dark": "#3c3f45",
    "button_border_width": "1px",
    "button_border_width_dark": "1px",
    "button_primary_border_color": "#0f726b",
    "button_primary_border_color_dark": "#187f77",
    "button_secondary_text_color": "#1f2125",
    "button_secondary_text_color_dark": "#ece9e2",
    "button_large_text_weight": "600",
    "button_large_radius": "10px",
    "button_medium_radius": "10px",
    "button_small_radius": "9px",
    "button_small_text_size": "14px",
    "button_small_text_weight": "400",
    "button_medium_text_weight": "600",
    "button_medium_text_size": "15px",
    "input_background_fill": "#ffffff",
    "input_background_fill_dark": "#131518",
    # without a border a field is white on white, and an empty one is not there to be seen
    "input_border_width": "1px",
    "input_border_width_dark": "1px",
    "input_border_color": "#d3cfc4",
    "input_border_color_dark": "#3c3f45",
}


def theme() -> gr.themes.Base:
    """The theme of all pages; tuneloop.css builds on the same colours."""
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
