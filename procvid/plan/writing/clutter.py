"""Strip from a clause what no clip shows: amounts, times, heat, purposes and remarks."""

from __future__ import annotations

import re

MAX_CLAUSE_CHARS = 350
SIDE_WORK = frozenset(
    "stirring whisking mixing beating turning flipping tossing shaking folding scraping swirling "
    "pressing rotating covering".split()
)
"""Side actions that a clip shows: "pour in the milk, whisking constantly"."""


def _any_of(*phrases: str) -> str:
    """Return a pattern for any of some words and phrases, which commas separate."""
    return "|".join(part.strip() for one in phrases for part in one.split(","))


# Amounts, sizes and times.
DIGITS = r"(?:\d+(?:[.,/]\d+)?\s*[½¼¾⅓⅔⅛]?|[½¼¾⅓⅔⅛])"
SPELLED = _any_of(
    "one, two, three, four, five, six, seven, eight, nine, ten, twelve, fifteen, twenty, thirty",
    "a few, few, several, a couple of, half an, an, a",
)
NUMBER = rf"(?:{DIGITS}|\b(?:{SPELLED})\b)"
TO = r"\s*(?:-|–|—|\bto\b|\bor\b|\band\b)?\s*"
RANGE = rf"{NUMBER}(?:{TO}{NUMBER})?"
GLUE = r"\s*[-–]?\s*"
TIME = re.compile(
    r"(?:,?\s?\b(?:for|about|approximately|around|at least|another|an additional|up to|roughly|"
    r"in|within|every|the|last|first|additional|more|an extra)\b)*"
    rf"\s?{RANGE}{GLUE}(?:more |full |additional )?"
    r"(?:minutes?|mins?|hours?|hrs?|hr|seconds?|secs?|days?|weeks?|nights?)\b\.?"
    r"(?:\s(?:or more|or less|more|longer|each(?! side)|in total|total|or so|at a time|"
    r"(?:per|on each|on the other|on the first|on both|on one|on a|each|a|one) sides?\b))?",
    re.I,
)
LONG = re.compile(
    r"\b(?:for )?(?:overnight|the (?:entire|whole) time|a while|a bit longer|a moment|the time)\b",
    re.I,
)
BURSTS = re.compile(
    r"\b(?:for )?(?:about |another )?an? (?:minute|second|hour|day) or (?:two|so|more)\b|"
    rf"\b(?:in|at) {RANGE}{GLUE}(?:second|minute|sec)s?[\s-](?:increments?|intervals?|bursts?)",
    re.I,
)
PORTIONS = re.compile(
    rf",?\s?(?:about |roughly )?{NUMBER}(?: \w+ or {NUMBER})?(?: \w+){{0,2}} at a time\b|"
    rf"(?:about |almost )?(?:{NUMBER}|three[- ]quarters|two[- ]thirds|half(?:way)?)"
    rf"(?: of the way)?(?: up| full)(?: full)?\b|\b{DIGITS}\s?way\b|\bof the way(?: full)?\b",
    re.I,
)
TEMPERATURE = re.compile(
    r"(?:,?\s?\b(?:set )?(?:at|to|until|in a|of|about)\s)?(?:a temperature of )?\d{2,3}\s?"
    r"(?:(?:°|º|˚|degrees?|deg\b)\s?(?:[FC]\b|fahrenheit|celsius|centigrade)?|[FC]\b)"
    r"|\bgas(?: mark)? \d\b",
    re.I,
)
LEVEL = r"(?:very|low|medium|moderate|moderately|high|gentle|med|hot|slow|your|lowest|highest)"
HOT_OVEN = re.compile(
    r"\bin (?:an?|the) \d{2,3}\s?(?:°|º|˚|degrees?)?\s?(?:[FC]\b)?\s?(?:preheated )?oven\b", re.I
)
HEAT = re.compile(
    r",?\s?\b(?:over|on|at|to|using|with|under)\s(?:an? |the )?(?:manual[\s,-]*)?"
    r"(?:high|low)[\s-]pressure(?: (?:mode|setting|cook(?:ing)?))?\b"
    r"|,?\s?\b(?:over|on|using|with|in) (?:the )?(?:manual|saut[eé]|pressure cook)(?: mode| setting)\b"
    rf"|,?\s?\b(?:over|on|at|to|using|with|under)\s(?:an? |the )?{LEVEL}\b"
    rf"(?:(?:\s|-|/|\bto\b|\bor\b){{1,4}}{LEVEL}\b){{0,4}}[\s-](?:direct |indirect )?"
    r"(?:heat|flame|fire|speed|power|settings?)\b"
    r"|,?\s?\b(?:on|over|at|to)\s(?:low|medium|high|med)(?:[\s-](?:to[\s-])?(?:low|medium|high))?\b"
    r"(?! (?:rack|shelf|sided))"
    r"|\b(?:(?:over|on|from|off) (?:the )?|to the )heat\b",
    re.I,
)
SIZE = re.compile(
    rf"\b(?:about |around |approximately |roughly )?(?:\d+\s?(?:x|×|by)\s?){{0,2}}{RANGE}{GLUE}"
    r"(?:inch(?:es)?|cm|mm|centimet(?:er|re)s?|(?:quarts?|qt)(?! of)|[\"”″])(?![a-z])"
    r"[\s-]?(?:thick(?:ness)?\b|long\b|wide\b|deep\b|(?:in )?diameter\b|apart\b|square\b)?"
    r"(?:\s?of\b(?! the))?"
    r"|\b\d+\s?(?:x|×)\s?\d+(?:[\s-]?inch(?:es)?)?",
    re.I,
)
UNIT = (
    r"(?:cups?|tablespoons?|teaspoons?|tbsps?|tbs|tsps?|grams?|g|kg|ml|cl|dl|l|lit(?:er|re)s?|oz|"
    r"ounces?|fl\.? oz|lbs?|pounds?|quarts?|pints?|sticks?|cans?|tins?|packets?|packages?)"
)
PIECES = r"(?:cloves?|heads?|stalks?|sprigs?|bunch(?:es)?)"
SIZED = rf"{GLUE}(?:heaping |level |scant |generous |large |small )?"
AMOUNT = re.compile(
    r"(?:\b(?:about|around|roughly|approximately|another|each|the|remaining|a|an|your)\s)?"
    rf"(?:{DIGITS}(?:{TO}{DIGITS})?{SIZED}(?:{UNIT}|{PIECES})\b\.?(?:[\s-]sized?\b)?(?:\seach\b)?(?:\sof\b(?:\sthe\b)?)?"
    rf"|{RANGE}{SIZED}{UNIT}\sof\b(?:\sthe\b)?)",
    re.I,
)
HALF = re.compile(r"(?:1/2|½)\s?of\b")
REST = re.compile(rf"\b(remaining|rest of the) {UNIT}\b\.?(?: of(?: the)?)?(?= [a-z])", re.I)
"""An amount without a number: "the remaining cup water"."""
SHARE = re.compile(rf"{DIGITS}(?:{TO}{DIGITS})?\s?(?:(?:portions?|parts?) )?of\b(?:\sthe\b)?")
BITS = re.compile(
    rf"{DIGITS} (slices|leaves|pieces|strips|cubes|servings|portions|drops|sheets|scoops) "
    r"(?!of |in |into |on |to |at |for |and |from |with |\w+ly\b|\w+wise\b|\w+ways\b)(?=[a-z])",
    re.I,
)
"""Pieces without "of": "4 slices squash"."""
COUNT = re.compile(r"\b\d+(?:\s?(?:[-–/]|to|or)\s?\d+)*\b|[½¼¾⅓⅔⅛]")

# Words that say nothing about the picture.
LOOKS = re.compile(
    r"\b(?:doubled )?in (?:colou?r|texture|volume|bulk|size|thickness|diameter|shape|appearance|"
    r"consistency)\b",
    re.I,
)
NOISE = re.compile(
    r"\b(?:"
    + _any_of(
        "now, next, also, finally, just, please, again, meanwhile, immediately, simply, optional",
        "approximately, at room temperature, to taste, if using, of your choice, of choice, still",
        "as desired, right away, in the meantime, at this point, at this time, or so, once more",
        "lastly, firstly, in batches, if needed, as needed, to your liking, if desired, optionally",
        "x, necessary, forth, straight away, every now and then, every so often, from time to time",
        "now and then",
        r"\d+(?:\s?[-–]\s?\d+| or \d+| to \d+)? times, at a time",
        "a few times, several times, a couple of times, two or three times",
        r"right(?= (?:to|in|on|into|before|after)\b)",
        r"(?:well )?(?:between|after) (?:each|every)(?: \w+)?",
        "(?:a|one) (?:second|third|last|final|more) time",
        "at first, no more than, at most, at once, and hold",
        r"but (?:still )?\w+(?= \w+ (?:\w+|$)), too(?=$|[.!])",
        "either(?! side), homemade, store-bought, good quality, your favou?rite, favou?rite",
    )
    + r")\b,?",
    re.I,
)

# What ends a clause, to its last word.
FOLLOWED = re.compile(r",? followed by\b")
THEN_THE = re.compile(r"\bthen (?=(?:the|a|an) )", re.I)
THEN = re.compile(r"(?<=[a-z,])\sthen\b.*", re.I)
REMARK = re.compile(
    r"(?:,\s?(?:this|these|it|they|there|here)\b|(?:,\s?|\s|^)\b(?:"
    + _any_of(
        "according, as (?:you|desired|needed|directed|for|per|instructed), because, making sure",
        "taking care, be(?:ing)? (?:careful|sure), ensuring, so (?:that|it|they|as)?, depending",
        "to within, preferably, plus (?:more|extra), like, such as, which, that, who, where, see",
        "as (?:much|far|thin|thinly|evenly|well|many|little|possible|close|fast|quickly|best|long)",
        "listed (?:under|for|in), (?:a bit |slightly )?(?:smaller|larger|bigger|thicker) than",
        "if, unless, when, while, until, till, to your, leaving, allowing, reserving, otherwise",
        "remembering, do not, don't, but, not, rather, instead, adding, making, trying, saving, to keep",
        "per (?:the |package )?, following (?:the |package )?, in which, on which, as long as",
        r"should, would, will, can(?! of), could, may, at which, by which, about, note",
        r"works? (?:best|well|great|too)",
    )
    + r")\b).*",
    re.I,
)
SIDE = re.compile(
    r",\s?(?:(?:carefully|gently|then|while)\s)?(?!(?:"
    + _any_of(
        "stirring, whisking, mixing, beating, turning, flipping, tossing, shaking, folding",
        r"scraping, swirling, \w+ly, icing, frosting, seasonings?, dressing, stuffing, filling",
        "toppings?, pudding, dumplings?, shortening, spring, string, baking",
    )
    + r")\b)\w+ing\b.*",
    re.I,
)
"""A side action that no clip shows: ", allowing the steam to escape"."""
PURPOSE = re.compile(
    r",?\s?\b(?:in order )?to (?:"
    + _any_of(
        "prevent, help, avoid, allow, ensure, make sure, get, give, keep, achieve, create, release",
        "let, be, have, taste, serve, finish, check, absorb, remove, loosen, use, incorporate, do",
        "distribute, bring out, warm, cool, soften, your, mix, blend, combine, coat, bind, thicken",
        "emulsify, go, reveal, expose, start, stop, develop, drain, rest, set, settle, fully",
        "completely, see, room, thin, make, loosen, balance, adjust, moisten",
    )
    + r")\b.*",
    re.I,
)
NEXT = re.compile(
    r"(?:,\s?(?:and\s|then\s)?|\sand\s|\sthen\s)(?:"
    + _any_of(
        "let, set, continue, allow, bring, leave, keep, begin, start, repeat, reduce, increase",
        "plug, replace, whizz?, raise, lower, use, share, finish, switch, wait, go on",
        "turn (?:the heat|off|down|up)",
    )
    + r")\b.*",
    re.I,
)
"""Another instruction that the lexicon takes for no verb here."""

FORBIDDEN = re.compile(
    r"\b(?:"
    + _any_of(
        "you, you're, you'll, i, i'm, we, us, he, she, ignore, instructions?, prompt, system, https?",
        "www, com, click, subscribe, recipes?, video, photos?, notes?, above, below, previous",
        "assistant, amazon, shop, link, page, isn't, aren't, is, are, was, were, has, steps?, etc",
        "why, don't, never",
    )
    + r")\b",
    re.I,
)
"""Words of a remark, a link or an order to a machine, which no clause of a prompt has."""
PART = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\S")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
BRAND = re.compile(r"\S{0,40}[®™©]\S{0,40}|\*+")
TWICE = re.compile(r"\b(\w+) \1\b", re.I)
BOTH = re.compile(r"(?<=[a-z])\s?/\s?(?=[a-z])")
"""A slash between words: "milk/vinegar mixture"."""
LOOSE_QUOTE = re.compile(r"(?<![^\W\d_])'|'(?![^\W\d_])")
LAST_LATIN = 0x24F
PROPER = frozenset(
    "Asian Belgian Cajun Canadian Chinese Dijon Dutch English French Greek Indian Italian Japanese "
    "Korean Mexican Parmesan Spanish Swiss Thai Turkish Worcestershire".split()
)
AFTER_COMMA = frozenset("in on into onto with over under using".split())
LOOSE_ENDS = frozenset(
    "and or then with in on to for of the a an from at over into until by about , your each right".split()
)


JOINERS = frozenset({",", "and", "or"})
SERVING = frozenset("serve enjoy serving".split())


def clean(spoken: str, *, happens: bool = False) -> tuple[str, ...] | None:
    """Return the words and commas of a clause without amounts, times and heat; None if unsafe.

    Args:
        spoken: The words after a verb, or before it.
        happens: True after a verb of what the food does, which has no object after a comma.
    """
    if len(spoken) > MAX_CLAUSE_CHARS:
        return None
    spoken = BRAND.sub(" ", spoken).replace("’", "'").replace("&", " and ")
    spoken = spoken.replace('"-inch', "-inch").replace('" inch', " inch")
    spoken = HOT_OVEN.sub("in the oven", " ".join(spoken.split()))
    for pattern in (BURSTS, PORTIONS, TIME, TEMPERATURE, HEAT, LONG, SIZE, AMOUNT, LOOKS, NOISE):
        spoken = " ".join(pattern.sub(" ", spoken).split())
    spoken = f" {THEN_THE.sub(', ', FOLLOWED.sub(',', spoken))}"
    for ending in (THEN, REMARK, SIDE, PURPOSE, NEXT):
        spoken = ending.sub("", spoken, 1)
    spoken = REST.sub(r"\1", BITS.sub(r"\1 of ", spoken))
    spoken = COUNT.sub(" ", SHARE.sub(" ", HALF.sub("half of", spoken)))
    spoken = spoken.replace("and/or", "and").replace("half and half", "half-and-half")
    spoken = spoken.replace("all purpose", "all-purpose").replace(" its own ", " its ")
    spoken = TWICE.sub(r"\1", spoken.replace(" off of ", " off ").replace(" on to ", " onto "))
    spoken = BOTH.sub(" and ", spoken)
    spoken = LOOSE_QUOTE.sub(" ", re.sub(r"[.!?\"“”:]", " ", spoken))
    parts = PART.findall(spoken)
    safe = all(part == "," or (WORD.fullmatch(part) and _is_latin(part)) for part in parts)
    if not safe or FORBIDDEN.search(spoken):
        return None
    if happens and parts[:1] == [","] and parts[1:2] and parts[1].lower() not in AFTER_COMMA:
        return ()
    if happens and [p.lower() for p in parts[:1]] == ["and"]:
        return ()
    return tuple(_trimmed([_cased(part) for part in parts]))


def _is_latin(word: str) -> bool:
    return all(ord(c) <= LAST_LATIN or c == "’" for c in word)


def _cased(word: str) -> str:
    """Return a word in lower case unless it is the name of a place or a people."""
    return word if word in PROPER else word.lower()


def _trimmed(parts: list[str]) -> list[str]:
    """Return the parts without joiners and prepositions at the end, or commas at the start."""
    while parts and parts[-1] in (LOOSE_ENDS | SERVING) - {"in", "on", "over"}:
        parts.pop()
    while len(parts) > 1 and parts[-1] in ("in", "on", "over") and parts[-2] in LOOSE_ENDS:
        parts.pop()
    if parts[-1:] and parts[-1] in ("in", "on") and parts[-1] in parts[:-1]:
        parts.pop()
    started = next((p for p in parts[:3] if p not in JOINERS and not p.endswith("ly")), "")
    if started.endswith("ing") and (parts[0] in JOINERS or started in SIDE_WORK):
        return []
    while parts and parts[0] in JOINERS:
        parts.pop(0)
    return parts
