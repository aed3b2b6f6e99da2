"""How good events and their false-alarm rates are."""
