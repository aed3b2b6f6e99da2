"""Searches beside our own that lost against it: from whitened strain to events.

Each is a function of whitened strain (float32, [time], unit variance, from a whole second
on), its sample rate [Hz] and the least rank to report. Events' times count from the first
sample [s].
"""
