"""Untrusted text: what people wrote into tickets is data, and must look like what it is."""

from __future__ import annotations

import re

# Control characters but tab, newline and return; zero-width; bidi overrides and isolates; tags; BOM.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)

_INSTRUCTION = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:previous|prior|above|earlier|all|your|system)\b"
    r"[^.\n]{0,30}\b(?:instruction|prompt|rule|polic|message|context)"
    r"|\byou are now\b|\bsystem prompt\b|\bdeveloper mode\b"
    r"|<\s*/?\s*(?:system|assistant|tool_call|function_call|instructions?)\s*>"
    r"|\[/?INST\]|<\|(?:im_start|im_end|system)\|>"
    r"|\bdo not (?:tell|inform|notify|ask) (?:the )?(?:user|human|operator|anyone)\b"
    r"|\b(?:call|use|invoke|run) the [a-z_]{3,40} tool\b"
)

# Every branch of the pattern above contains one of these: looking for them is a twentieth of its cost.
_SIGNS = (
    "ignore",
    "disregard",
    "forget",
    "override",
    "you are now",
    "system prompt",
    "developer mode",
    "<",
    "inst]",
    "do not ",
    "call the ",
    "use the ",
    "invoke the ",
    "run the ",
)
# Letters that a pattern without regard to case takes for others, and ``lower`` does not.
_ALIKE = str.maketrans("\u0130\u0131\u017f\u212a", "iisk")


def visible(text: str) -> str:
    """The text with every hidden character written out as ``⟦U+200B⟧``."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda found: f"⟦U+{ord(found.group()):04X}⟧", text)


def reads_like_instructions(text: str) -> bool:
    """True when text from a record reads like an order to a model: a signal, never a proof."""
    lowered = (text if text.isascii() else text.translate(_ALIKE)).lower()
    for sign in _SIGNS:  # a loop: a generator would cost four times as much
        if sign in lowered:
            return _INSTRUCTION.search(text) is not None
    return False
