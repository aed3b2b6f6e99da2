"""Results out of the graph: files of a run, rolling files of a live job, Kafka topics, report.

``tables`` has the columns; ``archive``, ``live`` and ``kafka`` are the sinks, each a transform of
`transforms.results.Results`.
"""
