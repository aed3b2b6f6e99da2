"""The same on Kubernetes, from the chart."""
