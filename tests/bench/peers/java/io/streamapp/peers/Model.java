package io.streamapp.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Map;

/** ONNX Runtime on one thread; rows are put into a buffer of its own memory, so none is copied. */
final class Model {
  static final int WIDTH = 12;

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final FloatBuffer rows;

  Model(Order order, int most) throws OrtException {
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    session = environment.createSession(order.model(), options);
    rows =
        ByteBuffer.allocateDirect(most * WIDTH * Float.BYTES)
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer();
    // The first run of a session allocates; nobody's first run is measured.
    rows.put(0, 0f);
    score(1, new float[1]);
  }

  /** Where row {@code r} has its {@code WIDTH} features, from {@code r * WIDTH} on. */
  FloatBuffer rows() {
    return rows;
  }

  /** The scores of the first {@code count} rows. */
  void score(int count, float[] scores) throws OrtException {
    rows.position(0).limit(count * WIDTH);
    try (OnnxTensor features =
            OnnxTensor.createTensor(environment, rows, new long[] {count, WIDTH});
        OrtSession.Result result = session.run(Map.of("features", features))) {
      ((OnnxTensor) result.get(0)).getFloatBuffer().get(scores, 0, count);
    }
    rows.clear();
  }
}
