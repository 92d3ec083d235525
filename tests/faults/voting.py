"""People who vote without a pause while the server is killed under them, and what they were told.

A vote that got no answer is sent again with its key, as the page does. What was answered 200 is
acknowledged: from then on it must never be missing.
"""

import http.client
import json
import random
import sqlite3
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path

CHOICES = ("left", "right", "tie", "both_bad")
ANSWER_S = 300.0


class Crowd:
    """`size` people at 127.0.0.1:`port` until `stop`; each begins anew when a round is done."""

    def __init__(self, port: int, round_id: str, size: int = 4, pause_s: float = 0.0) -> None:
        self.port, self.round_id, self.pause_s = port, round_id, pause_s
        self.sent: set[str] = set()
        self.acknowledged: list[str] = []
        self.again = 0  # votes that had to be sent more than once
        self.refused: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.one_votes, args=(n,)) for n in range(size)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Let everybody finish the vote that is under way."""
        self.over.set()
        for thread in self.threads:
            thread.join()

    def wait_for_answers(self, count: int, seconds: float = 300.0) -> None:
        """Until so many votes are acknowledged in all."""
        end = time.monotonic() + seconds
        while len(self.acknowledged) < count:
            assert time.monotonic() < end, f"{len(self.acknowledged)} of {count} answers"
            time.sleep(0.002)

    def one_votes(self, number: int) -> None:
        chance = random.Random(number)
        while not self.over.is_set():
            cookie = f"tl_rater={uuid.uuid4().hex}"
            pair = self.asked(cookie, "GET", f"/api/rate/{self.round_id}/next")
            while pair and not self.over.is_set():
                key = str(uuid.uuid4())
                ballot = {"token": pair["token"], "key": key, "choice": chance.choice(CHOICES)}
                self.sent.add(key)
                pair = self.asked(cookie, "POST", "/api/rate/vote", json.dumps(ballot), key)
                time.sleep(self.pause_s)

    def asked(self, cookie, method, path, body=None, key=None):
        """The pair in the answer, asked for until there is one."""
        headers = {"Cookie": cookie, "Content-Type": "application/json"}
        end, turn = time.monotonic() + ANSWER_S, 0
        while time.monotonic() < end:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as line:
                try:
                    line.request(method, path, body, headers)
                    answer = line.getresponse()
                    said = answer.read()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.01)
                    turn += 1
                    continue
            if answer.status != 200:
                self.refused.append(f"{answer.status} {said!r}")
                return None
            if key:
                self.acknowledged.append(key)
                self.again += turn > 0
            return json.loads(said)["comparison"]
        raise AssertionError(f"no answer in {ANSWER_S} s")


def votes_in(database: Path) -> list[str]:
    """The key of every stored vote, read by SQLite alone; the file must be sound."""
    with closing(sqlite3.connect(database, timeout=300)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = conn.execute("SELECT id FROM vote WHERE action = 'vote'").fetchall()
    return [key for (key,) in found]
