"""The drift monitor's edges: Faust, the webhook, and the readers of its topics."""
