"""Files sent to Kafka as a detector's data server would, with faults where wanted."""
