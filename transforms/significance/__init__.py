"""How rare triggers are: false-alarm rates of noise."""
