"""From white noise to candidates and triggers: wavelet bank and clustering."""
