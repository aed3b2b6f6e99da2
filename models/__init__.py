"""How a classifier is made: simulated transients, training, evaluation.

Serving is in `transforms.classify`.
"""
