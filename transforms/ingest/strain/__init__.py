"""Strain from topics: which frames are taken, and what time it is on their channels."""
