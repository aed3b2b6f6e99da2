"""What a second of strain costs from archives."""
