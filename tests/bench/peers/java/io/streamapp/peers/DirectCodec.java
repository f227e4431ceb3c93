package io.streamapp.peers;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Avro read and written byte by byte, for these two schemas alone: what a JVM can do when somebody
 * takes the trouble, and has no other schema ever.
 */
final class DirectCodec implements Codec {
  private static final VarHandle DOUBLE =
      MethodHandles.byteArrayViewVarHandle(double[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle FLOAT =
      MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);
  private static final float VIBRATION_OF_NONE = 2.0f;
  private static final int CHANNELS = 8;

  private final byte[] eventPrefix;
  private final byte[] constants;
  private final byte[] out;
  private final int predictionBegin;
  private final byte[][] values;
  private final int[] idBegin;
  private final int[] idSize;
  private final long[] times;
  private int at;

  DirectCodec(Order order, int most) {
    eventPrefix = order.eventPrefix();
    byte[] prefix = order.predictionPrefix();
    out = new byte[4096];
    for (String name : new String[] {"model_name", "model_version", "model_hash"}) {
      text(order.lineage().get(name));
    }
    text(order.input());
    constants = Arrays.copyOf(out, at);
    System.arraycopy(prefix, 0, out, 0, prefix.length);
    predictionBegin = prefix.length;
    values = new byte[most][];
    idBegin = new int[most];
    idSize = new int[most];
    times = new long[most];
  }

  @Override
  public void decode(byte[] value, int row, FloatBuffer rows) {
    Codec.requirePrefix(value, eventPrefix);
    at = eventPrefix.length;
    idSize[row] = (int) number(value);
    idBegin[row] = at;
    values[row] = value;
    at += idSize[row];
    times[row] = number(value);
    int base = row * Model.WIDTH;
    for (int channel = 0; channel < CHANNELS; channel++) {
      rows.put(base + channel, (float) (double) DOUBLE.get(value, at));
      at += Double.BYTES;
    }
    rows.put(base + 8, number(value));
    rows.put(base + 9, number(value));
    if (number(value) == 0) {
      rows.put(base + 10, VIBRATION_OF_NONE);
    } else {
      rows.put(base + 10, (float) (double) DOUBLE.get(value, at));
      at += Double.BYTES;
    }
    rows.put(base + 11, times[row]);
    if (at != value.length) {
      throw new IllegalArgumentException("bytes are left over");
    }
  }

  @Override
  public byte[] encode(int row, float score, int partition, long offset) {
    at = predictionBegin;
    put(idSize[row]);
    bytes(values[row], idBegin[row], idSize[row]);
    put(1); // the second branch: a time
    put(times[row]);
    bytes(constants, 0, constants.length);
    put(partition);
    put(offset);
    put(1); // a block of one score
    FLOAT.set(out, at, score);
    at += Float.BYTES;
    put(0); // the last block
    put(0); // no label
    return Arrays.copyOf(out, at);
  }

  private long number(byte[] value) {
    long bits = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = value[at++];
      bits |= (next & 0x7FL) << shift;
      if (next >= 0) {
        return (bits >>> 1) ^ -(bits & 1);
      }
    }
  }

  private void put(long number) {
    long bits = (number << 1) ^ (number >> 63);
    while ((bits & ~0x7FL) != 0) {
      out[at++] = (byte) (bits | 0x80);
      bits >>>= 7;
    }
    out[at++] = (byte) bits;
  }

  private void bytes(byte[] source, int begin, int size) {
    System.arraycopy(source, begin, out, at, size);
    at += size;
  }

  private void text(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    put(utf8.length);
    bytes(utf8, 0, utf8.length);
  }
}
