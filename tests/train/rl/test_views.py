"""The views of a clip that a reader with gradients judges."""

from __future__ import annotations

import torch

from procvid.train.rl.reward_gradient import LIGHT, NOISE, SHIFT, seen


def test_a_view_is_moved_in_other_light_and_noisy_and_passes_gradients():
    rows = torch.linspace(-1, 1, 24).view(1, 1, 24, 1).expand(2, 3, 24, 20).clone()
    rows.requires_grad_()
    moves, gains, noises = set(), [], []
    for seed in range(40):
        view = seen(rows, torch.Generator().manual_seed(seed))
        assert view.shape == rows.shape
        assert torch.equal(view, seen(rows, torch.Generator().manual_seed(seed)))
        inner = view.detach()[:, :, SHIFT:-SHIFT].mean((0, 3))
        # Per channel: light * (slope * row + moved); rows apart by one differ by 2 / 23.
        gain = (inner[:, -1] - inner[:, 0]) / (2 / 23 * (inner.shape[1] - 1))
        gains.append(gain)
        middle = inner.mean(1) / gain
        moves.add(round(float(middle.mean() / (2 / 23))))
        noises.append(float((view.detach() - view.detach().mean((0, 3), keepdim=True)).std()))
    gains = torch.stack(gains)
    assert moves <= set(range(-SHIFT - 1, SHIFT + 2)) and len(moves) > SHIFT
    assert (gains - 1).abs().max() < LIGHT + 0.03 and gains.std() > LIGHT / 4
    assert abs(sum(noises) / len(noises) - NOISE) < 0.01
    view.square().sum().backward()
    assert rows.grad is not None and (rows.grad != 0).any()
