"""A text of which only the beginning has room."""


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis: `most` characters together."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
