"""What the bench runs beside the product, and its hands on the cluster."""
