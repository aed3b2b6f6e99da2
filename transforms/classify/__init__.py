"""From triggers to labels: what a model sees of a trigger, and what runs the model.

Models are made in ``models.training``; here is what a worker needs of one.
"""
