"""From triggers to labels: what the model sees, and its answer."""
