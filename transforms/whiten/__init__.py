"""From strain to white noise: the power spectral density, and the filter that it gives."""
