"""What a load on a live job is made of: who sends it, what it costs, how far behind the job is."""
