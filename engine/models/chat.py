"""Text to tokens, once for everything: preview, training and generation all go through `Template`.

Needs only `tokenizers` and jinja2, so that the web process can show what a training would see.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Preference, Text
from engine.models import folder
from engine.models.render import Render
from engine.models.template_process import IsolatedRender

SENTINEL = "SystemMessageHere"


class Encoded(NamedTuple):
    """A row as the trainer gets it; `completion_mask` is 1 on tokens that carry loss."""

    input_ids: list[int]
    completion_mask: list[int]
    dropped: bool  # cut so short that no token carries loss
    truncated: bool


class EncodedPair(NamedTuple):
    """Two answers to one prompt; `dropped` when the cut leaves no difference to learn from."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]
    dropped: bool
    truncated: bool


class Piece(NamedTuple):
    """A run of text whose tokens all carry loss, or all carry none."""

    text: str
    trained: bool


class Template:
    """A model's tokenizer and chat template.

    A conversation is cut where an answer begins and where it ends, and each part is tokenised by
    itself: a model that generates has exactly these cuts, so it is trained on the tokens it will
    see. With SmolLM2 a conversation without a system message gets the template's own one, here as
    in generation.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        render: Render | IsolatedRender | None,
        end: str,
        model_ends: Sequence[int] = (),
    ) -> None:
        end_id = tokenizer.token_to_id(end)
        if end_id is None:
            raise UserError(
                f"The tokenizer does not know its own end token {end!r}.", "Choose another model."
            )
        self._tokenizer = tokenizer
        self._render = render
        self._end = end
        self.end_id: int = end_id  # the tokenizer's own end token
        self._model_ends = tuple(model_ends)
        added = tokenizer.get_added_tokens_decoder().values()
        self._special = [token.content for token in added if token.special]

    @classmethod
    def load(cls, path: Path, *, isolated: bool = False) -> "Template":
        """The template of a base model's folder; UserError where a file is missing or broken.

        With `isolated` the chat template runs in a process of its own, under limits: what the web
        process needs, where a brought model's template would hold up everybody.
        """
        files = folder.read(path)
        # a tokenizer.json may carry a cut or a padding of its own, which would hide from `encode`
        tokenizer = _tokenizer(files.tokenizer)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        kind = IsolatedRender if isolated else Render
        render = kind(files.template, files.tokens) if files.template else None
        return cls(tokenizer, render, files.tokens["eos_token"], files.ends)

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end an answer.

        They are the tokenizer's own end token, those that the model's generation_config names, and
        the one that the chat template writes after an answer (Gemma's `<end_of_turn>`, Phi-3's
        `<|end|>`), which is the one that training teaches.
        """
        return frozenset({self.end_id, *self._model_ends, *self._end_of_turn()})

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """The text a model is given to answer `messages`."""
        return self._rendered(messages, open_answer=True)

    def default_system(self) -> str:
        """The system message that the template adds where a conversation has none, often empty."""
        asked = Message(role="user", content="x")
        try:
            bare = self.prompt_text([asked])
            rendered = self.prompt_text([Message(role="system", content=SENTINEL), asked])
        except UserError:  # no template, or one that takes no system message
            return ""
        before, sentinel, after = rendered.partition(SENTINEL)
        framed = sentinel and bare.startswith(before) and bare.endswith(after)
        return (
            bare[len(before) : max(len(before), len(bare) - len(after))].strip() if framed else ""
        )

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The tokens a model is given to answer `messages`; earlier answers keep their cuts."""
        return [i for piece in self._conversation(messages) for i in self._ids(piece.text)]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of `ids`."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the model's own start token; many at once are faster."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one) for one in encoded]

    def cut_apart(self, prompt: Sequence[Message], answer: str) -> tuple[list[str], list[str]]:
        """The texts of a prompt and of its answer that are tokenised each by itself."""
        texts = [piece.text for piece in self._conversation(prompt)]
        return texts, list(self._answer(prompt, answer))

    def encode(self, example: Chat | Text, max_length: int) -> Encoded:
        """At most `max_length` tokens of a row, from its start.

        Of a Chat every answer carries loss, up to and including the token that ends it; of a Text
        every token does.
        """
        ids: list[int] = []
        mask: list[int] = []
        for part, trained in self._parts(example):
            ids += part
            mask += [int(trained)] * len(part)
        kept = mask[:max_length]
        return Encoded(ids[:max_length], kept, 1 not in kept, len(ids) > max_length)

    def encode_pair(self, preference: Preference, max_length: int) -> EncodedPair:
        """The prompt and both answers, each prompt + answer at most `max_length` tokens."""
        prompt = self.prompt_ids(preference.prompt)
        answers = [
            self._ids(self._answer(preference.prompt, text)[0])
            for text in (preference.chosen, preference.rejected)
        ]
        room = max(0, max_length - len(prompt))
        chosen, rejected = (answer[:room] for answer in answers)
        truncated = len(prompt) + max(map(len, answers)) > max_length
        return EncodedPair(prompt[:max_length], chosen, rejected, chosen == rejected, truncated)

    def pieces(self, example: Chat | Text | Preference, max_length: int) -> list[Piece]:
        """What `encode` keeps, as text; of a Preference the prompt and the chosen answer."""
        if isinstance(example, Preference):
            return self.pair_pieces(example, max_length)[0]
        encoded = self.encode(example, max_length)
        return self._merged(encoded.input_ids, encoded.completion_mask)

    def pair_pieces(
        self, preference: Preference, max_length: int
    ) -> tuple[list[Piece], list[Piece]]:
        """What `encode_pair` keeps, as text: with the chosen answer, and with the rejected one."""
        pair = self.encode_pair(preference, max_length)
        both = [
            self._merged(pair.prompt_ids + ids, [0] * len(pair.prompt_ids) + [1] * len(ids))
            for ids in (pair.chosen_ids, pair.rejected_ids)
        ]
        return both[0], both[1]

    def _merged(self, ids: list[int], mask: list[int]) -> list[Piece]:
        return [
            Piece(self.decode([i for i, _ in run], skip_special_tokens=False), bool(trained))
            for trained, run in groupby(zip(ids, mask, strict=True), key=lambda pair: pair[1])
        ]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _parts(self, example: Chat | Text) -> Iterator[tuple[list[int], bool]]:
        if isinstance(example, Chat):
            for piece in self._conversation(example.prompt):
                yield self._ids(piece.text), piece.trained
            answer, rest = self._answer(example.prompt, example.answer)
            yield self._ids(answer), True
            yield self._ids(rest), False
        else:
            ids = list(self._tokenizer.encode(example.text).ids)  # with the model's own start token
            yield ids, True
            yield [self.end_id] if ids[-1:] != [self.end_id] else [], True

    def _conversation(self, messages: Sequence[Message]) -> list[Piece]:
        """The prompt for the next answer, cut around the answers it holds.

        Some templates render an earlier answer differently from the last one (they leave out its
        reasoning). Such a prompt cannot be cut, and only the last answer is learned.
        """
        whole = self.prompt_text(messages)
        pieces: list[Piece] = []
        done = ""
        for number, message in enumerate(messages):
            if message.role != "assistant":
                continue
            before = self.prompt_text(messages[:number])
            answer, _ = self._answer(messages[:number], message.content)
            if not (before.startswith(done) and whole.startswith(before + answer)):
                return [Piece(whole, False)]
            pieces += [Piece(before[len(done) :], False), Piece(answer, True)]
            done = before + answer
        return [*pieces, Piece(whole[len(done) :], False)]

    def _answer(self, prompt: Sequence[Message], content: str) -> tuple[str, str]:
        """An answer with the token that ends it, and what the template writes after that.

        Where the template has no such token, or renders the prompt differently once it is answered,
        the answer ends with the tokenizer's own end token.
        """
        before = self.prompt_text(prompt)
        after = self._rendered(
            [*prompt, Message(role="assistant", content=content)], open_answer=False
        )
        answer, stripped = after[len(before) :], content.strip()
        if not after.startswith(before) or stripped not in answer:
            return content + self._end, ""
        start = answer.find(stripped) + len(stripped)
        stop, mark = next(self._marks(answer, start), (-1, ""))
        cut = stop + len(mark) if stop >= 0 else len(answer.rstrip())
        return (answer[:cut], answer[cut:]) if cut > start else (content + self._end, "")

    def _end_of_turn(self) -> list[int]:
        """The token after an answer in the template, where that is a special token."""
        if self._render is None:
            return []
        try:
            learned, _ = self._answer([Message(role="user", content="a")], "b")
        except UserError:  # a template may want other roles; the other ends still hold
            return []
        last = self._tokenizer.token_to_id(next(self._marks(learned, 0), (0, ""))[1])
        return [] if last is None else [last]

    def _marks(self, text: str, start: int) -> Iterator[tuple[int, str]]:
        """Where special tokens stand in `text` from `start` on, the first one first."""
        places = ((text.find(token, start), -len(token), token) for token in self._special)
        return iter(sorted((at, token) for at, _, token in sorted(places) if at >= 0))

    def _rendered(self, messages: Sequence[Message], open_answer: bool) -> str:
        if self._render is None:
            raise UserError(
                "This model has no chat template.",
                "Choose a chat (instruct) model, or train on plain text.",
            )
        return self._render(messages, open_answer)


def _tokenizer(text: str) -> Tokenizer:
    """The tokenizer; UserError for a broken one, whose Rust code may panic instead of raising."""
    try:
        return Tokenizer.from_str(text)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError("The model's tokenizer.json is broken.", "Choose another model.") from None
