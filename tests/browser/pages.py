"""A page that is watched, keys that wait, and the times from a key to the next pair."""

from typing import Any

# a comparison takes no vote in its first 300 ms, nor while the server has not taken the last
READY = "document.querySelector('.tl-rate').rating.ready()"
# a vote, a skip or a flag is on its way from the key on, until the server has answered
NOTHING_ON_ITS_WAY = "!document.querySelector('.tl-rate').rating.outbox.busy"
SAVED = ".tl-rate-saved:text-is('saved')"

# Times from the key to the next pair, taken in the page: the driver's own delay is left out.
STOPWATCH = """
() => {
  window.times = [];
  let pressed = 0;
  document.addEventListener('keydown', () => { pressed = performance.now(); }, true);
  new MutationObserver(() => requestAnimationFrame(() => {
    if (pressed) window.times.push(performance.now() - pressed);
    pressed = 0;
  })).observe(document.querySelector('.tl-rate-prompt .tl-rate-text'), {childList: true});
  document.addEventListener('keydown', () => requestAnimationFrame(() => {
    const lit = document.querySelector('.tl-rate .is-pressed');
    (window.lit = window.lit || []).push(Boolean(lit));
  }));
}
"""
MOVED_ON = (
    "before => document.querySelector('.tl-rate-pair').hidden ||"
    " document.querySelector('.tl-rate-prompt .tl-rate-text').innerText !== before"
)


class Watched:
    """A page, and all that went wrong or went elsewhere while it was open."""

    def __init__(self, browser: Any, address: str, width: int = 1280, **options: Any) -> None:
        viewport = {"width": width, "height": options.pop("height", 844)}
        self.context = browser.new_context(viewport=viewport, **options)
        self.page = self.context.new_page()
        self.errors, self.dialogs, self.foreign = [], [], []
        self.page.on("console", self.said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss())
        )
        self.page.on("request", lambda request: self.asked(request, address))

    def said(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def asked(self, request, address):
        if not request.url.startswith((address, "data:")):
            self.foreign.append(request.url)

    def open(self, address, round_id):
        """The page of a round with its first pair, past the guidelines where it has some."""
        self.page.goto(f"{address}/rate/{round_id}")
        self.page.wait_for_selector(".tl-rate-pair:not([hidden])")
        if self.page.locator("dialog[open]").count():
            self.page.keyboard.press("Escape")
        self.page.wait_for_function(READY)
        return self.page


# A second key in the very moment when the next pair is there, however busy the machine is.
TOO_EARLY = """
key => new MutationObserver((_, watcher) => {
  watcher.disconnect();
  document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  window.early = document.querySelector('.tl-rate-count').innerText;
}).observe(document.querySelector('.tl-rate-prompt .tl-rate-text'), {childList: true})
"""


def choose(page, elem_id, name, exact=True):
    """Choose from a list, once the one before it is gone: it fades, and has the same names."""
    page.get_by_role("option").first.wait_for(state="hidden")
    page.locator(f"#{elem_id} input").click()
    page.get_by_role("option", name=name, exact=exact).click()


def question(page):
    return page.inner_text(".tl-rate-prompt .tl-rate-text")


def press(page, key):
    """Press, and wait until what was shown has gone."""
    before = question(page)
    page.keyboard.press(key)
    page.wait_for_function(MOVED_ON, arg=before)
    page.wait_for_function(READY)
