"""Strain as a Kafka source: which frames are taken, and how far each channel is."""
