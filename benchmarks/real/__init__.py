"""A referee for real data: what the pipeline and a model say of strain that detectors recorded."""
