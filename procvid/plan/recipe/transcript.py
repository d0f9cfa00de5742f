"""Find cooking steps in speech, by lexicon and grammar (paper, section 3.2).

Speech says "so now we're gonna slice the carrot" where a recipe says "Slice the carrot". Phrases
that lead to an imperative are read as the end of a sentence; what follows is a step when it names
a food, or does something to "it" in a vessel. Its times are those of its words within their cues.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from procvid.errors import InputError, RecipeError
from procvid.plan.language.english import check_english, is_adverb
from procvid.plan.language.lexicon import words
from procvid.plan.language.reading import Segment, read_step
from procvid.plan.language.verbs import find_verbs
from procvid.types import TimedText

PAUSE_S = 2.0
"""A longer pause ends a sentence."""

MAX_CUES = 200
"""Maximum number of cues without a pause; bounds the work on a transcript without pauses."""

MIN_WORDS, MAX_WORDS = 3, 40
SAMPLE_CHARS = 4_000
LEAD = re.compile(
    r"\b(?:(?:so|and|then|now|okay|ok|alright|well|first|next|here|just|um|uh)\s+){0,4}"
    r"(?:(?:i|we|you|you all|y'all|they)(?:'m|'re|'ll|'d|\s+am|\s+are|\s+will|\s+would)?"
    r"(?:\s+(?:just|also|then|now|really|only|simply|probably|basically)){0,3}"
    r"(?:\s+(?:going\s+to|gonna|wanna|want\s+to|need\s+to|have\s+to|like\s+to|got\s+to|gotta|can|should|go))?"
    r"(?:\s+(?:just|also|then|now|simply|go\s+ahead\s+and)){0,3}|let's|let\s+us|go\s+ahead\s+and|"
    r"make\s+sure\s+(?:to|you)|the\s+next\s+step\s+is\s+to)\s+",
    re.IGNORECASE,
)
FILLER = re.compile(
    r"\b(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\bwere )(?<!'s )(?<!'re )(?<!\bnot )(?<!\bthe )"
    r"(?<!\ban )(?<!\ba )(?<!\band )(?<!\bever )"
    r"(?:so|okay|ok|alright|alrighty|all\s+right|right|yeah|great|perfect|awesome|cool|um|uh|"
    r"now|then|next|first|well|here)"
    r"(?:\s+(?:so|okay|ok|alright|alrighty|all\s+right|right|yeah|great|perfect|awesome|cool|um|uh|"
    r"and|now|then|next|first|well|here)\b){0,5}\s+",
    re.IGNORECASE,
)
"""Words before an imperative, as in "okay so now slice the carrot". Captions put no comma there."""

LOOK_AHEAD = 60
"""Characters after filler words in which an imperative must begin."""

ASIDE = re.compile(
    r"\b(?:subscribe|channel|comment|comments|like button|video|instagram|website|recipe below|"
    r"last time|next time|yesterday|when i was|used to|my (?:mom|mother|grandmother|husband|wife))\b",
    re.IGNORECASE,
)
"""Talk that does not describe the current action."""

REMARK = re.compile(
    r"\b(?:(?:it|this|that|they|these|he|she)(?:'s|'re|\s+(?:is|are|was|looks?|smells?|tastes?|will))"
    r"|look\s+at|see\s+how)\b",
    re.IGNORECASE,
)
"""A remark about what was done: where it begins, the step is over."""


@dataclass(frozen=True)
class _Run:
    """Cues without a pause between them, their text, and where each cue begins in it."""

    cues: tuple[TimedText, ...]
    starts: tuple[int, ...]
    text: str

    def time_at(self, place: int) -> float:
        """Return the time of the character at `place`, assuming evenly spoken cues."""
        number = max(n for n, start in enumerate(self.starts) if start <= max(0, place))
        cue = self.cues[number]
        share = min(1.0, (place - self.starts[number]) / max(1, len(cue.text)))
        return cue.start_s + share * (cue.end_s - cue.start_s)


def steps_said(cues: Sequence[TimedText]) -> tuple[TimedText, ...]:
    """Return the steps in cues that are in order and do not overlap.

    Raises:
        InputError: The speech is not English.
    """
    if not cues:
        return ()
    said = " ".join(cue.text for cue in cues)[:SAMPLE_CHARS]
    try:
        check_english(said)
    except RecipeError as error:
        raise InputError("The speech does not seem to be English.") from error
    return tuple(step for run in _runs(cues) for step in _steps(run))


def deed(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the canonical actions and foods of a step, to compare two wordings of it."""
    segments = read_step(text).segments
    return (
        frozenset(segment.verb.action.name for segment in segments),
        frozenset(food.entry.name for segment in segments for food in segment.foods),
    )


def _runs(cues: Sequence[TimedText]) -> Iterator[_Run]:
    held: list[TimedText] = []
    for cue in cues:
        if held and (cue.start_s - held[-1].end_s > PAUSE_S or len(held) == MAX_CUES):
            yield _run(held)
            held = []
        held.append(cue)
    if held:
        yield _run(held)


def _run(cues: Sequence[TimedText]) -> _Run:
    starts, text = [], ""
    for cue in cues:
        text = f"{text} " if text else ""
        starts.append(len(text))
        text += cue.text
    return _Run(tuple(cues), tuple(starts), text)


def _steps(run: _Run) -> Iterator[TimedText]:
    # All of one length, so that a place in one of them is the same place in the others.
    text = FILLER.sub(_as_stop, LEAD.sub(lambda lead: ".".ljust(len(lead.group())), run.text))
    joined = list(text)
    for start in run.starts[1:]:
        joined[start - 1] = ","
    tokens = words(text)
    found = [verb for verb in find_verbs("".join(joined), tokens) if not verb.forbidden]
    for number, verb in enumerate(found):
        start = tokens[verb.start].start
        until = tokens[found[number + 1].start].start if number + 1 < len(found) else len(text)
        clause = text[start : _clause_end(text, start, until)].rstrip(" ,;:.")
        cue_start = max(place for place in run.starts if place <= start)
        if ASIDE.search(run.text[cue_start:start]):
            continue
        if not MIN_WORDS <= len(clause.split()) <= MAX_WORDS:
            continue
        if any(_is_done(segment) for segment in read_step(clause).segments):
            start_s, end_s = run.time_at(start), run.time_at(start + len(clause))
            if end_s > start_s:
                step = f"{clause[:1].upper()}{clause[1:]}."
                yield TimedText(round(start_s, 3), round(end_s, 3), step)


def _as_stop(filler: re.Match[str]) -> str:
    """Return the end of a sentence of the same length if an imperative follows the filler."""
    after = filler.string[filler.end() : filler.end() + LOOK_AHEAD]
    tokens = words(after)
    verbs = find_verbs(after, tokens)
    begins = bool(verbs) and all(is_adverb(word.text) for word in tokens[: verbs[0].start])
    # "so sliced", "okay frying" and "and fries" command nothing.
    if begins and verbs[0].verb.name.split()[0] == tokens[verbs[0].start].text:
        return ".".ljust(len(filler.group()))
    return filler.group()


def _clause_end(text: str, start: int, until: int) -> int:
    """Return where the sentence ends, at most `until`, without a dangling "and"."""
    stop = re.search(rf"[.!?]|{ASIDE.pattern}|{REMARK.pattern}", text[start:until], re.IGNORECASE)
    end = start + stop.start() if stop else until
    return start + len(re.sub(r"(?:[\s,]+(?:and|then|so|or|to|now))+\s*$", "", text[start:end]))


def _is_done(segment: Segment) -> bool:
    return bool(segment.foods or (segment.refers and (segment.vessels or segment.tools)))
