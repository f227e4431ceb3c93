package io.streamapp.peers;

import ai.onnxruntime.OrtException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/**
 * Gathers records for one model run.
 *
 * <p>Not safe: Streams commits the offsets of what it has handed to the processor, also of what
 * still waits here. Whoever dies between the two has lost those records, exactly_once_v2 or not.
 */
final class BufferedScoring implements Processor<byte[], GenericRecord, byte[], GenericRecord> {
  private static final Duration LONGEST_WAIT = Duration.ofMillis(10);

  private record Waiting(Record<byte[], GenericRecord> event, int partition, long offset) {}

  private final int most;
  private final Runnable fetched;
  private final AtomicLong done;
  private final GenericCodec codec;
  private final Model model;
  private final float[] scores;
  private final List<Waiting> waiting;
  private ProcessorContext<byte[], GenericRecord> context;

  BufferedScoring(Order order, Runnable fetched, AtomicLong done) {
    this.most = order.batch();
    this.fetched = fetched;
    this.done = done;
    codec = new GenericCodec(order, most);
    scores = new float[most];
    waiting = new ArrayList<>(most);
    try {
      model = new Model(order, most);
    } catch (OrtException exc) {
      throw new IllegalStateException(exc);
    }
  }

  @Override
  public void init(ProcessorContext<byte[], GenericRecord> context) {
    this.context = context;
    context.schedule(LONGEST_WAIT, PunctuationType.WALL_CLOCK_TIME, time -> score());
  }

  @Override
  public void process(Record<byte[], GenericRecord> event) {
    fetched.run();
    RecordMetadata place = context.recordMetadata().orElseThrow();
    codec.features(event.value(), waiting.size(), model.rows());
    waiting.add(new Waiting(event, place.partition(), place.offset()));
    if (waiting.size() == most) {
      score();
    }
  }

  private void score() {
    if (waiting.isEmpty()) {
      return;
    }
    try {
      model.score(waiting.size(), scores);
    } catch (OrtException exc) {
      throw new IllegalStateException(exc);
    }
    for (int row = 0; row < waiting.size(); row++) {
      Waiting each = waiting.get(row);
      GenericRecord event = each.event().value();
      context.forward(
          each.event()
              .withValue(codec.prediction(event, scores[row], each.partition(), each.offset())));
    }
    done.addAndGet(waiting.size());
    waiting.clear();
  }
}
