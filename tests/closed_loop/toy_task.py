"""A small world with something to say: an answer is some words of the topic that was asked for.

The prompt names one of eight topics. An answer is three to thirteen of the topic's words in any
order, so raters can wish for shorter or longer ones, and whether an answer keeps to its topic can
be counted. One word is one token, which makes a loop a matter of seconds.
"""

import json
import random
from itertools import product

TOPICS = {
    "sea": "wave tide shell salt gull reef foam sand crab kelp",
    "farm": "barn hen plough straw goat cart gate mud seed fence",
    "town": "street shop bus lamp square roof market bridge clock stairs",
    "kitchen": "pan spoon oven flour knife pepper plate kettle onion broth",
    "forest": "moss pine fox bark owl fern root twig deer mushroom",
    "school": "desk chalk pupil bell book ruler lesson map ink pencil",
    "winter": "snow ice scarf sledge frost coat skate icicle mitten blizzard",
    "music": "drum flute song chord choir string tune horn rhythm piano",
}
WORDS = {topic: words.split() for topic, words in TOPICS.items()}
PEOPLE = (
    "ada ben cleo dan eva finn gina hugo ida jack kim leo mia ned olga paul quin rosa sam tina "
    "ugo vera will xena yann zoe abel bert cora dora"
)
WEEK = "monday tuesday wednesday thursday friday saturday sunday"
NAMES, DAYS = PEOPLE.split(), WEEK.split()
FEWEST, MOST = 3, 13  # words of an answer
TAUGHT, RATED, TESTED = 700, 200, 120
WIDTH = 40  # tokens that hold every prompt with its answer


def ask(topic, name, day):
    return f"tell {name} about {topic} on {day}"


def topic_of(prompt):
    return prompt.split()[3]


def on_topic(prompt, answer):
    """The share of an answer's words that belong to the topic of its prompt."""
    words = answer.split()
    return sum(word in WORDS[topic_of(prompt)] for word in words) / max(1, len(words))


def prompts():
    """(those the base is taught with, those that are rated, those of tests), all different."""
    every = [ask(*parts) for parts in product(TOPICS, NAMES, DAYS)]
    random.Random(0).shuffle(every)
    rest = every[TAUGHT:]
    return every[:TAUGHT], rest[:RATED], rest[RATED : RATED + TESTED]


def lessons(path):
    """Questions with an answer each, to teach the base."""
    rng = random.Random(1)
    asked, _, _ = prompts()
    rows = [
        {"prompt": p, "completion": " ".join(rng.choices(WORDS[topic_of(p)], k=length))}
        for p in asked
        for length in [rng.randint(FEWEST, MOST)]
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def questions(path):
    """The questions that are rated and those of tests, each with some answers that would do."""
    _, rated, tested = prompts()
    rows = [{"prompt": p, "references": accepted(p)} for p in rated + tested]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def accepted(prompt):
    words = WORDS[topic_of(prompt)]
    return [" ".join(words[:count]) for count in (6, 3, 9)]


def untaught(folder):
    """A random Llama of two layers that knows the words of this world, saved in `folder`."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from tests import tiny_model

    said = ["tell", "about", "on", "user", "assistant", *TOPICS, *NAMES, *DAYS]
    special = ["<|im_start|>", "<|im_end|>", "<|pad|>", "<|unk|>"]
    known = dict.fromkeys([*special, *said, *(word for words in WORDS.values() for word in words)])
    vocabulary = {word: number for number, word in enumerate(known)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<|unk|>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        unk_token="<|unk|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=128,
    )
    tokenizer.chat_template = tiny_model.TEMPLATE
    return tiny_model.save(folder, tokenizer, room=128)
