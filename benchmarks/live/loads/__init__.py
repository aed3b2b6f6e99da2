"""A load on a live job: who sends it, what it costs, how far behind the job is."""
