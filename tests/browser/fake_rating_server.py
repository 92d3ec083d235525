"""A rating server in memory with every field the page may get; each test sets what it needs.

It keeps to the contract of the real one: at most two pairs are out, the same key is one vote.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from tests.conftest import REPO
from ui.components.safe_text import to_html

PAGE = """<!doctype html><html lang=en><meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<meta name=color-scheme content="light dark">
<link rel=icon href="data:,"><link rel=stylesheet href=/static/tokens.css>
<link rel=stylesheet href=/static/rate.css>
<script src=/static/rate.js defer></script>
<body class=tl-rate-page><header><span class=tl-rate-mark>Tuneloop</span><h1>A round</h1></header>
<main><div class=tl-rate data-round=desk></div></main>"""
REASONS = ["more accurate", "follows the question", "more complete", "clearer", "better tone"]


class RatingServer:
    """`answers` are (question, left, right) and more to rank; what the page sent is in `heard`."""

    def __init__(self, answers: list[tuple[str, ...]]) -> None:
        self.answers = answers
        self.mode = "pair"
        self.guidelines: dict[str, str] | None = None
        self.agreement: dict[str, int] | None = None
        self.left_today: int | None = None
        self.break_every = 25
        self.looks_ahead = True
        self.feedback: dict[int, dict[str, Any]] = {}  # by the number of the pair
        self.pause_after: int | None = None
        self.answers_come = threading.Event()  # cleared: no answer to what is sent
        self.answers_come.set()
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.more_heard = threading.Condition()
        self.left: list[int] = []  # pairs answered in any way, oldest first
        self.keys: dict[str, int] = {}
        self.all_sent: Callable[[], object] = lambda: None  # a page's: what it sends has arrived

    def wait_for(self, number: int) -> None:
        """Until so many requests were heard in all."""
        with self.more_heard:
            assert self.more_heard.wait_for(lambda: len(self.heard) >= number, timeout=60)

    def votes(self, *, so_far: bool = False) -> list[dict[str, Any]]:
        """The votes sent, each key once: the page counts a vote before it is on its way."""
        if not so_far:
            self.all_sent()
        by_key = {body["key"]: body for path, body in self.heard if path == "vote"}
        return list(by_key.values())

    def shown(self, number: int) -> dict[str, Any]:
        question, left, right, *more = self.answers[number]
        return {
            "token": f"t{number}", "mode": "rank" if more else self.mode,
            "more_html": list(map(to_html, more)), "more_text": more,
            "prompt_html": to_html(question),
            "left_html": to_html(left), "right_html": to_html(right), "left_text": left,
            "right_text": right, "done": len(self.left), "total": len(self.answers),
            "can_undo": bool(self.left),
        }  # fmt: skip

    def turn(self, answered: int | None = None) -> dict[str, Any]:
        paused = self.pause_after is not None and len(self.left) >= self.pause_after
        open_ = [n for n in range(len(self.answers)) if n not in self.left][:2]
        shown = [] if paused else [self.shown(n) for n in open_]
        return {
            "comparison": shown[0] if shown else None,
            "ahead": shown[1] if self.looks_ahead and len(shown) > 1 else None,
            "feedback": self.feedback.get(answered) if answered is not None else None,
            "pause": "A lead looks at your last ratings. Thank you so far." if paused else None,
        }

    def progress(self) -> dict[str, Any]:
        done, total = len(self.left), len(self.answers)
        return {
            "name": "A round", "purpose": "train_pairs", "status": "open", "done": done,
            "total": total, "all_done": done, "all_total": total, "mode": self.mode,
            "reasons": REASONS, "guidelines": self.guidelines, "break_every": self.break_every,
            "left_today": self.left_today, "agreement_with_gold": self.agreement,
        }  # fmt: skip

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        if path == "beat":
            return {"ok": True}
        if path == "undo":
            self.left.pop()
            return self.turn()
        number = int(body["token"][1:])
        if number in self.left and self.keys.get(body.get("key", "")) != number:
            return JSONResponse(
                {"problem": "You have voted on this comparison already.", "fix": ""}, 409
            )
        if number not in self.left:
            self.left.append(number)
            self.keys[body.get("key", "")] = number
        return self.turn(number)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.mount("/static", StaticFiles(directory=REPO / "ui" / "static"))
        app.get("/rate/desk", response_class=HTMLResponse)(lambda: PAGE)
        app.get("/api/rate/desk/next")(lambda: self.turn())
        app.get("/api/rate/desk/progress")(self.progress)

        async def hear(path: str, request: Request) -> Any:
            body = await request.json()
            with self.more_heard:
                self.heard.append((path.removeprefix("desk/"), body))
                self.more_heard.notify_all()
            while not self.answers_come.is_set():
                await asyncio.sleep(0.01)
            return self.answer(path.removeprefix("desk/"), body)

        app.post("/api/rate/{path:path}")(hear)
        return app
