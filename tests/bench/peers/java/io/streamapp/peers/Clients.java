package io.streamapp.peers;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What the clients are told: what differs from their defaults serves throughput or exactness. */
final class Clients {
  /** The default of 16 KiB holds some eighty predictions. */
  private static final int BATCH_BYTES = 256 * 1024;

  private Clients() {}

  static Map<String, Object> consumer(Order order) {
    Map<String, Object> told = new HashMap<>();
    told.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, order.servers());
    told.put(ConsumerConfig.GROUP_ID_CONFIG, order.group());
    told.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    told.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    told.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    told.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    told.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    told.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, order.batch());
    return told;
  }

  static Map<String, Object> producer(Order order) {
    Map<String, Object> told = sending(order);
    told.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, order.servers());
    told.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    told.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    told.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, order.group());
    return told;
  }

  /** Of a producer, whoever makes it. */
  static Map<String, Object> sending(Order order) {
    Map<String, Object> told = new HashMap<>();
    told.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, order.compression());
    told.put(ProducerConfig.LINGER_MS_CONFIG, (int) order.linger_ms());
    told.put(ProducerConfig.BATCH_SIZE_CONFIG, BATCH_BYTES);
    return told;
  }
}
