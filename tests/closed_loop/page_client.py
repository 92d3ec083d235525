"""The owner at the page of a running server, by Gradio's own client instead of a browser.

The page's events have no public names, so they are found as a browser finds them: by the component
and what happens to it. Each gets the values that its inputs have at that moment.
"""

from gradio_client import Client


class Owner:
    """A browser tab: the values of all components, and what clicks do to them."""

    def __init__(self, url, headers):
        self.client = Client(url, headers=headers, verbose=False, _skip_components=False)
        parts = self.client.config["components"]
        self.ids = {part["props"]["elem_id"]: part["id"] for part in parts
                    if part["props"].get("elem_id")}  # fmt: skip
        self.values = {part["id"]: part["props"].get("value") for part in parts}

    def __getitem__(self, elem_id):
        return self.values[self.ids[elem_id]]

    def __setitem__(self, elem_id, value):
        self.values[self.ids[elem_id]] = value

    def fill(self, **values):
        """Give components new values: fill(rate_prompts=60) sets that of rate-prompts."""
        for name, value in values.items():
            self[name.replace("_", "-")] = value

    def load(self):
        """What happens when the page opens."""
        self._fire("load", None)

    def on(self, event, elem_id):
        """Let `event` happen to a component."""
        self._fire(event, self.ids[elem_id])

    def _fire(self, event, wanted):
        heard = [one for one in self.client.config["dependencies"] if one["backend_fn"]
                 and any(name == event and wanted in (None, target)
                         for target, name in one["targets"])]  # fmt: skip
        assert heard, f"nothing listens to {event} of {wanted}"
        for one in heard:
            self._run(one)

    def _run(self, one):
        self.client.endpoints[one["id"]].is_valid = True  # private: for the page alone, as here
        given = [self.values[part] for part in one["inputs"]]
        said = self.client.predict(*given, fn_index=one["id"])
        for part, new in zip(one["outputs"], said if len(one["outputs"]) > 1 else [said],
                             strict=True):  # fmt: skip
            if not isinstance(new, dict) or new.get("__type__") != "update":
                self.values[part] = new
            elif "value" in new:
                self.values[part] = new["value"]
