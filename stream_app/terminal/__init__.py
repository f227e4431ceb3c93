"""What long commands that somebody watches have in common: their lines, and how they are ended."""
