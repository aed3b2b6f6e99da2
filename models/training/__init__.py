"""From simulated examples to a calibrated model with its card."""
