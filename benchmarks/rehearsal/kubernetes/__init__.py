"""The rehearsal on Kubernetes, from the Helm chart."""
