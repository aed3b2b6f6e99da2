"""Latency, capacity and endurance of a live job."""
