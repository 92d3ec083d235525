"""Rating: what one person waits for between two pairs, what fifty or two hundred at once get.

All run against `tuneloop serve` with its worker, on loopback. Fifty who don't think vote again as
soon as they have the next pair: their waiting times are those of a server at its limit.
"""

import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from engine.store import votes as vote_store
from engine.store.connect import reading
from tests.bench import bench_tools
from tests.browser.pages import READY
from tests.serving import serving

PAIRS = 100
SECONDS = 20.0
P99_MS = 2000
KEYS = ("ArrowLeft", "ArrowRight", "t", "x")
CHOICES = ("left", "right", "tie", "both_bad")
# From the key event's own time stamp to the frame after the one in which the text changed.
STOPWATCH = """
() => {
  const texts = document.querySelector(".tl-rate [data-side=left] .tl-rate-text");
  const buttons = document.querySelector(".tl-rate-votes");
  window.bench = { lit: [], next: [] };
  let key = null, unlit = false;
  const painted = (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(0);
  });
  document.addEventListener("keydown", (event) => { key = event.timeStamp; unlit = true; }, true);
  new MutationObserver(() => {
    if (!unlit) return;
    unlit = false;
    const since = key;
    painted(() => window.bench.lit.push(performance.now() - since));
  }).observe(buttons, { attributes: true, attributeFilter: ["class"], subtree: true });
  new MutationObserver(() => {
    const since = key;
    painted(() => window.bench.next.push(performance.now() - since));
  }).observe(texts, { childList: true });
}
"""


@pytest.mark.browser
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_key_press_to_the_next_pair(ws, tmp_path, chromium):
    one = bench_tools.rated_round(ws, tmp_path, pairs=PAIRS + 1)  # the last is followed by none
    under = bench_tools.conditions(ws)
    with serving(ws.settings.environment(), tmp_path / "log") as server:
        page = chromium.new_page()
        page.goto(f"{server.url}/rate/{one.id}")
        page.wait_for_selector(".tl-rate-pair:not([hidden])")
        page.evaluate(STOPWATCH)
        for n in range(PAIRS):
            page.wait_for_function(READY)
            page.keyboard.press(KEYS[n % len(KEYS)])
            page.wait_for_function("n => bench.next.length === n", arg=n + 1, timeout=15_000)
        took = page.evaluate("bench")
        page.close()
        memory = server.megabytes
    assert len(standing(ws, one.id)) == PAIRS
    print(f"\nkey -> button lit    {bench_tools.spread(took['lit'])}")
    print(f"key -> next pair     {bench_tools.spread(took['next'])}, {PAIRS} pairs, painted")
    print(f"web process          {memory:.0f} MB")
    print(f"Chromium {chromium.version}, {under}")


class Sent(NamedTuple):
    """One vote as its rater saw it."""

    key: str
    answer: str  # "200", another status, or the name of what went wrong
    milliseconds: float


# Few pairs that all fifty rate; many that three each rate, where more full pairs are passed over;
# the same with people who read for a while; and two hundred at one vote in ten seconds each.
@pytest.mark.parametrize(
    ("people", "pairs", "overlap", "think_s"),
    [(50, 400, 50, 0.0), (50, 2000, 3, 0.0), (50, 2000, 3, 5.0), (200, 2000, 3, 10.0)],
)
def test_many_raters_at_once(ws, tmp_path, people, pairs, overlap, think_s):
    one = bench_tools.rated_round(ws, tmp_path, pairs=pairs, overlap=overlap)
    under = bench_tools.conditions(ws)
    with serving(ws.settings.environment(), tmp_path / "log") as server:
        sent, seconds = everyone_votes(server.port, one.id, people, think_s)
        memory = server.megabytes
    kept = standing(ws, one.id)
    taken = [vote.key for vote in sent if vote.answer == "200"]
    wrong = Counter(vote.answer for vote in sent if vote.answer != "200")
    lost = set(taken) - {vote.vote_id for vote in kept}
    fullest = max(Counter(vote.comparison_id for vote in kept).values())
    twice = len(kept) - len({(vote.comparison_id, vote.rater) for vote in kept})
    pace = f"{think_s:.0f} s of thought on average" if think_s else "no thought"
    print(f"\n{people} raters, {pace}, {pairs} pairs, {overlap} votes for each, {seconds:.0f} s")
    print(f"votes                {len(taken) / seconds:.1f} a second, {len(taken)} in all")
    print(f"vote -> next pair    {bench_tools.spread([vote.milliseconds for vote in sent])}")
    print(f"in the last quarter  {bench_tools.spread(last_quarter(sent))}")
    print(f"errors {sum(wrong.values())} {dict(wrong) or ''}, lost {len(lost)}, twice {twice}")
    print(f"fullest pair {fullest} of {overlap}; web process {memory:.0f} MB")
    print(under)
    assert (dict(wrong), len(lost), twice) == ({}, 0, 0)
    assert fullest <= overlap
    if think_s:  # who doesn't think waits for a server at its limit, however fast it is
        assert np.percentile([vote.milliseconds for vote in sent], 99) < P99_MS


def everyone_votes(
    port: int, round_id: str, people: int, think_s: float
) -> tuple[list[Sent], float]:
    """All that the raters sent, in order of arrival, and the seconds it took."""
    sent: list[Sent] = []
    line_up = threading.Barrier(people + 1)
    threads = [
        threading.Thread(
            target=one_votes, args=(port, round_id, line_up, sent, think_s, random.Random(n))
        )
        for n in range(people)
    ]
    for thread in threads:
        thread.start()
    line_up.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return sent, time.perf_counter() - began


def one_votes(
    port: int,
    round_id: str,
    line_up: threading.Barrier,
    sent: list[Sent],
    think_s: float,
    chance: random.Random,
) -> None:
    """One rater in a session of its own, on one kept connection, until the time is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/rate/{round_id}/next")
    first = connection.getresponse()
    cookie = first.getheader("set-cookie", "").split(";")[0]
    headers = {"Cookie": cookie, "Content-Type": "application/json"}
    pair = json.loads(first.read())["comparison"]
    line_up.wait()
    until = time.perf_counter() + max(SECONDS, 3 * think_s)
    while pair and time.perf_counter() < until:
        if think_s:
            connection.close()  # the server would: it keeps an idle one for 5 s
            time.sleep(chance.uniform(0, 2 * think_s))
        key = str(uuid.uuid4())
        ballot = {"token": pair["token"], "key": key, "choice": CHOICES[pair["done"] % 4]}
        began = time.perf_counter()
        try:
            connection.request("POST", "/api/rate/vote", json.dumps(ballot), headers)
            response = connection.getresponse()
            said, answer = response.read(), str(response.status)
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # the next request opens it anew
            said, answer = b"", type(error).__name__
        sent.append(Sent(key, answer, 1000 * (time.perf_counter() - began)))
        if answer == "200":
            pair = json.loads(said)["comparison"]
    connection.close()


def last_quarter(sent: list[Sent]) -> list[float]:
    """Waiting times at the end, which show whether a round gets slower as it fills."""
    return [vote.milliseconds for vote in sent[-max(1, len(sent) // 4) :]]


def standing(ws, round_id: str) -> list[vote_store.LiveVote]:
    with reading(ws.db) as conn:
        return vote_store.live(conn, [round_id])
