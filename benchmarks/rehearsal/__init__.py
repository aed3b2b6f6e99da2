"""A live job beside an archive job, with faults and kills, and what must be equal."""
