"""Kafka topics as a source that can be split, stopped and started again.

Knows nothing of strain: a `source.Source` says what decodes messages (`source.Decoder`) and what
time it is (`timekeeper.Timekeeper`).
"""
