"""Bundles: folders that become releases on the Hub, made from artifacts on disk and checked."""
