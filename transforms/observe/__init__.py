"""What a running job tells about itself: counts, times and state for Prometheus, and its log."""
