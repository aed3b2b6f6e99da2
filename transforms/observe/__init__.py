"""Metrics and logs of a running job: counts, times and state for Prometheus, and JSON lines."""
