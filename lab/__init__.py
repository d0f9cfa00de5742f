"""Experiments beside the product: proofs, measurements and the training of the embedded models.

Each is run from the repository as `python -m lab.NAME`; lab/README.md lists them. The package
`procvid` never imports this one, and the wheel does not contain it.
"""
