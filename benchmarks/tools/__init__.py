"""The detectors that are compared: how each is called, and what its events are."""
