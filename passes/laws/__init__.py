"""Families of rewrite laws that a pass takes up whole, one file a family."""
