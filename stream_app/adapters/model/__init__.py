"""Models: their files and contracts, and ONNX Runtime that runs them."""
