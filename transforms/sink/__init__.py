"""From triggers to files: tables, segments, dead letters, report."""
