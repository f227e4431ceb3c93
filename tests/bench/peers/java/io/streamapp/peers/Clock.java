package io.streamapp.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * What a run cost: from the first record fetched to the last commit, as the bench measures itself.
 *
 * <p>A JVM compiles what it runs while it runs. That is in the figure, since a worker that was just
 * started pays for it too; beside it stands what the run made after its first third.
 */
final class Clock {
  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private final long wanted;
  private long begunNanos;
  private long begunCpuNanos;
  private long endedNanos;
  private long endedCpuNanos;
  private long reached;
  private long warmNanos;
  private long warmReached;

  Clock(long wanted) {
    this.wanted = wanted;
  }

  /** Records came; the first time, measuring begins. */
  void fetched() {
    if (begunNanos == 0) {
      begunCpuNanos = SYSTEM.getProcessCpuTime();
      begunNanos = System.nanoTime();
    }
  }

  /** So many records are done. */
  void reached(long total) {
    reached = total;
    endedNanos = System.nanoTime();
    endedCpuNanos = SYSTEM.getProcessCpuTime();
    if (warmNanos == 0 && total >= wanted / 3) {
      warmNanos = endedNanos;
      warmReached = total;
    }
  }

  /** One line for whoever started us. */
  void answer() throws IOException {
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("records", reached);
    told.put("seconds", (endedNanos - begunNanos) / 1e9);
    told.put("cpu_seconds", (endedCpuNanos - begunCpuNanos) / 1e9);
    told.put("warm_records", reached - warmReached);
    told.put("warm_seconds", (endedNanos - warmNanos) / 1e9);
    told.put(
        "versions",
        Map.of(
            "java", System.getProperty("java.version"),
            "kafka-clients", AppInfoParser.getVersion(),
            "avro", Schema.class.getPackage().getImplementationVersion(),
            "onnxruntime", ai.onnxruntime.OrtEnvironment.getEnvironment().getVersion()));
    System.out.println(new ObjectMapper().writeValueAsString(Map.of("answer", told)));
  }
}
