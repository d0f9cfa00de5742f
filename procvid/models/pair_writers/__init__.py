"""Adapters that describe clips and write questions about pairs of them."""
