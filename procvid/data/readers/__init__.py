"""Readers of published annotation files and of plain folders; each gives `Source` values one by one."""
