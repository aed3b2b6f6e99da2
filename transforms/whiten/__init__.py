"""From strain to white noise: power spectral density and filter."""
