"""What the pipeline needs on Flink: job server, workers, applications."""
