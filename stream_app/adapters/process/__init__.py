"""The process itself: time, signals, locks, logs, metrics, its port, and many of it."""
