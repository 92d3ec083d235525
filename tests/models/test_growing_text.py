"""Text of tokens that come one by one: at each the same as decoding all of them at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from engine.models.chat_template import Template
from engine.models.growing_text import GrowingText
from engine.models.request_scheduler import AnswerText

SPACE = "\u2581"
PIECES = [SPACE, f"{SPACE}a", "b", f"{SPACE}{SPACE}c", "\n", "€", "é", "b.", SPACE * 3, "STOP"]


def sentencepiece(strip: bool) -> Tokenizer:
    """The shape of Llama 2 and Mistral, and without `strip` that of Gemma."""
    pieces = ["<unk>", *PIECES, *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence(steps + [decoders.Strip(" ", 1, 0)] * strip)
    return with_marks(made)


def byte_level() -> Tokenizer:
    """The shape of GPT-2, Llama 3, Qwen and SmolLM2: every byte, and some longer pieces."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    longer = ["\u0120a", "ab", "\u0120\u0120", "â\u0124", "STOP"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(letters + longer))}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.decoder = decoders.ByteLevel()
    return with_marks(made)


def metaspace() -> Tokenizer:
    """A decoder that is decoded whole at each token."""
    vocabulary = {piece: number for number, piece in enumerate(["<unk>", *PIECES])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.decoder = decoders.Metaspace()
    return with_marks(made)


def with_marks(made: Tokenizer) -> Tokenizer:
    made.add_special_tokens([AddedToken("<|end|>", special=True)])
    made.add_tokens([AddedToken("<tool>", special=False)])
    return made


MADE = {
    "bytes": byte_level(),
    "llama": sentencepiece(strip=True),
    "gemma": sentencepiece(strip=False),
    "metaspace": metaspace(),
}
every = pytest.mark.parametrize("name", MADE)


class Decodes:
    """A tokenizer that counts the tokens which it decodes."""

    def __init__(self, made: Tokenizer) -> None:
        self._made, self.decoded = made, 0
        self.decoder = made.decoder

    def decode(self, ids, skip_special_tokens):
        self.decoded += len(ids)
        return self._made.decode(ids, skip_special_tokens=skip_special_tokens)

    def id_to_token(self, number):
        return self._made.id_to_token(number)


class Grows:
    """What an answer asks of its template."""

    def __init__(self, made: Tokenizer) -> None:
        self.growing_text = lambda: GrowingText(made)


def drawn(data, made: Tokenizer) -> list[int]:
    """Tokens with many bytes and spaces among them."""
    size = made.get_vocab_size()
    few = st.integers(0, min(20, size - 1))
    cut = "â\u0124¬".encode()  # three tokens that are one character, where bytes are tokens
    known = [number for byte in cut.decode() if (number := made.token_to_id(byte)) is not None] or [
        made.token_to_id("<0xE2>") or 1,
        made.token_to_id("<0x82>") or 1,
    ]
    last = [made.token_to_id("<0xAC>") or 2, size - 1, size - 2]
    one = st.integers(0, size - 1) | few | st.sampled_from(known + last)
    return data.draw(st.lists(one, max_size=25))


@every
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_growing_text_is_at_each_token_what_decoding_all_of_them_gives(name, data):
    made = MADE[name]
    growing, fixed, ids = GrowingText(made), "", []
    for token in drawn(data, made):
        ids.append(token)
        growing.add(token)
        fixed += growing.take()
        assert fixed + growing.tail == made.decode(ids, skip_special_tokens=True)
    assert growing.tokens == len(ids)


@every
@settings(max_examples=300, deadline=None)
@given(data=st.data(), stops=st.lists(st.sampled_from(["STOP", "b\n", " a", "€"]), max_size=2))
def test_shown_answer_is_the_whole_text_up_to_the_first_stop(name, data, stops):
    made = MADE[name]
    template, answer, shown, ids = Grows(made), AnswerText(stops), "", []
    for token in drawn(data, made):
        ids.append(token)
        shown += answer.grown(template, token)
        if answer.stopped:
            break
    shown += answer.rest()
    whole = made.decode(ids, skip_special_tokens=True).strip()
    places = [at for stop in stops if (at := whole.find(stop)) >= 0]
    assert answer.tokens == len(ids)
    if answer.stopped:
        whole = made.decode(ids, skip_special_tokens=True).lstrip()
        places = [at for stop in stops if (at := whole.find(stop)) >= 0]
        assert shown == whole[: min(places)].rstrip()
    else:
        assert shown == whole


def test_run_of_bytes_that_turns_out_wrong_is_shown_as_it_is_decoded_in_the_end():
    made = MADE["gemma"]
    ids = [made.token_to_id(f"<0x{byte}>") for byte in ("E2", "82", "AC", "FF")]
    answer = AnswerText([])
    shown = "".join(answer.grown(Grows(made), token) for token in ids) + answer.rest()
    assert shown == made.decode(ids) == "\ufffd" * 4


@pytest.mark.parametrize("name", ["bytes", "llama", "gemma"])
def test_decoding_grows_with_the_tokens_and_not_with_their_square(name):
    made = Decodes(MADE[name])
    growing, some = GrowingText(made), MADE[name].token_to_id("STOP")
    for _ in range(2000):
        growing.add(some)
        growing.take()
    assert made.decoded <= 6 * 2000
    assert len(growing.tail) < 10


@pytest.mark.train
def test_model_of_the_suite_is_of_a_usual_kind(tiny_model):
    template = Template.load(tiny_model)
    ids = template.ids(" Déjà vu: 日本語 🙂 and\n\n so on")
    growing = template.growing_text()
    text = ""
    for token in ids:
        growing.add(token)
        text += growing.take()
    assert (text, growing.tail) == (template.decode(ids), "")
