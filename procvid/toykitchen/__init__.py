"""The toy kitchen: a procedural renderer of cooking clips whose truth is known.

`identity` draws what a recipe's kitchen looks like, `recipes` writes its steps and their words,
`render` turns a step into frames with boxes, `dataset` puts the three together. It is the training
set of the tiny models and the ground truth of the tests; it is not cooking footage.
"""
