"""A ZeroGPU Space without its GPU: the real `spaces` package, and the service that lends a GPU.

Prints the result as one JSON object. Torch is patched, the worker forked and everything pickled as on
ZeroGPU; only the moving of weights to the card is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np

ASKED: list[tuple[str, dict[str, str]]] = []


class Lender(BaseHTTPRequestHandler):
    """Lends the same GPU to every caller; it is idle after its return."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        ASKED.append((url.path, {k: v[0] for k, v in parse_qs(url.query).items()}))
        answer = {
            "idle": len(ASKED) > 3,
            "nvidiaIndex": 0,
            "nvidiaUUID": "GPU-0",
            "allowToken": "t",
        }
        body = json.dumps(answer).encode() if url.path == "/schedule" else b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *details: object) -> None:
        """Nothing."""


def main(work: Path) -> dict[str, object]:
    server = HTTPServer(("127.0.0.1", 0), Lender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        SPACES_ZERO_GPU="true",
        SPACES_ZERO_DEVICE_API_URL=f"http://127.0.0.1:{server.server_address[1]}",
        ZEROGPU_OFFLOAD_DIR=str(work / "offloaded"),
    )
    from procvid.wiring import run as wiring

    # As in the app: before any code uses the GPU through torch.
    said: dict[str, object] = {"profile": wiring.select_profile("auto")[1]}

    from procvid.errors import ProcvidError
    from procvid.machine import asset_folder
    from procvid.models.generators.lent import LentGpuGenerator
    from procvid.models.generators.phantom_wan import PhantomWan
    from procvid.models.pipeline_host import PipelineHost, on_gpu
    from procvid.settings import TINY
    from procvid.types import Conditioning, Slot

    plain = wiring.build_generator(TINY)
    said["tiny is lent"] = isinstance(plain, LentGpuGenerator)

    import spaces
    from spaces.zero import torch as card

    card.init = card.move = lambda *args, **kwargs: None

    folder = asset_folder(TINY, "generator")
    placed = PipelineHost(PhantomWan(TINY, folder), placement=on_gpu())
    placed.prepare()
    said["placed"] = [str(placed.pipeline.transformer.device), *placed.notes(TINY.sampling)]
    said["packed bytes"] = card.pack()

    class Counting:
        """Also notes each step in a file, whichever process makes it."""

        def __init__(self, folder: Path, previews: bool = False) -> None:
            self.inner = PipelineHost(PhantomWan(TINY, folder), previews=previews)
            self.info, self.default_sampling = self.inner.info, self.inner.default_sampling
            self.check, self.notes = self.inner.check, self.inner.notes

        def generate(self, conditioning, sampling):
            with closing(self.inner.generate(conditioning, sampling)) as steps:
                while True:
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        return end.value
                    with (work / "steps").open("a") as file:
                        file.write(f"{os.getpid()}\n")
                    yield step

    counting = Counting(folder, previews=True)
    counting.inner.prepare()
    lent = LentGpuGenerator(counting, spaces.GPU, lambda sampling, n: sampling.num_inference_steps)
    red = np.full((40, 30, 3), (200, 20, 20), np.uint8)
    box = (0.0, 0.0, 30.0, 40.0)
    pan = Slot(1, "frying pan", "frying pan", red, "c", "s", "clean", box, 1.0, "upload")
    shown = Conditioning(1, "Close view: frying the egg in the frying pan.", (pan,), ())
    sampling = replace(TINY.sampling, num_inference_steps=4, seed=1)

    def sha(generator) -> str:
        steps = generator.generate(shown, sampling)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return hashlib.sha256(end.value.frames.tobytes()).hexdigest()

    said["here"] = sha(plain)
    said["lent"] = sha(lent)
    said["pids"] = sorted({int(p) for p in (work / "steps").read_text().split()})
    said["own pid"] = os.getpid()
    (work / "steps").write_text("")
    steps = lent.generate(shown, replace(sampling, num_inference_steps=60))
    said["previews"] = [next(steps).preview is not None for _ in range(3)]
    begun = time.monotonic()
    steps.close()
    said["stopped after s"] = time.monotonic() - begun
    time.sleep(0.5)
    said["steps when stopped"] = len((work / "steps").read_text().split())
    said["again"] = sha(lent)

    copy = work / "damaged"
    shutil.copytree(folder, copy)
    weights = next((copy / "transformer").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    try:
        sha(LentGpuGenerator(Counting(copy), spaces.GPU, lambda sampling, n: 1.0))
    except ProcvidError as error:
        said["error"] = [type(error).__name__, error.message, error.hint]
    said["asked"] = ASKED
    return said


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
