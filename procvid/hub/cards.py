"""Fill the card templates. Quality numbers come from `scores.json` and from nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from procvid.hub import snippets
from procvid.hub.card_scores import CardScores
from procvid.hub.licences import licence_metadata
from procvid.hub.names import REPO_TYPES, Artifact, ReleaseTarget
from procvid.hub.release import Release
from procvid.hub.snippets import snippet
from procvid.storage.text import printable

NOT_MEASURED = "Not measured: this release holds no `scores.json`."
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
"""Example prompts, in the form of the rules planner, for the widget of a release without clips."""

GALLERY = "<Gallery />"
"""Tag that the Hub replaces by the clips of the widget."""

WITH_EXAMPLES = "Clips made with this LoRA, and their prompts:"
NO_EXAMPLES = "This release holds no clips. Prompts in the form that procvid uses:"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
TRAINING_FIELDS = (
    "algorithm",
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
    "stopped",
)
"""Fields of `training.json` that a card shows, in this order."""

BY_REWARDS = (
    "The LoRA was not trained on examples but reinforced: the model made clips, judges scored them, and it "
    "learnt from the better ones. What no reward sees may have become worse."
)
BY_PAIRS = (
    "The LoRA was trained on pairs of a better and a worse clip of the same shot (Diffusion-DPO). The "
    "rewards below did not train it; they judged held-out clips."
)
HELD_OUT = "The same held-out clips during the training. Judges that no reward uses: "

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|!~$])")


def plain(text: object, limit: int = 400) -> str:
    """Escape untrusted text for Markdown, as one line."""
    one_line = printable(text)
    shown = one_line if len(one_line) <= limit else one_line[: limit - 1] + "…"
    return _MARKDOWN.sub(r"\\\1", escape(shown, quote=False))


def code(text: object, limit: int = 120) -> str:
    """Format untrusted text as inline code, also within a table cell."""
    shown = printable(text)[:limit]
    return f"`{shown.replace('`', chr(39)).replace('|', '/') or ' '}`"


def lora_card(
    release: Release,
    target: ReleaseTarget,
    scores: CardScores | None,
    training: Mapping[str, Any],
    prompts: Sequence[str] = (),
) -> str:
    """Return the card of a LoRA.

    Args:
        release: The release; its facts hold "base_model" (id, revision, profile) and "lora".
        target: Repository and tag it will be published to.
        scores: Content of `scores.json`, or None.
        training: Content of `training.json`; {} if there is none.
        prompts: Prompts of the clips in `examples/`, in order; "" if unknown.
    """
    base, lora = release.facts["base_model"], release.facts["lora"]
    on_hub = "/" in base["id"]
    clips = {f"examples/{n:02d}.mp4": text or "-" for n, text in enumerate(prompts, start=1)}
    widget: list[dict[str, Any]] = [
        {"text": text, "output": {"url": name}} for name, text in clips.items()
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
        **_model_index(release.name, scores),
    )
    template = snippets.HUB_BASE if on_hub else snippets.TINY_BASE
    size = "14B" if str(base.get("profile")).endswith("14b") else "1.3B"
    return _filled(
        "lora",
        data,
        release,
        target,
        scores,
        base_model=f"{plain(base['id'])} at {code(base['revision'])}",
        profile=plain(base["profile"]),
        rank=lora["rank"],
        alpha=f"{lora['alpha']:g}",
        targets=", ".join(code(target) for target in lora["targets"]),
        modules=f"{lora['modules']:,}",
        parameters=f"{lora['parameters']:,}",
        dtype=plain(lora["dtype"]),
        diffusers_snippet=snippet(template, repo=target.hub_id.repo, tag=target.tag, size=size),
        examples=_examples(clips),
        training=_training(training),
        about_training=_about_training(training, target),
        limits="\n".join(f"- {plain(each)}" for each in training.get("limits", ()))
        or "- Not tested outside its training data.",
    )


def memory_card(release: Release, target: ReleaseTarget, scores: CardScores | None) -> str:
    """Return the card of a crop store; its facts hold "counts", "embedder" and "sources"."""
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
    images = (
        "The dataset includes the images."
        if counts["with_pixels"] > 0
        else "This release has no images, because its owner may not redistribute them."
    )
    sources = [code(each) for each in release.facts["sources"]]
    more = counts["sources"] - len(sources)
    return _filled(
        "memory",
        data,
        release,
        target,
        scores,
        crops=f"{counts['crops']:,}",
        with_pixels=f"{counts['with_pixels']:,}",
        num_names=f"{counts['names']:,}",
        num_sources=f"{counts['sources']:,}",
        embedder=f"{plain(embedder['id'])} {code(embedder['revision'])}",
        dim=embedder["dim"],
        sources="The crops were cut from "
        + ", ".join(sources)
        + (f" and {more} more." if more else "."),
        rights=plain(release.rights, 2000) or "The owner states no terms of use.",
        rebuild=f"{images} With copies of the sources you can cut them yourself: each row has its "
        "source, time and box.",
        datasets_snippet=_dataset_snippet(target, snippets.DATASETS),
        faiss_snippet=_dataset_snippet(target, snippets.FAISS),
        rebuild_snippet=snippets.REBUILD,
    )


def run_card(release: Release, target: ReleaseTarget, scores: CardScores | None) -> str:
    """Return the card of a run; its facts hold "counts", "models", "stores" and "recipe"."""
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
        target,
        scores,
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
        run_snippet=_dataset_snippet(target, snippets.RUN),
    )


def _dataset_snippet(target: ReleaseTarget, template: str) -> str:
    return snippet(template, repo=target.hub_id.repo, tag=target.tag, repo_type="dataset")


def _filled(
    artifact: Artifact,
    data: ModelCardData | DatasetCardData,
    release: Release,
    target: ReleaseTarget,
    scores: CardScores | None,
    **values: object,
) -> str:
    text = files("procvid.hub").joinpath("templates", f"{artifact}.md").read_text("utf-8")
    versions = ", ".join(f"{plain(k)} {plain(v)}" for k, v in release.versions.items())
    return Template(text).substitute(
        metadata=data.to_yaml(),
        title=plain(release.name),
        licence=plain(release.licence) or "not stated",
        repo_at=target.label,
        scores=_score_table(scores),
        versions=versions,
        verify_snippet=snippet(
            snippets.VERIFY,
            repo=target.hub_id.repo,
            tag=target.tag,
            repo_type=REPO_TYPES[artifact],
        ),
        **values,
    )


def _score_table(scores: CardScores | None) -> str:
    if scores is None:
        return NOT_MEASURED
    lines = [
        f"Measured by `procvid evaluate` on {scores.num_runs} runs with {scores.num_clips} clips of "
        f"the {plain(scores.profile)} profile; `scores.json` has the details. A dash marks a metric "
        "that does not apply or was not measured.",
        "",
        "| metric | better | value | n | chance | measured with |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in scores.rows:
        last = plain(row.backbone, 120) if row.value is not None else plain(row.state, 160)
        lines.append(
            f"| {plain(row.title)} ({code(row.metric)}) | {row.direction} | {_number(row.value)} "
            f"| {row.n} | {_number(row.chance)} | {last} |"
        )
    return "\n".join(lines)


def _model_index(name: str, scores: CardScores | None) -> dict[str, Any]:
    results = [
        EvalResult(
            task_type="image-to-video",
            dataset_type="procvid",
            dataset_name=f"{scores.num_runs} runs, {scores.profile} profile",
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
        for row in (scores.rows if scores else ())
        if scores is not None and row.value is not None
    ]
    return {"model_name": name, "eval_results": results} if results else {}


def _examples(clips: Mapping[str, str]) -> str:
    if not clips:
        prompts = [f"- {plain(each)}" for each in PROMPTS]
        return "\n".join([NO_EXAMPLES, "", *prompts])
    links = [f"- [{code(name)}]({name}): {plain(each, 1000)}" for name, each in clips.items()]
    return "\n".join([GALLERY, "", WITH_EXAMPLES, "", *links])


def _training(training: Mapping[str, Any]) -> str:
    known = [(key, training[key]) for key in TRAINING_FIELDS if key in training]
    if not known:
        return "Not recorded: this release holds no `training.json`."
    rows = [f"| {key.replace('_', ' ')} | {plain(value)} |" for key, value in known]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _about_training(training: Mapping[str, Any], target: ReleaseTarget) -> str:
    """Return how a LoRA came about: by examples, or by rewards with its curve and held-out judges."""
    if "algorithm" not in training:
        text = files("procvid.hub").joinpath("templates", "by_examples.md").read_text("utf-8")
        return Template(text).substitute(repo_at=target.label).strip()
    losses = training.get("loss_curve")
    parts = [BY_PAIRS if losses else BY_REWARDS]
    rewards = _mapping(training.get("rewards"))
    if rewards:
        rows = [
            f"| {plain(name)} | {plain(_mapping(card).get('weight'))} | "
            f"{plain(_mapping(card).get('measures'))} |"
            for name, card in rewards.items()
        ]
        parts.append("\n".join(["| reward | weight | measures |", "| --- | --- | --- |", *rows]))
    curve = training.get("reward_curve")
    if isinstance(curve, list) and curve:
        parts.append(f"Mean reward by iteration: {plain(', '.join(map(str, curve)), 4000)}.")
    if isinstance(losses, list) and losses:
        parts.append(f"Loss by iteration: {plain(', '.join(map(str, losses)), 4000)}.")
    rows_of = [row for row in training.get("held_out") or () if isinstance(row, Mapping)]
    if rows_of:
        names = [str(key) for key in rows_of[0]]
        head = f"| {' | '.join(plain(name) for name in names)} |\n|{' --- |' * len(names)}"
        lines = [f"| {' | '.join(plain(row.get(name)) for name in names)} |" for row in rows_of]
        judges = ", ".join(plain(name) for name in _mapping(training.get("held_out_judges")))
        parts.append(f"{HELD_OUT}{judges or 'none'}.\n\n" + "\n".join([head, *lines]))
    return "\n\n".join(parts)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _licence(release: Release) -> dict[str, Any]:
    return dict(licence_metadata(release.licence))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
