"""The pure part: numpy and the standard library; no Kafka, ONNX, clock, environment or logging."""
