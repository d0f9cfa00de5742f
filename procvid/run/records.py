"""Records of a run and its steps, as `run.json` and `conditioning.json` hold them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from procvid.memory.anchors import Anchor, Anchors, upload_id
from procvid.plan.shots import cut_into_shots, same_source
from procvid.types import (
    GenerateRequest,
    Recipe,
    Role,
    Sampling,
    Shortcuts,
    Slot,
    StepCache,
    TakePolicy,
)

SCHEMA_VERSION = 1

MEMORY_RULE = "anchors, gated write-back"
OLD_RULE = "own crops first"
"""Rules by which the memory chooses references: of this version, and of versions up to 0.1.0."""

AI_GENERATED = "AI-generated: this video shows no real event; it was made by procvid."


@dataclass(frozen=True)
class RunRecord:
    """Identity of a run: its request and everything that its result depends on.

    Attributes:
        request: The request, with profile and planner resolved (never "auto").
        models: Id and revision of every model, by part.
        stores: sha256 of every crop store that is searched, by name.
        versions: Versions of procvid and of the libraries that affect the pixels.
        memory_rule: How the memory chooses references; "" without a memory. Old runs have
            `OLD_RULE`.
    """

    request: GenerateRequest
    models: Mapping[str, str] = field(default_factory=dict)
    stores: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    memory_rule: str = ""

    @property
    def run_id(self) -> str:
        """Return the id: the first words of the title and a hash of the request."""
        title = re.sub(r"[^a-z0-9]+", "-", self.request.recipe.title.lower()).strip("-")
        digest = hashlib.sha256(_canonical(self.identity()).encode()).hexdigest()
        return f"{title[:40].strip('-') or 'recipe'}-{digest[:8]}"

    def identity(self) -> dict[str, Any]:
        """Return the values that two runs must share to use one folder."""
        request = dataclasses.asdict(self.request)
        # The model's revision contains what --precise changes.
        del request["memory"], request["precise"]
        # Only the weights: the model's revision contains a LoRA's name and bytes, and its folder or
        # Hub id does not matter.
        request["lora"] = lora_weights(self.request.lora) or None
        recipe = request.pop("recipe")
        sampling = request.pop("sampling")
        # Not the budget, and only if there are several takes, as for the shortcuts below.
        del request["takes"]
        if self.request.takes.several:
            request["takes"] = policy_words(self.request.takes)
        # The recipe has its shots, and without any the run keeps the id it had before shots existed.
        del sampling["seed"], recipe["notes"], request["shots"]
        if not self.request.recipe.has_shots:
            del recipe["parents"], recipe["written"]
        # Only if there are some, so that exact runs keep the id they had before shortcuts existed.
        del sampling["shortcuts"]
        if self.request.sampling.shortcuts.summary:
            sampling["shortcuts"] = self.request.sampling.shortcuts.summary
        models = {f"{part} model": name for part, name in self.models.items()}
        return {
            "recipe": recipe,
            **request,
            **sampling,
            "memory": dict(self.stores),
            # Not for old runs, so that they keep their id.
            **({"memory rule": self.memory_rule} if self.memory_rule not in ("", OLD_RULE) else {}),
            **models,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the constant part of `run.json`."""
        request = dataclasses.asdict(self.request)
        if not self.request.takes.several:
            del request["takes"]
        elif not self.request.takes.final_judge:
            del request["takes"]["final_judge"]
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "ai_generated": AI_GENERATED,
            "request": request,
            "models": dict(self.models),
            "stores": dict(self.stores),
            "versions": dict(self.versions),
            "memory_rule": self.memory_rule,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunRecord:
        """Read a run record. Raise KeyError, TypeError or ValueError."""
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {value['schema_version']!r}")
        request = dict(value["request"])
        recipe = dict(request.pop("recipe"))
        for key in ("steps", "ingredients", "notes", "parents", "written"):
            recipe[key] = tuple(recipe.get(key, ()))
        request["lora"] = tuple(request["lora"] or ())
        # Runs of before have one clip per step, and stay so.
        request.setdefault("shots", "one")
        return cls(
            request=GenerateRequest(
                recipe=cut_into_shots(Recipe(**recipe), "one"),
                sampling=_sampling(request.pop("sampling")),
                takes=TakePolicy(**request.pop("takes", {})),
                **request,
            ),
            models=dict(value["models"]),
            stores=dict(value["stores"]),
            versions=dict(value["versions"]),
            memory_rule=value.get("memory_rule", OLD_RULE if "embedder" in value["models"] else ""),
        )


def policy_words(policy: TakePolicy) -> str:
    """Return how many takes each step gets, in a few words; "" for one."""
    words = [f"the best of {policy.best_of} takes per step"] if policy.best_of > 1 else []
    if policy.repeats:
        words.append(f"up to {policy.repeats} more if it contradicts the plan")
    if policy.final_judge:
        words.append("a vision model decides between the two best")
    return ", ".join(words)


def differences(there: RunRecord, asked: RunRecord) -> list[str]:
    """Return the differences, such as "seed is 0 there, but 1 in this request"."""
    old, new = there.identity(), asked.identity()
    differing = []
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) == new.get(key):
            continue
        if key == "recipe" and _cut_otherwise(there.request.recipe, asked.request.recipe):
            differing.append(
                f"it has {_clips(there)} there, but {_clips(asked)} in this request (--shots)"
            )
        elif key == "recipe" or key.endswith("model"):
            differing.append(f"the {key} differs")
        elif key == "memory":
            differing.append(
                f"memory is {_stores(old[key])} there, but {_stores(new[key])} in this request"
            )
        elif key == "memory rule":
            # Without a memory on one side, the key "memory" differs too.
            if there.memory_rule and asked.memory_rule:
                differing.append("it uses the memory rule of an earlier version")
        elif key == "takes":
            differing.append(f"it keeps {_takes(old)} there, but {_takes(new)} in this request")
        elif key == "shortcuts":
            differing.append(f"it is {_speed(old)} there, but {_speed(new)} in this request")
        else:
            differing.append(
                f"{key.replace('_', ' ')} is {old.get(key)} there, but {new.get(key)} in this request"
            )
    return differing


def _cut_otherwise(one: Recipe, other: Recipe) -> bool:
    return same_source(one, other) and one.has_shots != other.has_shots


def _clips(run: RunRecord) -> str:
    return "one clip per action" if run.request.recipe.has_shots else "one clip per step"


def _takes(identity: Mapping[str, Any]) -> str:
    return str(identity.get("takes", "one take per step"))


def _speed(identity: Mapping[str, Any]) -> str:
    return f"fast ({identity['shortcuts']})" if "shortcuts" in identity else "exact"


def _sampling(value: Mapping[str, Any]) -> Sampling:
    """Read a sampling; old ones have no shortcuts. Raise KeyError, TypeError or ValueError."""
    shortcuts = dict(value.get("shortcuts", {}))
    if shortcuts.get("cache") is not None:
        shortcuts["cache"] = StepCache(**shortcuts["cache"])
    return Sampling(**{**value, "shortcuts": Shortcuts(**shortcuts)})


def _stores(stores: Mapping[str, str]) -> str:
    return " + ".join(f"{name} ({sha[:8]})" for name, sha in stores.items()) or "none"


@dataclass(frozen=True)
class ReferenceRecord:
    """Provenance of one reference image; `image_sha256` is of its pixels, not of the file.

    `licence` and `url` are "" if unknown, and in old runs. `role` is that of the object, "" in old
    runs. `anchor_step` is the earlier step that first used the image; 0 if this one does.
    `generation` counts copies: 0 for a crop of a store or a person's image, 1 for a crop of a clip
    of this run. An object that such a crop guided gives no crop itself.
    """

    number: int
    object_name: str
    words: str
    file: str
    crop_id: str
    source_id: str
    state: str
    box_xyxy: tuple[float, float, float, float]
    score: float
    origin: str
    image_sha256: str
    licence: str = ""
    url: str = ""
    role: Role | Literal[""] = ""
    anchor_step: int = 0
    generation: int = 0


@dataclass(frozen=True)
class AnchorRecord:
    """The anchor of an object when a step was made; `image_sha256` is "" if there was none."""

    name: str
    role: Role
    state: str
    image_sha256: str


@dataclass(frozen=True)
class StepRecord:
    """Content of `conditioning.json`: everything that is needed to make a clip again.

    Attributes:
        step: Number of the step, from 1.
        text: Text of the step in the recipe.
        prompt: The enhanced prompt that the generator received.
        sampling: Sampling with the step's own seed.
        references: References in the order of the generator's input.
        missing: Objects without a reference: name, state, reason.
        warnings: Warnings for the user.
        crops: sha256 of the pixels of the clip's crops, by crop id.
        refused: Crops of the clip that the memory does not keep: object and reason.
        dropped: Crops of earlier clips that the memory no longer keeps after this step: object, crop
            id and reason.
        anchors: The anchors that the step began with; () in old runs.
        left_out: References that a person left out. They did not guide the clip and have no file.
        taken_from: Run and step whose clip this is, if a detour took it over; "" if it was made here.
        overrides: The `StepChanges`, without the uploads.
        models: Id and revision by part.
        clip_sha256: Hash of `clip.mp4`.
        lora: The LoRA files in use, with their weights.
        memory: Placement of the model in GPU memory; "" on a CPU.
    """

    step: int
    text: str
    prompt: str
    sampling: Sampling
    references: tuple[ReferenceRecord, ...]
    missing: tuple[Mapping[str, str], ...]
    warnings: tuple[str, ...]
    crops: Mapping[str, str]
    overrides: Mapping[str, Any]
    models: Mapping[str, str]
    clip_sha256: str = ""
    lora: tuple[str, ...] = ()
    memory: str = ""
    refused: tuple[Mapping[str, str], ...] = ()
    dropped: tuple[Mapping[str, str], ...] = ()
    anchors: tuple[AnchorRecord, ...] = ()
    left_out: tuple[ReferenceRecord, ...] = ()
    taken_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the content of `conditioning.json`."""
        fields = dataclasses.asdict(self)
        for key in ("dropped", "left_out", "taken_from"):
            if not fields[key]:
                del fields[key]
        return {"schema_version": SCHEMA_VERSION, "ai_generated": AI_GENERATED, **fields}

    def for_metadata(self) -> str:
        """Return the provenance for the metadata of the clip, as one line of JSON."""
        value = self.to_json()
        # Not the placement: without 8 bits, every placement gives the same bytes.
        for key in ("clip_sha256", "crops", "memory", "missing", "warnings", "refused", "anchors"):
            del value[key]
        for key in ("dropped", "left_out", "taken_from"):
            value.pop(key, None)
        # Not the folder of a LoRA: `models` has its name and its hash.
        value["lora"] = lora_weights(self.lora)
        return _canonical(value)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StepRecord:
        """Read a step record. Raise KeyError, TypeError or ValueError."""
        known = {f.name for f in dataclasses.fields(cls)}
        # Added after the first release; older runs lack them.
        later = {"memory", "refused", "dropped", "anchors", "left_out", "taken_from"}
        fields = {key: value[key] for key in known if key in value or key not in later}
        fields["lora"] = tuple(fields["lora"] or ())
        fields["sampling"] = _sampling(fields["sampling"])
        for key in ("references", "left_out"):
            fields[key] = tuple(
                ReferenceRecord(**{**r, "box_xyxy": tuple(r["box_xyxy"])})
                for r in fields.get(key, ())
            )
        fields["missing"] = tuple(fields["missing"])
        fields["warnings"] = tuple(fields["warnings"])
        fields["refused"] = tuple(fields.get("refused", ()))
        fields["dropped"] = tuple(fields.get("dropped", ()))
        fields["anchors"] = tuple(AnchorRecord(**a) for a in fields.get("anchors", ()))
        return cls(**fields)

    def own_uploads(self) -> list[ReferenceRecord]:
        """Return the references that a person uploaded for this step, not for an earlier one."""
        chosen = self.overrides.get("chosen") or {}
        return [
            one
            for one in self.references
            if one.origin == "upload" and not one.anchor_step and one.object_name not in chosen
        ]

    def new_anchors(self) -> list[Anchor]:
        """Return the references of this step that become anchors, those left out included."""
        given = (*self.references, *self.left_out)
        return new_anchors(self.step, given, self.overrides.get("chosen") or {})


def new_anchors(
    step: int, references: Sequence[ReferenceRecord], chosen: Collection[str]
) -> list[Anchor]:
    """Return the references that become anchors: those that no earlier step used.

    `chosen` are the objects whose crop a person chose for this step.
    """
    return [
        Anchor(
            name=one.object_name,
            role=one.role,
            state=one.state,
            crop_id=upload_id(one.image_sha256, one.object_name, one.role, one.state)
            if one.origin == "upload"
            else one.crop_id,
            image_sha256=one.image_sha256,
            step=step,
            by_person=one.origin == "upload" or one.object_name in chosen,
        )
        for one in references
        if one.role and (not one.anchor_step or one.object_name in chosen)
    ]


def generation_of(slot: Slot) -> int:
    """Return 1 for a crop of a clip of the same run, else 0."""
    return int(slot.origin == "run")


def lora_weights(loras: Sequence[str]) -> list[str]:
    """Return the weights of LoRAs given as "FILE=0.8", or as "FILE" for weight 1."""
    return [one.rpartition("=")[2] if "=" in one else "1" for one in loras]


EarlierAnchors = Callable[[int, str], Sequence[Anchor]]
"""Anchors of an earlier run that join before a step, by its number and the hash of its clip."""


def stale_steps(
    records: Mapping[int, StepRecord],
    run_id: str,
    earlier: EarlierAnchors = lambda number, clip: (),
) -> dict[int, int]:
    """Return the steps that show an old clip or reference, each with the step that changed.

    A reference of the run's own is valid while its source step still has a crop with the very
    same pixels. A step is valid while the anchors that it began with are the same. So staleness
    follows from the files alone and survives any kill.
    """
    stale = {}
    anchors = Anchors()
    for number, record in sorted(records.items()):
        for anchor in earlier(number, record.clip_sha256):
            anchors.add(anchor)
        for begun in record.anchors:
            now = anchors.of(begun.name, begun.role, begun.state, number)
            if begun.image_sha256 != ("" if now is None else now.image_sha256):
                stale[number] = now.step if now is not None else _first_user(records, begun)
        for anchor in record.new_anchors():
            anchors.add(anchor)
        for reference in record.references:
            if reference.origin != "run":
                continue
            source = source_step(reference.source_id, run_id)
            if not source:
                # An image of the earlier run, whose files never change.
                continue
            known = records[source].crops if source in records else {}
            if known.get(reference.crop_id) != reference.image_sha256:
                stale[number] = source
                break
    return stale


def _first_user(records: Mapping[int, StepRecord], begun: AnchorRecord) -> int:
    """Return the first step with the object of an anchor that no step has any more."""
    return min(n for n, r in records.items() if any(a.name == begun.name for a in r.anchors))


def source_id(run_id: str, step: int) -> str:
    """Return the source id of the crops of one step of a run."""
    return f"{run_id}/{step:02d}"


def source_step(source: str, run_id: str) -> int:
    """Return the step in a `source_id` of this run; 0 for any other source."""
    prefix, _, number = source.rpartition("/")
    return int(number) if prefix == run_id and number.isdigit() else 0


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
