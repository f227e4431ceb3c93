"""The verifier's eyes: topics read again, without a line of the scorer's path."""
