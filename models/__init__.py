"""The classifier: simulated transients, network, training, and the packaged artefact."""
