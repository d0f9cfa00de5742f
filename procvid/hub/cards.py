"""Cards from templates. Every number of quality in them comes from `scores.json` or is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from procvid.hub import snippets
from procvid.hub.licences import licence_metadata
from procvid.hub.names import REPO_TYPES, Artifact, HubId
from procvid.hub.release import Release
from procvid.hub.snippets import snippet
from procvid.storage.text import printable

NOT_MEASURED = "Nothing was measured: this release holds no `scores.json`."
NOT_RECORDED = "not recorded"
LORA_TAGS = [
    "lora",
    "diffusers",
    "template:diffusion-lora",
    "text-to-video",
    "subject-to-video",
    "phantom",
]
PROMPTS = (
    "Close view: slicing the carrot (whole, then sliced) on the cutting board with the knife. Slice the "
    "carrot on the cutting board with the knife.",
    "Close view: frying the carrot (sliced, then fried) in the frying pan. Fry the sliced carrot in the "
    "frying pan.",
)
"""Of the widget where a release has no clips: as the rules planner writes them."""

GALLERY = "<Gallery />"
"""Where the Hub's page shows the clips of the widget."""

WITH_EXAMPLES = "Clips that come with this LoRA, and the words that the model was given:"
NO_EXAMPLES = "This release holds no clips. Words in the form that procvid gives the model:"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
TRAINED = (
    "data",
    "clips",
    "references",
    "steps",
    "batch_size",
    "learning_rate",
    "seed",
    "hardware",
    "hours",
    "loss",
)
"""What a card tells of the training, in this order, when `training.json` has it."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|!~$])")


@dataclass(frozen=True)
class MetricRow:
    """One metric of `scores.json`, over all its runs."""

    metric: str
    title: str
    direction: str
    value: float | None
    n: int
    chance: float | None
    backbone: str
    state: str


@dataclass(frozen=True)
class Measured:
    """What `scores.json` says: `num_runs` runs of a profile, a row a metric."""

    profile: str
    num_runs: int
    num_clips: int
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True)
class Where:
    """The repository a card is for, and its tag or ""."""

    target: HubId
    tag: str = ""

    @property
    def label(self) -> str:
        """As it is written behind --memory and --lora."""
        return f"{self.target.repo}@{self.tag}" if self.tag else self.target.repo


def plain(text: object, limit: int = 400) -> str:
    """Text of others for a Markdown page: one line in which no character means anything."""
    one_line = printable(text)
    shown = one_line if len(one_line) <= limit else one_line[: limit - 1] + "…"
    return _MARKDOWN.sub(r"\\\1", escape(shown, quote=False))


def code(text: object, limit: int = 120) -> str:
    """Text of others as code within a line or a table cell."""
    shown = printable(text)[:limit]
    return f"`{shown.replace('`', chr(39)).replace('|', '/') or ' '}`"


def lora_card(
    release: Release,
    where: Where,
    measured: Measured | None,
    training: Mapping[str, Any],
    prompts: Sequence[str] = (),
) -> str:
    """The card of a LoRA.

    Args:
        release: Its facts hold "base_model" (id, revision, profile) and "lora".
        where: It will be published.
        measured: From `scores.json`, or None.
        training: Of `training.json`; {} where nothing was recorded.
        prompts: Of the clips in `examples/`, in order; "" where a clip does not tell.
    """
    base, lora = release.facts["base_model"], release.facts["lora"]
    on_hub = "/" in base["id"]
    clips = {f"examples/{n:02d}.mp4": told or "-" for n, told in enumerate(prompts, start=1)}
    widget: list[dict[str, Any]] = [
        {"text": told, "output": {"url": name}} for name, told in clips.items()
    ]
    data = ModelCardData(
        **_licence(release),
        library_name="diffusers",
        pipeline_tag="image-to-video",
        base_model=base["id"] if on_hub else None,
        base_model_relation="adapter" if on_hub else None,
        instance_prompt=str(training.get("instance_prompt", "")),
        tags=LORA_TAGS,
        widget=widget or [{"text": each} for each in PROMPTS],
        **_model_index(release.name, measured),
    )
    template = snippets.HUB_BASE if on_hub else snippets.TINY_BASE
    size = "14B" if str(base.get("profile")).endswith("14b") else "1.3B"
    return _filled(
        "lora",
        data,
        release,
        where,
        measured,
        base_model=f"{plain(base['id'])} at {code(base['revision'])}",
        profile=plain(base["profile"]),
        rank=lora["rank"],
        alpha=f"{lora['alpha']:g}",
        targets=", ".join(code(target) for target in lora["targets"]),
        modules=f"{lora['modules']:,}",
        parameters=f"{lora['parameters']:,}",
        dtype=plain(lora["dtype"]),
        diffusers_snippet=snippet(template, repo=where.target.repo, tag=where.tag, size=size),
        examples=_examples(clips),
        training=_training(training),
        limits="\n".join(f"- {plain(each)}" for each in training.get("limits", ()))
        or "- What it does outside its training data was not looked at.",
    )


def memory_card(release: Release, where: Where, measured: Measured | None) -> str:
    """The card of a crop store; its facts hold "counts", "embedder" and "sources"."""
    counts, embedder = release.facts["counts"], release.facts["embedder"]
    data = DatasetCardData(
        **_licence(release),
        pretty_name=release.name,
        tags=["procvid", "object-crops", "retrieval", "cooking", "subject-to-video"],
        size_categories=next((n for limit, n in SIZES if counts["crops"] < limit), "n>1M"),
        configs=[
            {
                "config_name": "crops",
                "data_files": [{"split": "train", "path": "data/crops-*.parquet"}],
                "default": True,
            }
        ],
    )
    with_pixels = counts["with_pixels"] > 0
    told = (
        "The pictures are in the data set. They can also be cut again"
        if with_pixels
        else (
            "This release has no pictures: they are not its owner's to give away. They can be cut"
        )
    )
    sources = [code(each) for each in release.facts["sources"]]
    more = counts["sources"] - len(sources)
    return _filled(
        "memory",
        data,
        release,
        where,
        measured,
        crops=f"{counts['crops']:,}",
        with_pixels=f"{counts['with_pixels']:,}",
        num_names=f"{counts['names']:,}",
        num_sources=f"{counts['sources']:,}",
        embedder=f"{plain(embedder['id'])} {code(embedder['revision'])}",
        dim=embedder["dim"],
        sources="The crops were cut from "
        + ", ".join(sources)
        + (f" and {more} more." if more else "."),
        rights=plain(release.rights, 2000) or "Its owner said nothing of rights.",
        rebuild=f"{told} by whoever has the sources: each row names its source, second and box.",
        datasets_snippet=_for(where, snippets.DATASETS),
        faiss_snippet=_for(where, snippets.FAISS),
        rebuild_snippet=snippets.REBUILD,
    )


def run_card(release: Release, where: Where, measured: Measured | None) -> str:
    """The card of a run; its facts hold "counts", "request" and "models"."""
    facts = release.facts
    data = DatasetCardData(
        **_licence(release),
        pretty_name=release.name,
        tags=["procvid", "ai-generated", "text-to-video", "subject-to-video", "cooking"],
    )
    return _filled(
        "run",
        data,
        release,
        where,
        measured,
        num_clips=facts["counts"]["clips"],
        profile=plain(facts["profile"]),
        seed=facts["seed"],
        generator=plain(facts["models"].get("generator", NOT_RECORDED)),
        memory=plain(" + ".join(facts["stores"]) or "none"),
        references=facts["counts"]["references"] or "none",
        reference_licences=plain(
            ", ".join(f"{name} ({n})" for name, n in facts.get("reference_licences", {}).items())
            or "none",
            2000,
        ),
        recipe="\n".join(f"{n}. {plain(t, 1000)}" for n, t in enumerate(facts["recipe"], start=1)),
        run_snippet=_for(where, snippets.RUN),
    )


def _for(where: Where, template: str) -> str:
    return snippet(template, repo=where.target.repo, tag=where.tag, repo_type="dataset")


def _filled(
    artifact: Artifact,
    data: ModelCardData | DatasetCardData,
    release: Release,
    where: Where,
    measured: Measured | None,
    **values: object,
) -> str:
    text = files("procvid.hub").joinpath("templates", f"{artifact}.md").read_text("utf-8")
    versions = ", ".join(f"{plain(k)} {plain(v)}" for k, v in release.versions.items())
    return Template(text).substitute(
        metadata=data.to_yaml(),
        title=plain(release.name),
        licence=plain(release.licence) or "none was given",
        repo_at=where.label,
        scores=_scores(measured),
        versions=versions,
        verify_snippet=snippet(
            snippets.VERIFY,
            repo=where.target.repo,
            tag=where.tag,
            repo_type=REPO_TYPES[artifact],
        ),
        **values,
    )


def _scores(measured: Measured | None) -> str:
    if measured is None:
        return NOT_MEASURED
    lines = [
        f"Measured by `procvid evaluate` on {measured.num_runs} runs with {measured.num_clips} clips "
        f"of the {plain(measured.profile)} profile; all of it is in `scores.json`. A dash is a metric "
        "that does not apply or was not measured, never a zero.",
        "",
        "| metric | better | value | n | chance | measured with |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in measured.rows:
        told = plain(row.backbone, 120) if row.value is not None else plain(row.state, 160)
        lines.append(
            f"| {plain(row.title)} ({code(row.metric)}) | {row.direction} | {_number(row.value)} "
            f"| {row.n} | {_number(row.chance)} | {told} |"
        )
    return "\n".join(lines)


def _model_index(name: str, measured: Measured | None) -> dict[str, Any]:
    results = [
        EvalResult(
            task_type="image-to-video",
            dataset_type="procvid",
            dataset_name=f"{measured.num_runs} runs, {measured.profile} profile",
            metric_type=row.metric,
            metric_name=row.title,
            metric_value=row.value,
            metric_args={
                "n": row.n,
                "backbone": row.backbone,
                "better": row.direction,
                "chance": row.chance,
            },
        )
        for row in (measured.rows if measured else ())
        if measured is not None and row.value is not None
    ]
    return {"model_name": name, "eval_results": results} if results else {}


def _examples(clips: Mapping[str, str]) -> str:
    if not clips:
        told = [f"- {plain(each)}" for each in PROMPTS]
        return "\n".join([NO_EXAMPLES, "", *told])
    told = [f"- [{code(name)}]({name}): {plain(each, 1000)}" for name, each in clips.items()]
    return "\n".join([GALLERY, "", WITH_EXAMPLES, "", *told])


def _training(training: Mapping[str, Any]) -> str:
    told = [(key, training[key]) for key in TRAINED if key in training]
    if not told:
        return "How it was trained was not recorded: this release holds no `training.json`."
    rows = [f"| {key.replace('_', ' ')} | {plain(value)} |" for key, value in told]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _licence(release: Release) -> dict[str, Any]:
    return dict(licence_metadata(release.licence))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
