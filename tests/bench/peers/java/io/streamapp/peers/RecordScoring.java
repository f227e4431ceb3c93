package io.streamapp.peers;

import ai.onnxruntime.OrtException;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Scores a record when it comes: a model run each. */
final class RecordScoring implements FixedKeyProcessor<byte[], GenericRecord, GenericRecord> {
  private final Runnable fetched;
  private final AtomicLong done;
  private final GenericCodec codec;
  private final Model model;
  private final float[] scores = new float[1];
  private FixedKeyProcessorContext<byte[], GenericRecord> context;

  RecordScoring(Order order, Runnable fetched, AtomicLong done) {
    this.fetched = fetched;
    this.done = done;
    codec = new GenericCodec(order, 1);
    try {
      model = new Model(order, 1);
    } catch (OrtException exc) {
      throw new IllegalStateException(exc);
    }
  }

  @Override
  public void init(FixedKeyProcessorContext<byte[], GenericRecord> context) {
    this.context = context;
  }

  @Override
  public void process(FixedKeyRecord<byte[], GenericRecord> event) {
    fetched.run();
    RecordMetadata place = context.recordMetadata().orElseThrow();
    codec.features(event.value(), 0, model.rows());
    try {
      model.score(1, scores);
    } catch (OrtException exc) {
      throw new IllegalStateException(exc);
    }
    context.forward(
        event.withValue(
            codec.prediction(event.value(), scores[0], place.partition(), place.offset())));
    done.incrementAndGet();
  }
}
