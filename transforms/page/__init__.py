"""Pieces of HTML pages, and figures in the house's style."""
