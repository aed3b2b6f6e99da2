"""The stages of the pipeline, one room each, in the order in which data flows."""
