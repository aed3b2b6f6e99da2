"""How good a model is, on simulated sets and on labelled strain."""
