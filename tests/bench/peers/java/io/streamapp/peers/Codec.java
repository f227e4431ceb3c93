package io.streamapp.peers;

import java.io.IOException;
import java.nio.FloatBuffer;

/**
 * Events to features, scores to predictions, by the row of a batch.
 *
 * <p>The framing is Avro's single-object encoding; both sides of it are handled by hand, since the
 * serialisers that vendors ship want a registry.
 */
interface Codec {
  /** Decode an event; its features go to {@code rows}, what its prediction needs is kept. */
  void decode(byte[] value, int row, FloatBuffer rows) throws IOException;

  /** The prediction of a row. */
  byte[] encode(int row, float score, int partition, long offset) throws IOException;

  static Codec of(String name, Order order, int most) {
    return switch (name) {
      case "generic" -> new GenericCodec(order, most);
      case "direct" -> new DirectCodec(order, most);
      default -> throw new IllegalArgumentException("no such codec: " + name);
    };
  }

  /** Raises for a value of another schema: nobody decodes what he does not know. */
  static void requirePrefix(byte[] value, byte[] prefix) {
    if (value.length < prefix.length
        || !java.util.Arrays.equals(value, 0, prefix.length, prefix, 0, prefix.length)) {
      throw new IllegalArgumentException("a value of another schema");
    }
  }
}
