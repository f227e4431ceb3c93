package io.streamapp.peers;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Avro's own generic reader and writer, with decoders, encoders and records used again. */
final class GenericCodec implements Codec {
  private static final double VIBRATION_OF_NONE = 2.0;
  private static final int CHANNELS = 8;

  private final byte[] eventPrefix;
  private final byte[] predictionPrefix;
  private final GenericDatumReader<GenericRecord> reader;
  private final GenericDatumWriter<GenericRecord> writer;
  private final GenericRecord[] events;
  private final Map<String, Integer> modes = new HashMap<>();
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
  private final Schema predictionSchema;
  private final Order order;
  private BinaryDecoder decoder;
  private BinaryEncoder encoder;

  GenericCodec(Order order, int most) {
    this.order = order;
    eventPrefix = order.eventPrefix();
    predictionPrefix = order.predictionPrefix();
    Schema eventSchema = new Schema.Parser().parse(order.event_schema());
    predictionSchema = new Schema.Parser().parse(order.prediction_schema());
    reader = new GenericDatumReader<>(eventSchema);
    writer = new GenericDatumWriter<>(predictionSchema);
    events = new GenericRecord[most];
    List<String> symbols = eventSchema.getField("mode").schema().getEnumSymbols();
    symbols.forEach(symbol -> modes.put(symbol, modes.size()));
  }

  @Override
  public void decode(byte[] value, int row, FloatBuffer rows) throws IOException {
    events[row] = read(value, events[row]);
    features(events[row], row, rows);
  }

  @Override
  public byte[] encode(int row, float score, int partition, long offset) throws IOException {
    return write(prediction(events[row], score, partition, offset));
  }

  GenericRecord read(byte[] value, GenericRecord reused) throws IOException {
    Codec.requirePrefix(value, eventPrefix);
    int start = eventPrefix.length;
    decoder =
        DecoderFactory.get().binaryDecoder(value, start, value.length - start, decoder);
    return reader.read(reused, decoder);
  }

  void features(GenericRecord event, int row, FloatBuffer rows) {
    int at = row * Model.WIDTH;
    // The schema's order: id, time, eight channels, cycles, mode, vibration.
    for (int channel = 0; channel < CHANNELS; channel++) {
      rows.put(at + channel, ((Double) event.get(2 + channel)).floatValue());
    }
    rows.put(at + 8, (Integer) event.get(10));
    rows.put(at + 9, modes.get(event.get(11).toString()));
    Object vibration = event.get(12);
    rows.put(at + 10, (float) (vibration == null ? VIBRATION_OF_NONE : (Double) vibration));
    rows.put(at + 11, (Long) event.get(1));
  }

  GenericRecord prediction(GenericRecord event, float score, int partition, long offset) {
    GenericRecord made = new GenericData.Record(predictionSchema);
    made.put("event_id", event.get(0));
    made.put("event_time", event.get(1));
    made.put("model_name", order.lineage().get("model_name"));
    made.put("model_version", order.lineage().get("model_version"));
    made.put("model_hash", order.lineage().get("model_hash"));
    made.put("source_topic", order.input());
    made.put("source_partition", partition);
    made.put("source_offset", offset);
    made.put("scores", List.of(score));
    made.put("label", null);
    return made;
  }

  byte[] write(GenericRecord prediction) throws IOException {
    bytes.reset();
    bytes.write(predictionPrefix);
    encoder = EncoderFactory.get().directBinaryEncoder(bytes, encoder);
    writer.write(prediction, encoder);
    encoder.flush();
    return bytes.toByteArray();
  }
}
