"""The graph and the way in: configuration, options, command line."""
