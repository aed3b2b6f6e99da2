"""From frames that come one by one to blocks."""
