"""What an invited person meets first, on a phone."""

import pytest

from engine.core.actor import LOCAL
from engine.services.rating import invites
from tests.ui import seed

pytestmark = pytest.mark.browser


def test_invitation_on_a_phone_shows_a_button_for_the_round(ws, tmp_path, address, watched):
    one = seed.open_round(ws, tmp_path, pairs=2)
    seen = watched(address, width=390)
    seen.page.goto(f"{address}/rate/join/{invites.make(ws, LOCAL, one.project_id, 'Ada')}")
    way, card = (seen.page.locator(f".tl-rate-state{inside}") for inside in (" a", ""))
    assert way.bounding_box()["height"] >= 44  # a thumb's width
    assert way.bounding_box()["width"] > 250
    assert card.bounding_box()["height"] < 500  # as high as its words, not as the screen
    way.click()
    seen.page.locator("dialog[open] button").first.click()
    assert seen.page.inner_text(".tl-rate-count") == "0 of 2 rated"
    assert seen.errors == []
