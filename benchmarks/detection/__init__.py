"""What is found, at which false-alarm rate."""
