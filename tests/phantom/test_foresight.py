from __future__ import annotations

import torch

from procvid.phantom.denoising import DenoisingStep
from procvid.phantom.foresight import Foresight


def test_a_straight_line_is_extrapolated_to_its_end() -> None:
    clean, noise = torch.randn(1, 2, 1, 3, 3), torch.randn(1, 2, 1, 3, 3)
    foresight, forecasts = Foresight(), []
    for number, (start, end) in enumerate(((1.0, 0.9), (0.9, 0.6), (0.6, 0.3), (0.3, 0.0)), 1):
        latents = (1 - end) * clean + end * noise
        forecasts.append(foresight.after(DenoisingStep(number, 4, round(1000 * start), latents)))
    assert forecasts[:2] == [None, None]
    for forecast in forecasts[2:]:
        torch.testing.assert_close(forecast, clean, atol=1e-5, rtol=0)
