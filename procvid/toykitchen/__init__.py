"""The toy kitchen: a procedural renderer of cooking clips with known ground truth.

`identity` draws the looks of a recipe's kitchen, `recipes` writes its steps and texts, `render`
turns a step into frames with boxes, and `dataset` draws random scenes. The tiny models are trained
on it and tests use its ground truth. It is not cooking footage.
"""
