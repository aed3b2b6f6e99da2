"""Pieces that every HTML page shares: templates, figures in one style."""
