"""Avro, as bytes and as schemas: framing, gates, resolution, the strict walk over a value."""
