"""From messages to frames, and back: LLDD, GWF and rows."""
