"""Finds WordNet 3.0: NLTK's own copy, or Debian's packages wordnet-base and wordnet-sense-index."""

import warnings
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

DEBIAN = Path("/usr/share/wordnet")

# Debian leaves out the file of these names: NLTK looks the category of each synset up in it
LEXNAMES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute "
    "noun.body noun.cognition noun.communication noun.event noun.feeling noun.food noun.group "
    "noun.location noun.motive noun.object noun.person noun.phenomenon noun.plant "
    "noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication "
    "verb.competition verb.consumption verb.contact verb.creation verb.emotion verb.motion "
    "verb.perception verb.possession verb.social verb.stative verb.weather adj.ppl"
)


class NoSynonyms:
    """Stands in for WordNet: no word has a synonym."""

    def synsets(self, word: str) -> list[Any]:  # noqa: ARG002  (NLTK's interface)
        """Always empty."""
        return []


@cache  # reading WordNet takes seconds
def load(debian: Path = DEBIAN) -> tuple[Any, str]:
    """A source of `synsets`, and what METEOR then matches, for its signature."""
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        if (debian / "data.noun").exists():
            return _debian(debian), "exact+stem+wordnet3.0"
        return NoSynonyms(), "exact+stem (WordNet is not installed)"
    return wordnet, f"exact+stem+wordnet{wordnet.get_version()}"


def _debian(folder: Path) -> Any:
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):
        def open(self, file: str) -> Any:
            if file == "lexnames":
                lines = (f"{i:02}\t{name}\t0\n" for i, name in enumerate(LEXNAMES.split()))
                return StringIO("".join(lines))
            return super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Nothing to map: this is the version other languages are mapped to."""

    nltk.data.path.append(str(folder))  # NLTK reads no folder that it was not told of
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The multilingual functions")
        return Reader(str(folder), None)
