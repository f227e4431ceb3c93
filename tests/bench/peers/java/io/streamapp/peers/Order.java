package io.streamapp.peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.HexFormat;
import java.util.Map;

/**
 * What a peer is told, as JSON on standard input; the Python side ({@code orders.py}) says what each
 * word means.
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record Order(
    String servers,
    String input,
    String output,
    String group,
    int records,
    String model,
    String event_schema,
    String prediction_schema,
    String event_prefix,
    String prediction_prefix,
    Map<String, String> lineage,
    int batch,
    double transaction_s,
    double linger_ms,
    String compression,
    String folder) {

  static Order read() throws IOException {
    return new ObjectMapper().readValue(System.in, Order.class);
  }

  byte[] eventPrefix() {
    return HexFormat.of().parseHex(event_prefix);
  }

  byte[] predictionPrefix() {
    return HexFormat.of().parseHex(prediction_prefix);
  }

  long transactionNanos() {
    return (long) (transaction_s * 1e9);
  }
}
