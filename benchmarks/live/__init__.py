"""How soon, how much and how steadily a live job works."""
