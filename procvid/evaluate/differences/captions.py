"""DiffCap: how near the words of a reader are to those of annotators.

BLEU is that of sacrebleu and ROUGE-L that of rouge-score, whose F-measure weighs both sides alike.
CIDEr is CIDEr-D (Vedantam, Zitnick and Parikh, CIDEr: Consensus-based Image Description Evaluation,
2015), computed here, because the usual library brings 100 MB of Java archives. The published figures
of Step Differences are BLEU with single words, so `bleu_1` compares with them and `bleu_4` is stricter.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from procvid.errors import UnavailableError

NUM_GRAMS = 4
SIGMA = 6.0
"""Spread, in words, of the penalty for another length (CIDEr-D)."""

CIDER_SCALE = 10.0
WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
PARSED = (
    (re.compile(r"^the main difference in [\w/ ]+ is that,? ", re.I), ""),
    (
        re.compile(
            r"[,;]?\s*\b(?:whereas|while|but) in (?:video 1|the first video)\b[,;]?\s*", re.I
        ),
        " instead of ",
    ),
    (re.compile(r"^in (?:video 2|the second video)[,;]?\s*", re.I), ""),
    (re.compile(r"\b(?:compared to|rather than|as opposed to|in contrast to)\b", re.I), "instead of"),
    (re.compile(r"\binstead of (?:the person|they|he|she|it)(?: is| are)?\b", re.I), "instead of"),
    (re.compile(r"\s+in (?:video [12]|the (?:first|second) video)\b", re.I), ""),
)  # fmt: skip
"""Sentences of a language model about two videos, and the form of the annotations (paper, S4)."""

TURNED = re.compile(
    r"^in (?:video 1|the first video)[,;]?\s*(?P<a>.+?)[,;]?\s*"
    r"\b(?:whereas|while|but) in (?:video 2|the second video)[,;]?\s*(?P<b>.+)$",
    re.I,
)
"""The first video comes first; annotations begin with the candidate, the second."""

Grams = Counter[tuple[str, ...]]


def as_annotated(text: str) -> str:
    """Return an answer in the form of the annotations: "candidate instead of reference".

    Text that is already in this form stays as it is.
    """
    text = " ".join(text.split()).rstrip(".")
    if turned := TURNED.match(text):
        text = f"{turned['b']} instead of {turned['a']}"
    for pattern, plain in PARSED:
        text = pattern.sub(plain, text)
    return " ".join(text.split())


def caption_scores(answers: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return `bleu_1`, `bleu_4` and `rouge_l` from 0 to 1, and `cider` from 0 to 10.

    Args:
        answers: One text a pair; "" for none.
        references: At least one text a pair, in the same order.

    Raises:
        UnavailableError: sacrebleu or rouge-score is not installed.
        ValueError: The two have different lengths, or there is no pair.
    """
    if not answers or len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers do not fit {len(references)} references.")
    return {
        "bleu_1": bleu(answers, references, 1),
        "bleu_4": bleu(answers, references, NUM_GRAMS),
        "rouge_l": rouge_l(answers, references),
        "cider": cider(answers, references),
    }


def bleu(answers: Sequence[str], references: Sequence[Sequence[str]], order: int) -> float:
    """Return BLEU over all pairs with n-grams of up to `order` words, 0 to 1; raises as above."""
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise _missing("sacrebleu") from error
    most = max(len(texts) for texts in references)
    # sacrebleu wants as many references for each answer; a repeated one changes nothing.
    columns = [[texts[min(k, len(texts) - 1)] for texts in references] for k in range(most)]
    metric = BLEU(lowercase=True, max_ngram_order=order, force=True)
    return float(metric.corpus_score(list(answers), columns).score) / 100


def rouge_l(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return the mean ROUGE-L of the best reference of each pair, 0 to 1; raises as above."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise _missing("rouge-score") from error
    scorer = RougeScorer(["rougeL"])
    best = [
        max(scorer.score(reference, answer)["rougeL"].fmeasure for reference in texts)
        for answer, texts in zip(answers, references, strict=True)
    ]
    return math.fsum(best) / len(best)


def cider(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return CIDEr-D over all pairs, 0 to 10. Words are lower-cased and not stemmed.

    The weights of n-grams come from the references, so one pair alone has the score 0.
    """
    grams = [[_grams(text) for text in texts] for texts in references]
    seen: Counter[tuple[str, ...]] = Counter()
    for texts in grams:
        seen.update({gram for each in texts for gram in each})
    log_pairs = math.log(len(references))
    total = 0.0
    for answer, texts in zip(answers, grams, strict=True):
        said = _grams(answer)
        scores = [_likeness(said, reference, seen, log_pairs) for reference in texts]
        total += math.fsum(scores) / len(scores)
    return CIDER_SCALE * total / len(answers)


def _likeness(
    said: Grams, reference: Grams, seen: Mapping[tuple[str, ...], int], log_pairs: float
) -> float:
    """Return the mean over n of the clipped cosine of two texts, with the penalty for lengths."""
    sizes = [sum(n for gram, n in each.items() if len(gram) == 1) for each in (said, reference)]
    penalty = math.exp(-((sizes[0] - sizes[1]) ** 2) / (2 * SIGMA**2))
    total = 0.0
    for n in range(1, NUM_GRAMS + 1):
        one, two = (
            {
                g: c * (log_pairs - math.log(max(1, seen.get(g, 0))))
                for g, c in each.items()
                if len(g) == n
            }
            for each in (said, reference)
        )
        size = math.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in two.values()))
        if size > 0:
            total += sum(min(w, two[g]) * two[g] for g, w in one.items() if g in two) / size
    return penalty * total / NUM_GRAMS


def _grams(text: str) -> Grams:
    words = WORD.findall(text.lower())
    return Counter(
        tuple(words[k : k + n]) for n in range(1, NUM_GRAMS + 1) for k in range(len(words) - n + 1)
    )


def _missing(name: str) -> UnavailableError:
    return UnavailableError(
        f"DiffCap needs {name}, which is not installed.", "pip install 'procvid[metrics]'"
    )
