"""Code examples of the cards; the tests run them as printed."""

from __future__ import annotations

HUB_BASE = """\
from diffusers import WanPipeline

pipeline = WanPipeline.from_pretrained("Wan-AI/Wan2.1-T2V-{size}-Diffusers")
pipeline.load_lora_weights(
    "{repo}", weight_name="pytorch_lora_weights.safetensors"{revision}
)
pipeline.fuse_lora(lora_scale=1.0)"""

TINY_BASE = """\
from pathlib import Path

import procvid
from diffusers import WanPipeline

base = Path(procvid.__file__).parent / "assets" / "tiny_phantom"
pipeline = WanPipeline.from_pretrained(base)
pipeline.load_lora_weights(
    "{repo}", weight_name="pytorch_lora_weights.safetensors"{revision}
)
pipeline.fuse_lora(lora_scale=1.0)"""

DATASETS = """\
from datasets import load_dataset

crops = load_dataset("{repo}", split="train"{revision})
print(crops[0]["name"], crops[0]["state"], crops[0]["image"])"""

FAISS = """\
import faiss
from huggingface_hub import hf_hub_download
from safetensors.numpy import load_file

where = {{"repo_id": "{repo}", "repo_type": "dataset"{revision_key}}}
vectors = load_file(hf_hub_download(filename="embeddings.safetensors", **where))["fused"]
index = faiss.read_index(hf_hub_download(filename="index/index.faiss", **where))
assert (index.ntotal, index.d) == vectors.shape and index.metric_type == faiss.METRIC_INNER_PRODUCT
scores, rows = index.search(vectors[:1], 5)
print(rows[0], scores[0])"""

REBUILD = '''\
import av

def cut(row, video):
    """The crop of a row of the data set, from a copy of its source that you have."""
    with av.open(video) as opened:
        stream = opened.streams.video[0]
        start = float((stream.start_time or 0) * stream.time_base)
        for frame in opened.decode(stream):
            if frame.time - start >= row["time_s"] - 0.5 / float(stream.average_rate):
                return frame.to_image().crop([round(edge) for edge in row["box_xyxy"]])'''

RUN = """\
import json
from huggingface_hub import hf_hub_download

where = {{"repo_id": "{repo}", "repo_type": "dataset"{revision_key}}}
video = hf_hub_download(filename="video.mp4", **where)
run = json.load(open(hf_hub_download(filename="run.json", **where), encoding="utf-8"))
print(video, run["request"]["recipe"]["title"], run["models"])"""

VERIFY = """\
import hashlib
import json
from pathlib import Path
from huggingface_hub import snapshot_download

folder = Path(snapshot_download("{repo}", repo_type="{repo_type}"{revision}))
files = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
wrong = [
    name for name, fact in files.items()
    if hashlib.sha256((folder / name).read_bytes()).hexdigest() != fact["sha256"]
]
print("damaged:", wrong) if wrong else print("all", len(files), "files are as published")"""


def snippet(template: str, *, repo: str, tag: str, repo_type: str = "model", size: str = "") -> str:
    """Fill in a snippet for one repository and, if given, the tag as its revision."""
    return template.format(
        repo=repo,
        repo_type=repo_type,
        size=size,
        revision=f', revision="{tag}"' if tag else "",
        revision_key=f', "revision": "{tag}"' if tag else "",
    )
