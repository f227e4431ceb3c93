package io.streamapp.peers;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * The loop that a Java engineer writes by hand: consume, transform and produce in transactions, as
 * the documentation of {@code KafkaProducer} has it, a batch into ONNX Runtime at a time.
 *
 * <p>No recovery: a rebalance or an abort ends it, which makes it faster, not slower.
 */
final class ByHand {
  private static final Duration WAIT = Duration.ofMillis(50);

  private final Order order;
  private final Clock clock;
  private final Codec codec;
  private final Model model;
  private final float[] scores;
  private final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
  private long open;
  private long committed;
  private long begunNanos;

  private ByHand(Order order, String codec) throws Exception {
    this.order = order;
    this.clock = new Clock(order.records());
    this.codec = Codec.of(codec, order, order.batch());
    this.model = new Model(order, order.batch());
    this.scores = new float[order.batch()];
  }

  public static void main(String[] arguments) throws Exception {
    new ByHand(Order.read(), arguments[0]).run();
  }

  private void run() throws Exception {
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(Clients.consumer(order));
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(Clients.producer(order))) {
      producer.initTransactions();
      consumer.subscribe(List.of(order.input()));
      while (committed < order.records()) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(WAIT);
        if (!polled.isEmpty()) {
          clock.fetched();
          score(polled, producer);
        }
        boolean late = System.nanoTime() - begunNanos >= order.transactionNanos();
        if (open > 0 && (late || polled.isEmpty() || committed + open >= order.records())) {
          producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
          producer.commitTransaction();
          committed += open;
          open = 0;
          next.clear();
          clock.reached(committed);
        }
      }
    }
    clock.answer();
  }

  /** {@code max.poll.records} is the batch, so what was polled is one. */
  private void score(
      ConsumerRecords<byte[], byte[]> polled, KafkaProducer<byte[], byte[]> producer)
      throws Exception {
    if (open == 0) {
      producer.beginTransaction();
      begunNanos = System.nanoTime();
    }
    int row = 0;
    for (ConsumerRecord<byte[], byte[]> event : polled) {
      codec.decode(event.value(), row++, model.rows());
    }
    model.score(row, scores);
    row = 0;
    for (ConsumerRecord<byte[], byte[]> event : polled) {
      byte[] value = codec.encode(row, scores[row], event.partition(), event.offset());
      // What goes wrong with one of them, `commitTransaction` throws.
      producer.send(
          new ProducerRecord<>(
              order.output(), event.partition(), event.timestamp(), event.key(), value));
      row++;
    }
    next.putAll(polled.nextOffsets());
    open += row;
  }
}
