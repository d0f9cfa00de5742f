"""What differs between two clips: categories, severity, and the scoring matrix behind it.

The five categories and the matrix are those of Nagarajan and Torresani, Step Differences in Instructional
Video, 2024, figure S3. There 1 is very different and 5 nearly identical. Here a severity grows with the
difference: 1 is nearly the same and 5 very different. `published_score` and `severity_of_score` convert.

A difference says what the second clip, B, does compared to the first, A.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from procvid.types import Frames

Category = Literal["ingredients", "tools", "techniques", "actions", "looks"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
TITLES: dict[Category, str] = {
    "ingredients": "Ingredients",
    "tools": "Tools and equipment",
    "techniques": "Techniques",
    "actions": "Actions",
    "looks": "Looks",
}
LEAST_SEVERE, MOST_SEVERE = 1, 5


@dataclass(frozen=True, eq=False)
class ClipView:
    """What a reader sees of a clip.

    Attributes:
        frames: uint8 (T, H, W, 3) RGB, in order, including the first and the last; T is at least 1.
        times_s: When each is shown, in seconds.
    """

    frames: Frames
    times_s: tuple[float, ...]

    def spread(self, count: int) -> ClipView:
        """Return at most `count` evenly spread frames, including the first and the last."""
        share = (len(self.frames) - 1) / max(1, count - 1)
        rows = sorted({round(k * share) for k in range(count)})
        return ClipView(self.frames[rows], tuple(self.times_s[row] for row in rows))


@dataclass(frozen=True)
class Difference:
    """One difference of clip B from clip A.

    Attributes:
        category: Its category.
        text: What B does, such as "sliced with a knife instead of diced".
        severity: 1 (nearly the same) to 5 (very different).
        subject: Which object or action it is about, such as "carrot".
        a: What A shows, such as "diced"; "" for nothing.
        b: What B shows.
        a_s: When A shows it, in seconds; None if it is not bound to a moment.
        b_s: When B shows it.
    """

    category: Category
    text: str
    severity: int
    subject: str = ""
    a: str = ""
    b: str = ""
    a_s: float | None = None
    b_s: float | None = None

    def __post_init__(self) -> None:
        if self.category not in CATEGORIES:
            raise ValueError(f"There is no category {self.category!r}.")
        if not LEAST_SEVERE <= self.severity <= MOST_SEVERE:
            raise ValueError(f"A severity is from 1 to 5, not {self.severity}.")


@dataclass(frozen=True)
class ClipDifferences:
    """All that differs between two clips, and all that does not.

    Attributes:
        found: The differences, by category.
        alike: What both clips show, such as "carrot" or "the counter".
        unseen: What the reader could not tell, each with the reason.
        dropped: Number of differences that were dropped, because only one of two answers had them.
        notes: Notes for the user.
    """

    found: tuple[Difference, ...] = ()
    alike: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    dropped: int = 0
    notes: tuple[str, ...] = ()

    def of(self, category: Category) -> tuple[Difference, ...]:
        """Return the differences of one category."""
        return tuple(each for each in self.found if each.category == category)

    def severity_in(self, category: Category) -> int:
        """Return the severity of one category, 1 to 5; 1 without a difference.

        Several differences weigh more than one, as in the published matrix: in tools and techniques two
        or three have at least 3, four or more at least 4.
        """
        found = self.of(category)
        worst = max((each.severity for each in found), default=LEAST_SEVERE)
        graver = sum(each.severity > LEAST_SEVERE for each in found)
        if category in ("tools", "techniques") and graver > 1:
            return max(worst, 3 if graver < 4 else 4)
        return worst

    @property
    def severity(self) -> float:
        """The mean severity of the five categories, 1.0 to 5.0, as the paper averages its scores."""
        return sum(self.severity_in(each) for each in CATEGORIES) / len(CATEGORIES)


QuestionKind = Literal["difference", "which", "same action"]
"""The kinds of questions about a pair (paper, S1): what differs, which clip, and yes or no."""


@dataclass(frozen=True)
class PairQuestion:
    """A question about two clips, which it calls video 1 and video 2, with its answer."""

    kind: QuestionKind
    question: str
    answer: str


@dataclass(frozen=True)
class PairAnswers:
    """Differences of two described clips, and questions about them."""

    differences: tuple[Difference, ...]
    questions: tuple[PairQuestion, ...]


@dataclass(frozen=True)
class ClipWords:
    """What is known of a clip in words.

    Attributes:
        narration: The step, as said or annotated.
        caption: What a vision model saw, or "".
        objects: Names of things that a detector or reader found in it.
    """

    narration: str
    caption: str = ""
    objects: tuple[str, ...] = ()


def published_score(severity: float) -> float:
    """Return a severity on the published scale, on which 1 is very different and 5 nearly identical."""
    return LEAST_SEVERE + MOST_SEVERE - severity


def severity_of_score(score: float) -> float:
    """Return the severity, 1 (nearly the same) to 5, of a published score."""
    return LEAST_SEVERE + MOST_SEVERE - score


def by_category(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return differences in the order of the categories, the most severe of each first."""
    return tuple(sorted(found, key=lambda d: (CATEGORIES.index(d.category), -d.severity)))
