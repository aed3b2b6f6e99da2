"""The statistic that ranks pairs of triggers: how it is learnt."""
