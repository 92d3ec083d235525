"""A page as a browser opens it, spoken to over HTTP: what the server does for it, without Chromium.

It fetches the page, runs every event of `load` with the parts as they begin, those that follow
these, and reads the stream of answers to its end.
"""

import json
import secrets
from typing import Any

import httpx

API = "/gradio_api"


class Visitor:
    """One browser on one server; each `load` is a new session, as a reload is."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=300)
        self.config: dict[str, Any] = self.client.get("/config").raise_for_status().json()
        self._begin = {each["id"]: each["props"].get("value") for each in self.config["components"]}
        self._names = {
            each["props"].get("elem_id"): each["id"] for each in self.config["components"]
        }

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def load(self) -> "Session":
        """The session of a page that was opened and has drawn itself."""
        self.client.get("/").raise_for_status()
        session = Session(self, secrets.token_hex(6))
        session.run(self.events("load"))
        return session

    def events(self, name: str, elem_id: str | None = None) -> list[dict[str, Any]]:
        """What runs on this event, of the part with this id or of any."""
        wanted = self._names[elem_id] if elem_id else None
        return [
            each
            for each in self.config["dependencies"]
            if each["backend_fn"]
            and any(what == name and wanted in (None, who) for who, what in each["targets"])
        ]


class Session:
    """What one opened page holds: the values of its parts, as far as events gave them any."""

    def __init__(self, visitor: Visitor, session_hash: str) -> None:
        self.visitor = visitor
        self.hash = session_hash
        self.values = dict(visitor._begin)
        self.ran: list[int] = []

    def run(self, events: list[dict[str, Any]]) -> None:
        """Run these, and then each that follows one of them."""
        while events:
            for each in events:
                self._one(each)
            done = {each["id"] for each in events}
            events = [
                each
                for each in self.visitor.config["dependencies"]
                if each["trigger_after"] in done and each["backend_fn"]
            ]

    def put(self, elem_id: str, value: Any) -> None:
        """Type or choose a value in the part with this id."""
        self.values[self.visitor._names[elem_id]] = value

    def close(self) -> None:
        """Leave the page: its heartbeat begins and ends."""
        with self.visitor.client.stream("GET", f"{API}/heartbeat/{self.hash}") as answer:
            next(answer.iter_lines())

    def _one(self, event: dict[str, Any]) -> None:
        body = {
            "data": [self.values.get(each) for each in event["inputs"]],
            "fn_index": event["id"],
            "session_hash": self.hash,
            "event_data": None,
            "trigger_id": None,
        }
        self.ran.append(event["id"])
        client = self.visitor.client
        client.post(f"{API}/queue/join", json=body).raise_for_status()
        with client.stream("GET", f"{API}/queue/data?session_hash={self.hash}") as answer:
            for line in answer.iter_lines():
                if not line.startswith("data:"):
                    continue
                said = json.loads(line[5:])
                if said["msg"] == "process_completed":
                    self._take(event, said)
                    return
                if said["msg"] in ("unexpected_error", "close_stream"):
                    raise AssertionError(said)

    def _take(self, event: dict[str, Any], said: dict[str, Any]) -> None:
        assert said["success"], said
        for part, value in zip(event["outputs"], said["output"].get("data", ()), strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "value" in value:
                    self.values[part] = value["value"]
            elif value is not None:
                self.values[part] = value
