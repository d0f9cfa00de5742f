"""List the English words that matter for reading a step, and check that a text is English."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from procvid.errors import RecipeError
from procvid.plan.language.lexicon import Word, lexicon, words

DETERMINERS = frozenset(
    "a an the this that these those each every both all some any your my his her "
    "their our its half more remaining rest another other same one two three four "
    "five six".split()
)
PRONOUNS = frozenset("it them they these those everything this".split())
GENERIC_FOODS = frozenset("mixture mix ingredients ingredient contents food everything".split())
PREPOSITIONS = frozenset(
    "in into on onto to with over from for of under at by inside through between "
    "around across using without until till before after while when once as if "
    "like because so than about against along off during upon".split()
)
SUBORDINATORS = frozenset("until till when once while if as after before because so unless".split())
ADVERBS = frozenset(
    "now next then first firstly second secondly third lastly meanwhile also just "
    "again together well very quite twice once often always occasionally "
    "constantly lightly gently finely thinly roughly coarsely thickly carefully "
    "quickly slowly evenly immediately finally please here there back aside down "
    "up out apart away afterwards afterward meantime instead only still".split()
)
OPENERS = frozenset(
    "and n then or but & you we i he she they can could should must will would may "
    "please let's to by continue keep start begin finish stop try remember don't "
    "dont not never do".split()
)
NEGATIONS = frozenset({"don't", "dont", "not", "never"})
"""Before a verb they turn it off: "do not slice"."""
LINKING = frozenset("is are was were be been being becomes become get gets looks look".split())
UNITS = frozenset(
    "g gram grams kg kilogram kilograms mg ml cl dl l litre litres liter liters oz "
    "ounce ounces lb lbs pound pounds cup cups tsp tsps teaspoon teaspoons tbsp "
    "tbsps tablespoon tablespoons pinch pinches dash dashes handful handfuls bunch "
    "bunches clove cloves can cans tin tins packet packets package packages piece "
    "pieces slice slices stick sticks sprig sprigs head heads stalk stalks knob "
    "splash drop drops quart quarts pint pints inch inches cm mm x gm gms tbs tbls ounce kgs "
    "packs pack".split()
)
COMMON = (
    DETERMINERS
    | PRONOUNS
    | GENERIC_FOODS
    | PREPOSITIONS
    | ADVERBS
    | OPENERS
    | LINKING
    | UNITS
    | frozenset(
        "minute minutes min mins hour hours second seconds heat medium high low hot "
        "cold warm large small big little soft tender golden brown crispy crisp thick "
        "thin smooth ready done until fully completely desired taste side sides top "
        "bottom end way time times degrees oven room temperature fresh dried good best "
        "nice much many few several enough extra optional needed about approximately "
        "have has had make use using used which who what where it's you're into "
        "serving servings serves serve people recipe step steps prep cook total cubes "
        "rings strips chunks pieces bite sized size thin layer edges center centre "
        "middle surface skin color colour mixture vegetables vegetable veggies fruit "
        "green red white black yellow aside overnight day days week night morning "
        "dinner lunch breakfast family love easy quick simple delicious homemade my "
        "new old great no yes fine finely thinly off will be go keep bring use round "
        "long short whole half quarter thirds both excess liquid skins seeds stems "
        "ends".split()
    )
)
NO_FOODS = frozenset(
    "hand hands finger fingers fingertips palm palms hole holes well wells gap gaps slit slits cut "
    "cuts indent indentation indentations divot dent border seam fold crease edge edges corner "
    "corners centers centres rim rims base bottoms outside inside insides underside outer inner "
    "circle circles disc discs disk disks square squares rectangle rectangles triangle triangles "
    "oval log logs ball rope ropes spiral shape shapes form pattern design lattice dome tube row "
    "rows line lines grid bit bits couple lot tad touch amount amounts batch batches portion "
    "portions part parts section sections half halves third thirds fourths quarters remainder "
    "leftovers leftover rest extra sure right left speed mode setting settings level unit program "
    "valve vent fan door window hood motor flame flames coals fire smoke steam air bubbles foam "
    "scum fat skin flesh bone bones membrane pith stem stems shell shells peel peels head heads "
    "mouth lip texture consistency thickness color colour flavor flavors flavour flavours taste "
    "aroma aromas smell seasonings liking preference choice favorite favourite friends guests "
    "family everyone video picture photo photos recipe recipes instructions directions suggestions "
    "notes note step steps page book store stores shop timer clock time times minute minutes hour "
    "moment second seconds degree degrees temperature temp internal wet dry rimmed covered "
    "uncovered topped lined greased ungreased standard additional entire separate further final "
    "last first next previous same whole even generous gentle stiff soft firm tight loose thick "
    "thin pale dark light clear rough smooth damp fresh favorite preferred following according "
    "depending instead either neither among though although however whether how why what anything "
    "nothing something anywhere somewhere within without toward towards ahead later longer less "
    "more most least better best bigger larger smaller wetter drier thicker thinner deeper higher "
    "lower crosswise lengthwise lengthways widthwise diagonally upright straight sideways apart "
    "halfway translucent opaque golden foamy bubbly fluffy shiny glossy creamy crumbly shaggy "
    "sticky tender safe care tip tips trick group area space room place surface workspace station "
    "tip end ends side sides top bottom middle center centre attention peak peaks swirl swirls "
    "spoonful spoonfuls dollop dollops drizzle handful scoop scoops pinch splash swig squeeze "
    "weight weights toothpicks blade blades paddle attachment trivet sleeve pouch packet sachet "
    "package packages container liners storage fridge cleanup station wood chunks chips pellets "
    "c g ml f approx min mins it's that's it'll don't you'll they're there's whilst repeat repeats "
    "finished starting stopping rotating batter's components component option options ones one "
    "individual spare overhang overhanging trimmings scraps offcuts strands knots knot headspace "
    "rack racks shelf shelves angle point points spots body film coating layer layers piles pile "
    "mound mounds ring rings strip strips dye "
    "giant huge jumbo mini crunchy crispy juicy savory spicy tangy zesty hearty lovely perfect "
    "amazing awesome classic traditional authentic simple healthy vegan keto paleo copycat best "
    "ultimate crowd kids people person tray stamp press board stick sticks handle handles wire paper "
    "thing things stuff process work works job magic love fun party holiday christmas thanksgiving "
    "buffalo southern mexican italian greek indian thai chinese japanese korean french german "
    "american cross crosses stripe zigzag "
    "blob cutout exhaust mild cheesy hairy primer topcoat planks shavings seams".split()
)
"""Words that name no food, found as objects of verbs in real recipes; a guess avoids them."""
MIN_KNOWN_SHARE = 0.45
MIN_LATIN_SHARE = 0.7


def is_adverb(word: str) -> bool:
    """Return True for adverbs ("then", "finely"), but not for foods in -ly ("jelly")."""
    return word in ADVERBS or (word.endswith("ly") and len(word) > 4 and not lexicon().knows(word))


def is_number(word: str) -> bool:
    """Return True for a number such as "2", "1/2" or "½"."""
    return word[0].isdigit()


def check_english(text: str) -> None:
    """Raise RecipeError for another script or too few English kitchen words."""
    letters = [c for c in text if c.isalpha()]
    if not letters:
        raise RecipeError(
            "The recipe contains no words, only signs and numbers.",
            "Write a title and a few steps in English.",
        )
    latin = sum("LATIN" in unicodedata.name(c, "") for c in letters)
    tokens = [word for word in words(text) if not is_number(word.text)]
    share = known_share(tokens)
    if latin < MIN_LATIN_SHARE * len(letters) or share < MIN_KNOWN_SHARE:
        start = " ".join(text.split())[:40]
        raise RecipeError(
            f"The recipe does not seem to be in English ({share:.0%} of its words are known): "
            f"{start!r}.",
            "Translate it to English; no other language is supported yet.",
        )


def known_share(tokens: Sequence[Word]) -> float:
    """Return the share of everyday or kitchen words, 0 to 1."""
    if not tokens:
        return 0.0
    known = sum(is_known(token.text) for token in tokens)
    return known / len(tokens)


def is_known(word: str) -> bool:
    """Return True for everyday words, words of the lexicon and adverbs in -ly."""
    return word in COMMON or lexicon().knows(word) or is_adverb(word)
