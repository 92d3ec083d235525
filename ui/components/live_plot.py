"""A chart that is drawn once and then only changed, so that zoom and hover outlive an update."""

from pathlib import Path
from typing import Any

import gradio as gr

# No ${value} in the template: the node stays, and Plotly.react changes what is drawn in it.
TEMPLATE = '<div class="tl-plot" style="height:{height}px"></div>'
DRAW = """
const place = element.querySelector('.tl-plot');
const draw = () => {
  if (!props.value) return;
  if (!window.Plotly) { setTimeout(draw, 60); return; }
  const figure = JSON.parse(props.value);
  Plotly.react(place, figure.data, figure.layout,
    {responsive: true, displaylogo: false, displayModeBar: false});
};
draw();
watch('value', draw);
new ResizeObserver(() => {
  if (place.offsetWidth && place.classList.contains('js-plotly-plot')) Plotly.Plots.resize(place);
}).observe(place);
"""
LIBRARY = '<script src="static/plotly.min.js"></script>'


class LivePlot(gr.HTML):
    """A plotly figure; as an update give it a figure, or `visible` alone."""

    def __init__(self, value: Any = None, height: int = 320, **more: Any) -> None:
        super().__init__(
            value,
            html_template=TEMPLATE.format(height=height),
            head=LIBRARY,
            js_on_load=DRAW,
            **more,
        )

    def postprocess(self, value: Any) -> str | None:
        """The figure as JSON, for the script above."""
        return None if value is None else str(value.to_json())

    def api_info(self) -> dict[str, str]:
        """The schema of the value."""
        return {"type": "string"}


# Gradio leaves a stub beside every component that it meets; ours is typed as it is.
Path(__file__).with_suffix(".pyi").unlink(missing_ok=True)
