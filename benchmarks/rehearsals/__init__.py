"""What the dress rehearsal is made of: servers, the job, its data, and the judgement."""
