"""The way in: strain of files and of streams, as blocks."""
