"""What a job itself needs on Flink: job server, workers, application mode.

What is deployed, and the cluster for one machine, are in the folder ``flink``.
"""
