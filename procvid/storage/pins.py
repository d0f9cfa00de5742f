"""The published models that procvid downloads, pinned to a commit: the only list of them.

VACE is not pinned here: `procvid convert` asks the Hub for the latest commit, checks the files with the
hashes that the commit records, and writes it to the manifest.

`python -m lab.pins` asks the Hub whether every one of them still exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LATEST = "main"
"""Revision of a model that is not pinned here."""


@dataclass(frozen=True)
class HubModel:
    """A model on the Hub.

    Attributes:
        repo: "owner/name".
        revision: The commit, 40 hex digits; or `LATEST`.
        files: The files that are needed, as names or patterns such as "vae/*".
        size_bytes: Their approximate total size.
        sha256: Hashes of files whose bytes are pinned, by name.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    size_bytes: int
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pinned(self) -> bool:
        """True if the revision is a commit."""
        return self.revision != LATEST

    @property
    def pinned(self) -> str:
        """The repository and its commit, "owner/name@commit"."""
        return f"{self.repo}@{self.revision}"

    @property
    def command(self) -> str:
        """The command that downloads it."""
        return f"hf download {self.repo} --revision {self.revision}"


_PHANTOM = "bytedance-research/Phantom", "926cb19b8273d3841edcf905ca4ddb57f8e43207"

# Sizes of Phantom and Wan: their parameters in float32, 4 bytes each, as they are published.
PHANTOM_1_3B_WEIGHTS = HubModel(*_PHANTOM, ("Phantom-Wan-1.3B.pth",), 5_676_000_000)
PHANTOM_14B_WEIGHTS = HubModel(
    *_PHANTOM,
    (
        *(f"Phantom_Wan_14B-{number:05d}-of-00006.safetensors" for number in range(1, 7)),
        "Phantom_Wan_14B.safetensors.index.json",
    ),
    57_154_000_000,
)
WAN_BASE = HubModel(
    "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    "0fad780a534b6463e45facd96134c9f345acfa5b",
    ("text_encoder/*", "tokenizer/*", "vae/*", "model_index.json"),
    23_231_000_000,
)
"""Wan2.1 without its transformer."""
WAN_OTHER_BYTES = 530_000_000
"""Of these: autoencoder (126.9 million parameters in float32) and tokenizer, which stay as they are."""

_VACE_BASE_FILES = (
    *("text_encoder/*", "tokenizer/*", "vae/*", "scheduler/*"),
    "model_index.json",
)


def _vace(size: str, parameters: int) -> tuple[HubModel, HubModel]:
    """Return the transformer of Wan VACE, and its folder without it.

    The sizes are counted as for Wan: 4 bytes for each parameter.
    """
    where = f"Wan-AI/Wan2.1-VACE-{size}-diffusers", LATEST
    return (
        HubModel(*where, ("transformer/*",), 4 * parameters),
        HubModel(*where, _VACE_BASE_FILES, WAN_BASE.size_bytes),
    )


VACE_1_3B_WEIGHTS, VACE_1_3B_BASE = _vace("1.3B", 2_153_972_032)
VACE_14B_WEIGHTS, VACE_14B_BASE = _vace("14B", 17_337_592_896)

TRANSFORMERS: Mapping[str, HubModel] = {
    "phantom-1.3b": PHANTOM_1_3B_WEIGHTS,
    "phantom-14b": PHANTOM_14B_WEIGHTS,
    "vace-1.3b": VACE_1_3B_WEIGHTS,
    "vace-14b": VACE_14B_WEIGHTS,
}
"""Weights of the transformers, by profile."""

BASES: Mapping[str, HubModel] = {
    "phantom-1.3b": WAN_BASE,
    "phantom-14b": WAN_BASE,
    "vace-1.3b": VACE_1_3B_BASE,
    "vace-14b": VACE_14B_BASE,
}
"""The other parts, by profile."""

CLIP_VIT_B_32 = HubModel(
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    "1a25a446712ba5ee05982a381eed697ef9b435cf",
    # Its tokenizer is inside open_clip; the .bin beside the weights is never downloaded.
    ("open_clip_config.json", "open_clip_model.safetensors"),
    605_200_000,
    {
        "open_clip_model.safetensors": (
            "ac4f8c4b88af6d963118cbf40ad93176d092abbedfcb752601ae1866352656e6"
        )
    },
)
"""512 wide, MIT."""

GROUNDING_DINO_TINY = HubModel(
    "IDEA-Research/grounding-dino-tiny",
    "a2bb814dd30d776dcf7e30523b00659f4f141c71",
    (
        *("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"),
        "model.safetensors",
    ),
    690_300_000,
    {"model.safetensors": "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3"},
)
"""The Swin-T checkpoint; swint_ogc in the paper's repository."""

DINO_VIT_S_16 = HubModel(
    "facebook/dino-vits16",
    # On the main branch. Its weights are a pickle, read with the hash that the commit records.
    "abe3b354cb6a9b6f146096b14a4a9d7eecbcb4bd",
    ("config.json", "pytorch_model.bin"),
    86_700_000,
)
"""21.7 million parameters in float32."""

MPNET = HubModel(
    "sentence-transformers/all-mpnet-base-v2",
    "e8c3b32edf5434bc2275fc9bab85f82640a19130",
    (
        *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
        *("vocab.txt", "model.safetensors"),
    ),
    438_700_000,
    {"model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"},
)
"""A sentence encoder, 768 wide, Apache 2.0."""

PINS = (
    PHANTOM_1_3B_WEIGHTS,
    PHANTOM_14B_WEIGHTS,
    WAN_BASE,
    VACE_1_3B_WEIGHTS,
    VACE_1_3B_BASE,
    VACE_14B_WEIGHTS,
    VACE_14B_BASE,
    CLIP_VIT_B_32,
    GROUNDING_DINO_TINY,
    DINO_VIT_S_16,
    MPNET,
)
"""All of them."""
