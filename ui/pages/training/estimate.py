"""What a training will take, as HTML: memory by part, time, money, and the ways to tune."""

from collections.abc import Mapping
from html import escape

from engine.core.training_estimate import Preflight, proposal_words
from engine.core.units import duration_words, memory_words
from ui.components import markup

VERDICTS: dict[str, tuple[str, markup.Tone]] = {
    "ok": ("It fits", "good"),
    "tight": ("Just fits", "warn"),
    "impossible": ("It does not fit", "bad"),
}
NOT_INSTALLED: tuple[str, markup.Tone] = ("Not installed here", "neutral")
REFUSED: tuple[str, markup.Tone] = ("Cannot start", "bad")
PARTS = {
    "weights": "model weights",
    "activations": "activations",
    "vocabulary": "logits",
    "optimiser": "optimizer state",
    "gradients": "gradients",
    "adapter": "adapter",
    "reference": "reference model",
    "answers": "sampled answers",
    "libraries": "libraries",
}
TUNINGS = {
    "lora": ("LoRA", "The model stays frozen; small added matrices are trained."),
    "qlora": ("QLoRA (4-bit)", "LoRA on a model quantized to 4 bits: needs the least memory."),
    "full": (
        "Full fine-tuning",
        "All weights are trained: needs the most memory.",
    ),
}


def panel(found: Preflight, notes: tuple[str, ...] = ()) -> str:
    """All of a preflight: verdict, memory as a bar by part, time, money, reasons."""
    label, tone = verdict(found)
    reasons = "".join(markup.notice(text, tone) for text in found.reasons)
    beside = "".join(markup.notice(text, "neutral") for text in notes)
    fix = f"This would fit: {proposal_words(found.proposal)}." if found.proposal else ""
    fix = f'<p class="tl-hint">{escape(fix)}</p>' if fix else ""
    return (
        f'<section class="tl-preflight"><div class="tl-run-head"><h3>Estimate</h3>'
        f"{markup.badge(label, tone)}</div>{_numbers(found)}{_memory(found)}{reasons}{fix}{beside}"
        "</section>"
    )


def verdict(preflight: Preflight) -> tuple[str, markup.Tone]:
    """Whether it can be trained here, for a badge; a refusal that is not about memory says so."""
    if not preflight.refused or preflight.memory_needed > preflight.memory_here["usable"]:
        return VERDICTS[preflight.verdict]
    return NOT_INSTALLED if "not installed" in preflight.reasons[0] else REFUSED


def tunings(found: Mapping[str, Preflight], chosen: str) -> str:
    """The ways to tune as cards with their memory and time; one that can't be is no button."""
    made = "".join(_tuning(name, each, name == chosen) for name, each in found.items())
    return f'<div class="tl-picks tl-tunings">{made}</div>'


def about(seconds: float) -> str:
    """A time as people plan with it: "about 4 minutes"."""
    return f"about {duration_words(seconds)}"


def _tuning(name: str, found: Preflight, chosen: bool) -> str:
    title, text = TUNINGS[name]
    have = found.memory_here["usable"]
    memory = f"{memory_words(found.memory_needed)} of {memory_words(have)}"
    inside = f"{memory}, {about(found.seconds.likely)}"
    possible = found.verdict != "impossible"
    if not possible and found.memory_needed <= have:
        inside = found.reasons[0]
    words, tone = verdict(found)
    badge = "" if found.verdict == "ok" else markup.badge(words.lower(), tone)
    html = (
        f'<div class="tl-card-head"><b>{escape(title)}</b>{badge}</div><p>{escape(text)}</p>'
        f'<div class="tl-card-foot"><span>{escape(inside)}</span></div>'
    )
    if possible or chosen:
        pressed = str(chosen).lower()
        return (
            f'<div class="tl-pick" role="button" tabindex="0" data-pick="{name}" '
            f'aria-pressed="{pressed}">{html}</div>'
        )
    return f'<div class="tl-pick tl-refused" role="button" aria-disabled="true">{html}</div>'


def _numbers(found: Preflight) -> str:
    low, likely, high = map(
        duration_words, (found.seconds.low, found.seconds.likely, found.seconds.high)
    )
    needs, have = memory_words(found.memory_needed), memory_words(found.memory_here["usable"])
    made = [
        markup.stat("Time", f"about {likely}", f"{low} to {high}"),
        markup.stat("Memory", needs, f"of {have} to give"),
        markup.stat("Steps", f"{found.steps:,}", f"{found.rows:,} rows to learn"),
    ]
    if found.usd.high:
        usd = found.usd
        note = f"{usd.low:,.2f} to {usd.high:,.2f} USD"
        made.append(markup.stat("Cost", f"{usd.likely:,.2f} USD", note))
    basis = f'<p class="tl-hint">The time is {escape(found.basis)}.</p>'
    return markup.stats(made) + basis


def _memory(found: Preflight) -> str:
    """The parts side by side; the line is what this machine can give."""
    have = found.memory_here["usable"]
    scale = max(found.memory_needed, have) * 1.02
    parts = sorted(found.memory.items(), key=lambda part: -part[1])
    order = list(PARTS)
    colour = {name: order.index(name) if name in order else 0 for name, _ in parts}
    bar = "".join(
        f'<i class="tl-part-{colour[name]}" style="width:{100 * taken / scale:.2f}%" '
        f'title="{escape(f"{PARTS.get(name, name)}: {memory_words(taken)}")}"></i>'
        for name, taken in parts
    )
    legend = "".join(
        f'<li><i class="tl-part-{colour[name]}"></i>{escape(PARTS.get(name, name))} '
        f"<b>{memory_words(taken)}</b></li>"
        for name, taken in parts
    )
    label = (
        f"{memory_words(found.memory_needed)} of memory needed, {memory_words(have)} can be given"
    )
    return (
        f'<div class="tl-memory" role="img" aria-label="{escape(label)}">'
        f'<div class="tl-memory-bar">{bar}<u style="left:{100 * have / scale:.2f}%"></u></div>'
        f'<p class="tl-memory-end" style="--tl-at:{100 * have / scale:.2f}%">'
        f"{memory_words(have)} here</p></div>"
        f'<ul class="tl-legend">{legend}</ul>'
    )
