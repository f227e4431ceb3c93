package io.streamapp.peers;

import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Kafka Streams, exactly once: a record at a time as its API is meant, or gathered in a processor
 * ({@code buffered}), which is not safe and says so where it is.
 */
final class Streams {
  private static final long LOOK_EVERY_MS = 5;

  private final Order order;
  private final Clock clock;
  private final AtomicLong done = new AtomicLong();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  private Streams(Order order) {
    this.order = order;
    this.clock = new Clock(order.records());
  }

  public static void main(String[] arguments) throws Exception {
    new Streams(Order.read()).run(arguments[0].equals("buffered"));
  }

  private void run(boolean buffered) throws Exception {
    StreamsBuilder builder = new StreamsBuilder();
    Serde<GenericRecord> readings = AvroSerdes.readings(order);
    KStream<byte[], GenericRecord> events =
        builder.stream(order.input(), Consumed.with(Serdes.ByteArray(), readings));
    KStream<byte[], GenericRecord> predictions =
        buffered
            ? events.process(() -> new BufferedScoring(order, clock::fetched, done))
            : events.processValues(() -> new RecordScoring(order, clock::fetched, done));
    Serde<GenericRecord> written = AvroSerdes.predictions(order);
    predictions.to(order.output(), Produced.with(Serdes.ByteArray(), written));
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", order.servers()));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties())) {
      streams.setUncaughtExceptionHandler(
          exc -> {
            failure.compareAndSet(null, exc);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
          });
      streams.start();
      boolean warm = false;
      while (done.get() < order.records()) {
        pause();
        if (!warm && done.get() >= order.records() / 3) {
          clock.reached(done.get());
          warm = true;
        }
      }
      // Streams tells nobody when it has committed; the group does.
      while (committed(admin) < order.records()) {
        pause();
      }
      clock.reached(order.records());
    }
    clock.answer();
  }

  private void pause() throws Exception {
    Thread.sleep(LOOK_EVERY_MS);
    if (failure.get() != null) {
      throw new IllegalStateException("a stream thread ended", failure.get());
    }
  }

  private long committed(Admin admin) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> found =
        admin
            .listConsumerGroupOffsets(
                Map.of(order.group(), new ListConsumerGroupOffsetsSpec()),
                new ListConsumerGroupOffsetsOptions().requireStable(true))
            .partitionsToOffsetAndMetadata(order.group())
            .get();
    return found.values().stream().mapToLong(each -> each == null ? 0 : each.offset()).sum();
  }

  private Properties properties() {
    Properties told = new Properties();
    told.put(StreamsConfig.APPLICATION_ID_CONFIG, order.group());
    told.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, order.servers());
    told.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    told.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, (long) (1_000 * order.transaction_s()));
    // A thread has the core to itself; a second would only share it.
    told.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    told.put(StreamsConfig.STATE_DIR_CONFIG, order.folder());
    Clients.sending(order)
        .forEach((name, value) -> told.put(StreamsConfig.producerPrefix(name), value));
    return told;
  }
}
