"""Training data: transients in noise, as our own detector sees them."""
