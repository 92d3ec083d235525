"""A conversation becomes tokens: preview, training and generation all go through `Template`.

Needs only `tokenizers` and jinja2, so that the web process can show what a training would see.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from engine.core.errors import UserError, quoted
from engine.core.examples import Chat, Example, Message, Preference, Text, Unpaired, prompt_of
from engine.models import folder, reasoning
from engine.models.growing_text import GrowingText
from engine.models.template_process import IsolatedRender
from engine.models.template_render import Render, TemplateRefused
from engine.models.tokenizer_process import IsolatedTokenizer, needs_process

SENTINEL = "TextToBeFoundAgain"
EXAMPLE = (
    Message(role="user", content="How are you?"),
    Message(role="assistant", content="Well."),
)


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


class RowUse(NamedTuple):
    """How the template reads a row.

    `unlearned` of its `answers` carry no loss; `system_moved` where its system text stands in the
    first user turn; `inserted` is what the template writes before an answer without `reasoning`.
    """

    answers: int = 0
    unlearned: int = 0
    system_moved: bool = False
    inserted: str = ""
    reasoning: bool = False


class _Answer(NamedTuple):
    """An answer as it is tokenised: only `learned` carries loss, and it ends with the end token."""

    inserted: str
    learned: str
    rest: str


class Template:
    """A model's tokenizer and chat template.

    A conversation is cut where an answer begins and where it ends, and each part is tokenised by
    itself: a model that generates has exactly these cuts, so it is trained on the tokens it will
    see. With SmolLM2 a conversation without a system message gets the template's own one, here as
    in generation. A template without a system role gets the system text before the first question,
    where the makers of Gemma and Mistral put it. What a template writes by itself before an answer
    without reasoning (Qwen 3's empty `<think>` block) belongs to the prompt, here as in generation.
    """

    def __init__(
        self,
        tokenizer: Tokenizer | IsolatedTokenizer,
        render: Render | IsolatedRender | None,
        end: str,
        model_ends: Sequence[int] = (),
    ) -> None:
        end_id = tokenizer.token_to_id(end)
        if end_id is None:
            raise UserError(
                f"The tokenizer does not know its own end token {quoted(end)}.",
                "Choose another model.",
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
        return cls.of_files(folder.read(path), isolated=isolated)

    @classmethod
    def of_files(cls, files: folder.TemplateFiles, *, isolated: bool = False) -> "Template":
        """The same of files that are read already."""
        # a tokenizer.json may carry a cut or a padding of its own, which would hide from `encode`
        tokenizer = _tokenizer(files.tokenizer, isolated=isolated)
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

    def learned_end(self) -> str:
        """The token that an answer ends with in training."""
        last = self.encode(Chat(messages=EXAMPLE), 10**6)
        trained = [i for i, m in zip(last.input_ids, last.completion_mask, strict=True) if m]
        return self.decode(trained[-1:], skip_special_tokens=False)

    def example(self) -> str:
        """A question and its answer as the model sees them."""
        ids = self.encode(Chat(messages=EXAMPLE), 10**6).input_ids
        return self.decode(ids, skip_special_tokens=False)

    @cached_property
    def takes_system(self) -> bool:
        """Whether the template shows the text of a system message."""
        turns = [Message(role="system", content=SENTINEL), Message(role="user", content="x")]
        try:
            return self._render is None or SENTINEL in self._render(turns, True)
        except TemplateRefused:
            return False

    @cached_property
    def inserted(self) -> str:
        """What the template writes before an answer that has no reasoning, mostly nothing."""
        if self._render is None:
            return ""
        try:
            return self._cut_out([Message(role="user", content="a")], SENTINEL, "").inserted
        except TemplateRefused:  # it may want other roles
            return ""

    def placed(self, messages: Sequence[Message]) -> list[Message]:
        """The turns as the template takes them: a system text it has no role for moved on."""
        given = list(messages)
        if not given or given[0].role != "system" or self.takes_system:
            return given
        text, rest = given[0].content, given[1:]
        while rest and rest[0].role == "system":
            text, rest = f"{text}\n\n{rest[0].content}", rest[1:]
        if rest and rest[0].role == "user":
            text, rest = f"{text}\n\n{rest[0].content}", rest[1:]
        return [Message(role="user", content=text), *rest]

    def prompt_text(self, messages: Sequence[Message], reasons: bool = False) -> str:
        """The text a model is given to answer `messages`, with reasoning first where it `reasons`.

        TemplateRefused where the template does not take the conversation.
        """
        text = self._rendered(messages, open_answer=True)
        return text if reasons else text + self.inserted

    def default_system(self) -> str:
        """The system message that the template adds where a conversation has none, often empty."""
        asked = Message(role="user", content="x")
        try:
            bare = self.prompt_text([asked])
            rendered = self.prompt_text([Message(role="system", content=SENTINEL), asked])
        except UserError:  # no template, or one that wants other roles
            return ""
        before, sentinel, after = rendered.partition(SENTINEL)
        framed = sentinel and bare.startswith(before) and bare.endswith(after)
        return (
            bare[len(before) : max(len(before), len(bare) - len(after))].strip() if framed else ""
        )

    def prompt_ids(self, messages: Sequence[Message], reasons: bool = False) -> list[int]:
        """The tokens a model is given to answer `messages`; earlier answers keep their cuts."""
        return self._all_ids(self._conversation(messages, "" if reasons else self.inserted))

    def ids_or_refusal(
        self, messages: Sequence[Message], reasons: bool = False
    ) -> tuple[list[int], str]:
        """The same tokens, or none and why the template does not take the conversation."""
        try:
            return self.prompt_ids(messages, reasons), ""
        except TemplateRefused as error:
            return [], error.problem

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of `ids`."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def growing_text(self) -> GrowingText:
        """The text of tokens to come, without special ones."""
        return GrowingText(self._tokenizer)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the model's own start token; many at once are faster."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one) for one in encoded]

    def cut_apart(self, prompt: Sequence[Message], answer: str) -> tuple[list[str], list[str]]:
        """The texts of a prompt and of its answer that are tokenised each by itself."""
        inserted, *rest = self._answer(prompt, answer)
        return [piece.text for piece in self._conversation(prompt, inserted)], rest

    def row_use(self, example: Example) -> RowUse:
        """How the template reads a row; TemplateRefused where it does not."""
        if isinstance(example, Text):
            return RowUse()
        prompt = prompt_of(example)
        moved = bool(prompt) and prompt[0].role == "system" and not self.takes_system
        match example:
            case Chat():
                earlier = sum(turn.is_learned for turn in prompt)
                pieces = self._conversation(prompt)
                unlearned = earlier - sum(piece.trained for piece in pieces)
                return self._row_use(prompt, [example.answer], moved, earlier, unlearned)
            case Preference():
                return self._row_use(prompt, [example.chosen, example.rejected], moved)
            case Unpaired():
                return self._row_use(prompt, [example.completion], moved)
            case _:
                self.prompt_text(prompt)
                return RowUse(system_moved=moved)

    def _row_use(
        self,
        prompt: Sequence[Message],
        answers: Sequence[str],
        moved: bool,
        earlier: int = 0,
        unlearned: int = 0,
    ) -> RowUse:
        inserted = [self._answer(prompt, answer).inserted for answer in answers]
        return RowUse(
            answers=earlier + len(answers),
            unlearned=unlearned,
            system_moved=moved,
            inserted=next(filter(None, inserted), ""),
            reasoning=reasoning.parted(answers[0]) is not None,
        )

    def encode(
        self, example: Chat | Text, max_length: int, last_answer_only: bool = False
    ) -> Encoded:
        """At most `max_length` tokens of a row, from its start.

        Of a Chat every answer of the weight 1 carries loss, or the last of them alone, up to and
        including the token that ends it; of a Text every token does.
        """
        parts = list(self._parts(example))
        last = max(place for place, (_, trained) in enumerate(parts) if trained)
        ids: list[int] = []
        mask: list[int] = []
        for place, (part, trained) in enumerate(parts):
            ids += part
            learned = trained and (place == last or not last_answer_only)
            mask += [int(learned)] * len(part)
        kept = mask[:max_length]
        return Encoded(ids[:max_length], kept, 1 not in kept, len(ids) > max_length)

    def encode_pair(self, preference: Preference, max_length: int) -> EncodedPair:
        """The prompt and both answers, each prompt + answer at most `max_length` tokens."""
        both = [
            self._answer(preference.prompt, text)
            for text in (preference.chosen, preference.rejected)
        ]
        shared = both[0].inserted if both[0].inserted == both[1].inserted else ""
        prompt = self._all_ids(self._conversation(preference.prompt, shared))
        answers = [self.ids(one.inserted[len(shared) :] + one.learned) for one in both]
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

    def _all_ids(self, pieces: Sequence[Piece]) -> list[int]:
        return [i for piece in pieces for i in self.ids(piece.text)]

    def ids(self, text: str) -> list[int]:
        """The tokens of `text` alone, without the model's own start token."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _parts(self, example: Chat | Text) -> Iterator[tuple[list[int], bool]]:
        if isinstance(example, Chat):
            answer = self._answer(example.prompt, example.answer)
            for piece in self._conversation(example.prompt, answer.inserted):
                yield self.ids(piece.text), piece.trained
            yield self.ids(answer.learned), True
            yield self.ids(answer.rest), False
        else:
            ids = list(self._tokenizer.encode(example.text).ids)  # with the model's own start token
            yield ids, True
            yield [self.end_id] if ids[-1:] != [self.end_id] else [], True

    def _conversation(self, messages: Sequence[Message], inserted: str = "") -> list[Piece]:
        """The prompt for the next answer and what is `inserted` after it, cut around its answers.

        Some templates render an earlier answer differently from the last one (they leave out its
        reasoning). Such a prompt cannot be cut, and only the last answer is learned.
        """
        whole = self._rendered(messages, open_answer=True) + inserted
        pieces: list[Piece] = []
        done = ""
        for number, message in enumerate(messages):
            if message.role != "assistant":
                continue
            answer = self._answer(messages[:number], message.content)
            starts = self._starts(messages[: number + 1], answer)
            start = next((s for s in starts if whole.startswith(s + answer.learned)), None)
            if start is None or not start.startswith(done):
                return [Piece(whole, False)]
            pieces += [
                Piece(start[len(done) :], False),
                Piece(answer.learned, message.is_learned),
            ]
            done = start + answer.learned
        return [*pieces, Piece(whole[len(done) :], False)]

    def _starts(self, messages: Sequence[Message], answer: _Answer) -> Iterator[str]:
        """What may stand before the last of `messages`, an answer, once others follow it.

        Tags without reasoning are often left out then.
        """
        before = self._rendered(messages[:-1], open_answer=True)
        yield before + answer.inserted
        yield before
        asked = self._rendered(messages[:-1], open_answer=False)
        answered = self._rendered(messages, open_answer=False)
        if answered.startswith(asked) and (place := answered.find(answer.learned, len(asked))) >= 0:
            yield answered[:place]

    def _answer(self, prompt: Sequence[Message], content: str) -> _Answer:
        """An answer with the token that ends it, and what the template writes around that."""
        return self._cut_out(prompt, content, self.inserted)

    def _cut_out(self, prompt: Sequence[Message], content: str, inserted: str) -> _Answer:
        """The same, where an answer without reasoning is known to follow `inserted`.

        Where the template has no such token, or renders the prompt differently once it is answered,
        the answer ends with the tokenizer's own end token.
        """
        before = self._rendered(prompt, open_answer=True)
        after = self._rendered(
            [*prompt, Message(role="assistant", content=content)], open_answer=False
        )
        reasoned = reasoning.parted(content)
        parts = [reasoned.reasoning, reasoned.text] if reasoned else [content]
        opened = "" if reasoned or not after.startswith(before + inserted) else inserted
        found = _span(after[len(before) :], [part.strip() for part in parts], len(opened))
        if not after.startswith(before) or found is None:
            return self._own_end(before, content, reasoned is not None)
        answer, (start, last) = after[len(before) :], found
        stop, mark = next(self._marks(answer, last), (-1, ""))
        cut = stop + len(mark) if stop >= 0 else len(answer.rstrip())
        if cut <= last:
            return self._own_end(before, content, reasoned is not None)
        opening = opened or (answer[:start] if not reasoned and answer[:start].strip() else "")
        return _Answer(opening, answer[len(opening) : cut], answer[cut:])

    def _own_end(self, before: str, content: str, reasoned: bool) -> _Answer:
        """The answer as it is given, with the tokenizer's end, after a reasoning tag left open."""
        tag = reasoning.tag_left_open(before)
        if tag and reasoned:
            return _Answer("", reasoning.without_opening(content, tag) + self._end, "")
        return _Answer(reasoning.closing(tag) if tag else "", content + self._end, "")

    def _end_of_turn(self) -> list[int]:
        """The token after an answer in the template, where that is a special token."""
        if self._render is None:
            return []
        try:
            learned = self._answer([Message(role="user", content="a")], "b").learned
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
                "Choose a template for it, a chat (instruct) model, or train on plain text.",
            )
        return self._render(self.placed(messages), open_answer)


def _span(text: str, parts: Sequence[str], begin: int) -> tuple[int, int] | None:
    """Where the first of `parts` begins in `text` and the last one ends; None where one lacks."""
    start, end = -1, begin
    for part in parts:
        place = text.find(part, end)
        if place < 0:
            return None
        start = place if start < 0 else start
        end = place + len(part)
    return start, end


def _tokenizer(text: str, *, isolated: bool) -> Tokenizer | IsolatedTokenizer:
    """The tokenizer; UserError for a broken one, whose Rust code may panic instead of raising."""
    try:
        if isolated and needs_process(text):
            return IsolatedTokenizer(text)
        return Tokenizer.from_str(text)
    except UserError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError("The model's tokenizer.json is broken.", "Choose another model.") from None
