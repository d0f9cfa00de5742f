"""List the verbs of what food does without a hand: "the onions frying in the pan"."""

from __future__ import annotations

HAPPENS = {
    "bake": "baking", "cook": "cooking", "simmer": "simmering", "boil": "boiling",
    "roast": "roasting", "fry": "frying", "saute": "sautéing", "preheat": "heating up", "brown": "browning",
    "sear": "searing", "toast": "toasting", "grill": "grilling", "broil": "browning",
    "steam": "steaming", "poach": "poaching", "blanch": "blanching", "melt": "melting",
    "heat": "heating up", "warm": "warming up", "reheat": "heating up", "heat up": "heating up",
    "warm up": "warming up", "heat through": "heating through", "warm through": "heating through",
    "chill": "chilling", "refrigerate": "chilling", "freeze": "freezing", "cool": "cooling",
    "rest": "resting", "rise": "rising", "proof": "rising", "prove": "rising", "stand": "resting",
    "sit": "resting", "soak": "soaking", "marinate": "marinating", "thaw": "thawing",
    "defrost": "thawing", "braise": "braising", "stew": "stewing", "steep": "steeping",
    "infuse": "steeping", "brew": "brewing", "microwave": "heating", "bubble": "bubbling",
    "caramelize": "caramelizing", "caramelise": "caramelizing", "soften": "softening",
    "wilt": "wilting", "air fry": "crisping", "deep fry": "deep-frying", "pan fry": "frying",
    "shallow fry": "frying", "parboil": "boiling",
    "blind bake": "blind-baking", "sweat": "softening", "char": "charring",
    "barbecue": "grilling", "smoke": "smoking", "cook through": "cooking", "set": "setting",
    "cook down": "cooking down", "simmer down": "simmering", "reduce": "reducing",
    "slow cook": "cooking slowly", "pressure cook": "cooking", "scald": "heating up",
    "pulse": "", "bring to a boil": "coming to a boil", "bring to the boil": "coming to a boil",
    "bring to a simmer": "coming to a simmer", "crisp": "crisping", "render": "rendering",
    "ferment": "fermenting", "dry": "drying", "thicken": "thickening", "sizzle": "sizzling",
}  # fmt: skip
"""Verbs of what food does without a hand."""
LETTING = frozenset("let allow leave".split())

ENDINGS = frozenset({"enjoy", "eat", "drink", "serve", "repeat"})
"""Verbs that add nothing to the picture of the verb before."""


def is_happening(verb: str) -> bool:
    """Return True for a verb of what the food does, or "let", which leads to one."""
    first = verb.split()[0]
    return bool(HAPPENS.get(verb)) or first in LETTING or first == "bring"
