"""The edge: one foreign library a file; its exceptions, types and configuration keys stop here."""
