"""A list of cards of which one is chosen: by mouse, touch or keyboard."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import gradio as gr

from ui.web import sent

# The cards are only ever a value, so a name with braces in it is text and never a template.
CHOOSE = """
const choose = (target) => {
  const card = target.closest('[data-pick]');
  if (!card) return false;
  element.querySelectorAll('[data-pick]').forEach((each) =>
    each.setAttribute('aria-pressed', each === card));
  trigger('click', {pick: card.dataset.pick});
  return true;
};
element.addEventListener('click', (event) => choose(event.target));
element.addEventListener('keydown', (event) => {
  if ((event.key === 'Enter' || event.key === ' ') && choose(event.target)) event.preventDefault();
});
let shown = '';
const reveal = () => {  // in a list that scrolls by itself, the chosen card is in sight
  const card = element.querySelector('[data-pick][aria-pressed="true"]');
  const list = card && card.closest('.tl-duo-list');
  if (!list || !list.clientHeight || card.dataset.pick === shown) return;
  shown = card.dataset.pick;
  const inside = card.getBoundingClientRect(), outside = list.getBoundingClientRect();
  if (inside.top < outside.top || inside.bottom > outside.bottom) {
    list.scrollTop += inside.top - outside.top - 8;
  }
};
new MutationObserver(reveal).observe(element, {
  childList: true, subtree: true, attributeFilter: ['aria-pressed'],
});
reveal();
"""


class Pick(NamedTuple):
    """One card: the id it stands for, and its inside as HTML that is escaped already."""

    id: str
    html: str


def component(elem_id: str, value: str = "") -> gr.HTML:
    """A list of cards; its click handler takes `gr.EventData` and reads `picked(event)`."""
    return gr.HTML(value, elem_id=elem_id, js_on_load=CHOOSE)


def cards(picks: Sequence[Pick], chosen: str | None = None) -> str:
    """The value of the list."""
    inside = "".join(
        f'<div class="tl-pick" role="button" tabindex="0" data-pick="{escape(pick.id)}" '
        f'aria-pressed="{str(pick.id == chosen).lower()}">{pick.html}</div>'
        for pick in picks
    )
    return f'<div class="tl-picks">{inside}</div>'


def picked(event: gr.EventData) -> str:
    """The id of the card that was clicked."""
    return sent.detail(event, "pick")
