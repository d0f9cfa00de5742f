"""The composition root, which turns settings into models.

One `match` per seam. A module with a heavy library is imported where a model that needs it is built, so
a command that only plans stays light.
"""
