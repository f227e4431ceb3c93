package io.streamapp.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Serdes for Kafka Streams over Avro's generic reader and writer. */
final class AvroSerdes {
  private AvroSerdes() {}

  static Serde<GenericRecord> readings(Order order) {
    GenericCodec codec = new GenericCodec(order, 1);
    return Serdes.serdeFrom(
        (topic, event) -> {
          throw new UnsupportedOperationException("events are only read");
        },
        (topic, value) -> {
          try {
            return codec.read(value, null);
          } catch (IOException exc) {
            throw new UncheckedIOException(exc);
          }
        });
  }

  static Serde<GenericRecord> predictions(Order order) {
    GenericCodec codec = new GenericCodec(order, 1);
    return Serdes.serdeFrom(
        (topic, prediction) -> {
          try {
            return codec.write(prediction);
          } catch (IOException exc) {
            throw new UncheckedIOException(exc);
          }
        },
        (topic, value) -> {
          throw new UnsupportedOperationException("predictions are only written");
        });
  }
}
