"""Training code.

`loop.train` is the resumable loop of this package: a new training gives it a `draw` function (batch
of a step) and a `losses` function. `lora` fine-tunes Phantom-Wan.
"""
