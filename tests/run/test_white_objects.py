"""Objects of the clip before are painted white; the tiny detector finds them."""

from __future__ import annotations

import numpy as np

from procvid.run.coherence import WHITE, without_objects
from procvid.toykitchen.recipes import random_recipe


def test_objects_are_painted_white_where_the_detector_finds_them(real_parts):
    recipe = random_recipe(5)
    rendered, scene = recipe.render(1), recipe.steps[0].scene
    frames = rendered.frames[-5:]
    painted = without_objects(frames, [scene.vessel, "teapot"], real_parts.detector)
    x0, y0, x1, y1 = (int(v) for v in rendered.boxes[-1][scene.vessel])
    inside = np.zeros(frames.shape[1:3], bool)
    inside[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3] = True
    assert (painted[-1][inside] == WHITE).all()
    around = np.ones_like(inside)
    around[max(0, y0 - 4) : y1 + 4, max(0, x0 - 4) : x1 + 4] = False
    assert around.any() and np.array_equal(painted[-1][around], frames[-1][around])
    assert np.array_equal(without_objects(frames, [], real_parts.detector), frames)
    assert frames.min() < WHITE
