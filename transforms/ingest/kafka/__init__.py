"""Topics of Kafka as a source that can be split, stopped and started again."""
