"""The cluster, through confluent-kafka: the loop's two edges, and what tools ask of brokers."""
