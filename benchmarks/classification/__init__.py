"""How well transients are told apart, and what a label costs."""
