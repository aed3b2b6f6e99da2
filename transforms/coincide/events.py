"""Pairs of triggers to events."""

from transforms.gps import NANOSECONDS

CONTEXT_NS = 4 * NANOSECONDS
