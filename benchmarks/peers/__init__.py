"""The same data through us and our peers."""
