"""What each kind of job is called, as the plug-in itself says."""

from engine import plugins


def title(kind: str) -> str:
    """The name of a kind of job; one that is not installed goes by its own name."""
    module = plugins.find("jobs", kind)
    return str(getattr(module, "TITLE", kind.replace("_", " ").capitalize()))


def short_title(kind: str) -> str:
    """The abbreviation in the title, for a badge; the title where it has none."""
    name = title(kind)
    return name.rpartition("(")[2].rstrip(")") if name.endswith(")") else name


def summary(kind: str) -> str:
    """What a kind of job does, in one sentence; empty where nobody says."""
    module = plugins.find("jobs", kind)
    recipe_says = (module.Recipe.__doc__ or "").split("\n")[0] if module else ""
    return str(getattr(module, "SUMMARY", recipe_says))


def reward_title(name: str) -> str:
    """What a reward rule is called; one without a title goes by its own name."""
    rule = plugins.find("rewards", name)
    return str(getattr(rule, "TITLE", name.replace("_", " ")))
