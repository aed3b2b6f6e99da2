"""From simulated examples to a model with its card."""
