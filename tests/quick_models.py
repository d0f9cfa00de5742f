"""A smaller tiny Phantom with random weights: a clip shows faint noise and costs a third.

For tests of order, resuming, queues and kills, which do not depend on what a clip shows. The
detector takes the grey for the counter, so crops enter the memory and later steps become stale.
"""

from __future__ import annotations

from pathlib import Path

import procvid

ASSETS = Path(procvid.__file__).parent / "assets"


def make_quick_assets(folder: Path) -> Path:
    """Make a folder for `PROCVID_ASSETS`: the shipped assets, but a generator of random weights.

    Its weights depend on nothing but a seed, so every process makes the same ones.
    """
    import torch
    from diffusers import AutoencoderKLWan, WanTransformer3DModel

    for asset in ASSETS.iterdir():
        if asset.name != "tiny_phantom":
            (folder / asset.name).symlink_to(asset)
    phantom = folder / "tiny_phantom"
    phantom.mkdir()
    for part in (ASSETS / "tiny_phantom").iterdir():
        if part.name not in ("transformer", "vae"):
            (phantom / part.name).symlink_to(part)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderKLWan.load_config(ASSETS / "tiny_phantom" / "vae")
        decoder = AutoencoderKLWan.from_config(vae, base_dim=4, decoder_base_dim=4)
        # Faint noise: an mp4 of full noise takes longer to encode than to generate.
        decoder.decoder.conv_out.weight.data *= 0.01
        decoder.save_pretrained(phantom / "vae")
        transformer = WanTransformer3DModel.load_config(ASSETS / "tiny_phantom" / "transformer")
        WanTransformer3DModel.from_config(
            transformer, num_layers=1, num_attention_heads=1, ffn_dim=48
        ).save_pretrained(phantom / "transformer")
    return folder
