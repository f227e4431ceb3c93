"""What the demo sends and reads, as a client beside the workers."""
