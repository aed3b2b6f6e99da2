"""Triggers of one detector to events of a network."""
