"""How efficient the search is, and at which false-alarm rate."""
