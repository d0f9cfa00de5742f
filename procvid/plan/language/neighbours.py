"""Read a thing by what stands beside it: "garlic and onion powder" are two powders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from procvid.plan.language.lexicon import Word, lexicon
from procvid.plan.language.mention import Mention


def by_neighbours(tokens: Sequence[Word], mentions: Sequence[Mention]) -> list[Mention]:
    """Return the mentions of a step, each as its neighbours show it.

    Args:
        tokens: The words of the step.
        mentions: The mentions as they were read alone, in order.
    """
    return _vegetable_peppers(_liners(_powders(tokens, mentions)))


def _powders(tokens: Sequence[Word], mentions: Sequence[Mention]) -> list[Mention]:
    """Read "garlic and onion powder" as two powders."""
    made = list(mentions)
    for number, mention in enumerate(made[:-1]):
        after = made[number + 1]
        joined = [t.text for t in tokens[mention.index + 1 : after.index]] == ["and"]
        entry = lexicon().look_up(f"{mention.entry.name} powder")
        if joined and after.entry.name.endswith(" powder") and entry is not None:
            made[number] = replace(mention, entry=entry)
    return made


def _liners(mentions: Sequence[Mention]) -> list[Mention]:
    """Read "fill the liners" as the muffin tin, unless the text names the tin too."""
    tin = lexicon().entries["muffin tin"]
    if tin in [m.entry for m in mentions]:
        return [m for m in mentions if m.wording not in ("cup", "cups")]
    return [replace(m, entry=tin) if m.entry.name == "paper liner" else m for m in mentions]


def _vegetable_peppers(mentions: Sequence[Mention]) -> list[Mention]:
    """Read "onion, pepper and garlic" as the vegetable: a list goes on with vegetables."""
    bell = lexicon().entries["bell pepper"]
    salted = any(m.entry.name == "salt" for m in mentions)
    out = list(mentions)
    for n, one in enumerate(out):
        following = out[n + 1] if n + 1 < len(out) else None
        plain = one.entry.name == "pepper" and one.wording in ("pepper", "peppers")
        listed = (
            following is not None
            and following.entry.group == "vegetable"
            and following.index - one.index <= 3
        )
        if plain and (one.wording == "peppers" or (listed and not salted)):
            out[n] = replace(one, entry=bell)
    return out
