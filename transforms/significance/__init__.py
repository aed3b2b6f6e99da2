"""How rare what was found is in noise."""
